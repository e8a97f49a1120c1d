"""A comparison's folder <-> its plan and its rounds; what does not count lies in ``left-out``.

``versus.json`` holds what was typed, ``A/round-001`` the whole result of a turn, so that ``compare FOLDER/A FOLDER/B``,
``list`` and ``report`` read it as any other. A round counts once every side's turn passed.
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
from ..result.kpi import primary
from ..result.result import Result, read
from .rounds import Round, Turn
from .words import Given, Side

PLAN, TABLE, OUTCOME, LEFT_OUT = "versus.json", "versus.txt", "outcome.json", "left-out"


class Plan(msgspec.Struct, frozen=True, tag_field="schema", tag="resnet50-bench-versus"):
    """``versus.json``: what a comparison was started with.

    ``decided``: each side's numbers for ``auto``; ``pythons``: its Python.
    """

    given: Given
    seed: int
    decided: Mapping[str, Mapping[str, str]] = {}
    pythons: Mapping[str, str] = {}
    schema_version: Literal[1] = 1


def planned(given: Given, seed: int | None, folder: Path) -> Plan:
    """What to measure: as given, or what the folder was started with. Raises BadInput where they contradict."""
    before = read_plan(folder)
    if before is None:
        if len(given.sides) < 2:
            raise BadInput('at least two sides are needed: --a "TORCH_TYPE=IPEX" --b "TORCH_TYPE=EAGER"; to go on with '
                           f"a comparison, name its --folder ({folder.name} holds none)")
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
    """Make the folder, and hold it: two at once would measure rounds twice. Raises BadInput where another holds it."""
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


def turn_folder(folder: Path, name: str, number: int) -> Path:
    """Where a side's turn of a round lies."""
    return folder / name / f"round-{number:03}"


def leave_out(folder: Path, names: Sequence[str], number: int) -> None:
    """Move the turns of a round that does not count out of the way; nothing is deleted."""
    for name in names:
        there = turn_folder(folder, name, number)
        if there.exists():
            aside = folder / LEFT_OUT
            aside.mkdir(exist_ok=True)
            taken = sum(1 for _ in aside.glob(f"{name}-{there.name}-*"))
            there.rename(aside / f"{name}-{there.name}-{taken + 1}")


def results(folder: Path, name: str, rounds: Sequence[Round]) -> list[Result]:
    """Those of a side's turns."""
    return [read(path) for each in rounds for path in turn_folder(folder, name, each.number).glob("benchmark_*.json")]


def put_aside(folder: Path) -> None:
    """Move the whole comparison into ``left-out`` beside it: it begins anew, and nothing is deleted."""
    aside = folder.parent / LEFT_OUT
    aside.mkdir(exist_ok=True)
    folder.rename(aside / f"{folder.name}-{sum(1 for _ in aside.glob(f'{folder.name}-*')) + 1}")


def rounds(folder: Path, sides: Sequence[Side], machine: Machine) -> list[Round]:
    """The rounds that are there whole, by number. Raises BadInput for those of another machine or other versions."""
    found: dict[int, dict[str, Result]] = {}
    for side in sides:
        for path in folder.glob(f"{side.name}/round-*/benchmark_*.json"):
            result = read(path)
            if result.failure is None:
                found.setdefault(int(path.parent.name.removeprefix("round-")), {})[side.name] = result
    whole = {number: results for number, results in found.items() if len(results) == len(sides)}
    if whole:
        last = whole[max(whole)]
        for side in sides:
            _require_same(side, last[side.name], machine, folder)
    return [Round(number, {name: turn_of(result) for name, result in results.items()})
            for number, results in sorted(whole.items())]


def _require_same(side: Side, result: Result, machine: Machine, folder: Path) -> None:
    software = {name: value for name, value in result.software.items() if not name.startswith("git_")}
    now = {name: value for name, value in versions.software_record(side.python).items() if not name.startswith("git_")}
    pairs = [("CPU", result.system.cpu, machine.cpu.name),
             ("cores", result.topology.allowed_cpus, machine.topology.allowed_cpus),
             *((name, result.parameter(name), text) for name, text in side.case.texts().items()),
             *((name, software.get(name), now.get(name)) for name in {**software, **now})]
    bad = [f"{name} {was} (now {is_now})" for name, was, is_now in pairs if was != is_now]
    if bad:
        raise BadInput(f"{folder} holds rounds of {side.name} with other {', '.join(bad)}: rounds of both would not be "
                       "comparable; name a new folder")


def turn_of(result: Result) -> Turn:
    """What counts of a result that passed."""
    _, value = primary(result)
    memories = [report.facts.memory.get("pss_bytes") for report in result.processes]
    known = [memory for memory in memories if memory is not None]
    memory = sum(known) / 1e6 if known and len(known) == len(memories) else None
    return Turn(value, result.verdict, tuple(result.reasons), memory)


def texts_of(side: Side) -> dict[str, str]:
    """Its parameters, in the catalogue's order."""
    return {name: side.case.texts()[name] for name in CATALOGUE}
