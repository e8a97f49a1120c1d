"""A comparison's folder <-> its plan and its turns; a turn that was broken off is in ``left-out``.

``versus.json`` has the words that were typed, ``A/round-001`` the whole result of a turn, so that ``compare FOLDER/A
FOLDER/B``, ``list`` and ``report`` read it as any other. ``A/round-001-again`` has the second try of a disturbed turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from ..case.defaults import Machine
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..files import Locked, locked, write_json
from ..launch import versions
from ..result.blocks import Question
from ..result.kpi import primary
from ..result.result import Result, read
from .rounds import Turn
from .words import Given, Side

PLAN, TABLE, OUTCOME, LEFT_OUT = "versus.json", "versus.txt", "outcome.json", "left-out"
_AGAIN = "-again"


class Plan(msgspec.Struct, frozen=True, tag_field="schema", tag="resnet50-bench-versus"):
    """``versus.json``: what a comparison was started with.

    ``decided``: each side's numbers for ``auto``; ``pythons``: its Python. ``within``, ``equal_within``, ``question``:
    as they were typed last.
    """

    given: Given
    seed: int
    decided: Mapping[str, Mapping[str, str]] = {}
    pythons: Mapping[str, str] = {}
    within: float | None = None
    equal_within: float | None = None
    question: Question | None = None
    schema_version: Literal[1] = 1


def planned(given: Given, seed: int | None, folder: Path) -> Plan:
    """What to measure: as given, or what the folder was started with. Raises BadInput where they contradict."""
    before = read_plan(folder)
    if before is None:
        if len(given.sides) < 2:
            raise BadInput('at least two sides are needed: --a "TORCH_TYPE=IPEX" --b "TORCH_TYPE=EAGER"; to go on with '
                           f"a comparison, name its --folder ({folder.name} contains none)")
        return Plan(given, 1 if seed is None else seed)
    was = before.given
    changed = [f"--{name.lower()} {words!r}" for name, words in given.sides.items() if was.sides.get(name) != words]
    changed += [f"--{name.lower()}={words}" for name, words in given.flags.items() if was.flags.get(name) != words]
    changed += [f"{name}={words} in the environment" for name, words in given.environment.items()
                if words not in (was.environment.get(name), was.flags.get(name))]
    if seed not in (None, before.seed):
        changed.append(f"--seed {seed}")
    if changed:
        raise BadInput(f"{folder} was started without {', '.join(changed)}; name a new folder, or go on with --folder "
                       "alone")
    return before


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make and lock the folder, for two at once would measure rounds twice. Raises BadInput if it is locked."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / ".lock"))
        except OSError as error:
            raise BadInput(f"{folder} cannot be made or written: {error.strerror}") from error
        except Locked:
            raise BadInput(f"another versus runs in {folder}; wait for it, or name another folder") from None
        yield


def read_plan(folder: Path) -> Plan | None:
    """None where nothing was started there. Raises BadInput for what is no plan."""
    path = folder / PLAN
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise BadInput(f"{path} cannot be read: {error}") from error


def write_plan(folder: Path, plan: Plan) -> None:
    """Atomically."""
    write_json(folder / PLAN, msgspec.to_builtins(plan))


def turn_folder(folder: Path, side: str, number: int, again: bool = False) -> Path:
    """A new folder for a side's turn of a round; one that was broken off there is moved away, nothing is deleted."""
    path = folder / side / f"round-{number:03}{_AGAIN if again else ''}"
    if path.exists():
        aside = folder / LEFT_OUT
        aside.mkdir(exist_ok=True)
        taken = sum(1 for _ in aside.glob(f"{side}-{path.name}-*"))
        path.rename(aside / f"{side}-{path.name}-{taken + 1}")
    path.mkdir(parents=True)
    return path


def results(folder: Path, side: str) -> list[Result]:
    """Those of a side's turns that passed, in the order of time."""
    found = [read(path) for path in folder.glob(f"{side}/round-*/benchmark_*.json")]
    return sorted((result for result in found if result.failure is None), key=lambda result: result.started_at)


def turns(folder: Path, sides: Sequence[Side], machine: Machine) -> list[Turn]:
    """The turns that passed, in the order of time. Raises BadInput for those of another machine or other versions."""
    found: list[tuple[str, Turn]] = []
    for side in sides:
        last = None
        for path in folder.glob(f"{side.name}/round-*/benchmark_*.json"):
            result = read(path)
            if result.failure is None:
                name = path.parent.name.removeprefix("round-")
                turn = turn_of(result, int(name.removesuffix(_AGAIN)), side.name, name.endswith(_AGAIN))
                found.append((result.started_at, turn))
                last = result
        if last:
            _require_same(side, last, machine, folder)
    return [turn for _, turn in sorted(found, key=lambda pair: pair[0])]


def _require_same(side: Side, result: Result, machine: Machine, folder: Path) -> None:
    software = {name: value for name, value in result.software.items() if not name.startswith("git_")}
    now = {name: value for name, value in versions.software_record(side.python).items() if not name.startswith("git_")}
    pairs = [("CPU", result.system.cpu, machine.cpu.name),
             ("cores", result.topology.allowed_cpus, machine.topology.allowed_cpus),
             *((name, result.parameter(name), text) for name, text in side.case.texts().items()),
             *((name, software.get(name), now.get(name)) for name in {**software, **now})]
    bad = [f"{name} {was} (now {is_now})" for name, was, is_now in pairs if was != is_now]
    if bad:
        raise BadInput(f"{folder} contains rounds of {side.name} with other {', '.join(bad)}: rounds of both would not "
                       "be comparable; name a new folder")


def turn_of(result: Result, number: int, side: str, again: bool) -> Turn:
    """The facts that count of a result that passed."""
    _, value = primary(result)
    memories = [report.facts.memory.get("pss_bytes") for report in result.processes]
    known = [memory for memory in memories if memory is not None]
    memory = sum(known) / 1e6 if known and len(known) == len(memories) else None
    return Turn(number, side, value, result.verdict, tuple(result.reasons), memory, again)


def texts_of(side: Side) -> dict[str, str]:
    """Its parameters, in the catalogue's order."""
    return {name: side.case.texts()[name] for name in CATALOGUE}
