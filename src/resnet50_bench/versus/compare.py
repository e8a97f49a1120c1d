"""What was typed + this host -> sides that take turns in a folder, each turn a whole run -> the outcome."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import msgspec

from ..case.case import Case
from ..errors import BadInput, Infrastructure, RunFailed
from ..files import write_json
from ..launch.run_case import run_case
from ..machine import machine_lock
from ..result.blocks import EQUAL_WITHIN, Question, Rules
from ..result.kpi import KPIS
from ..sweep.observer import SweepObserver as SearchObserver
from . import record
from .outcome import Outcome, document, text
from .record import Plan
from .rounds import Race, SideFailed, Turn, take_turns
from .words import AskedSide, Given, Host, Side, sides

#: The side that all others are compared with, where it is given.
BASELINE = "A"


@dataclass(frozen=True)
class Limits:
    """The rules of a comparison as they were asked for; see ``blocks.Rules``.

    None for ``within``, ``equal_within`` and ``question``: as the folder has it. Without a ``question`` a side A is the
    baseline, and without A the fastest side is sought.
    """

    rounds: int
    within: float | None = None
    equal_within: float | None = None
    time_limit_s: float | None = None
    seed: int | None = None
    question: Question | None = None


class VersusObserver(Protocol):
    """Told of each thing as it happens."""

    @property
    def search(self) -> SearchObserver:
        """Told of the search of a side's numbers."""

    def begins(self, folder: Path, sides: Sequence[Side], race: Race) -> None:
        """Who is compared by which rules, and which turns the folder has already."""

    def measuring(self, number: int, side: Side) -> None:
        """A turn begins."""

    def measured(self, side: Side, turn: Turn) -> None:
        """A turn has ended."""

    def round_ended(self, outcome: Outcome) -> None:
        """The state of the comparison after a round."""

    def turn_failed(self, number: int, error: SideFailed) -> None:
        """The turn is measured once more."""

    def ended(self, outcome: Outcome, folder: Path) -> None:
        """The end, however it came; the folder has it as a table and a document."""


def compare(given: Given, folder: Path, host: Host, limits: Limits, observer: VersusObserver,
            may_fail: bool = False) -> Outcome:
    """Let the sides take turns in ``folder``, or continue there; the seed is the folder's.

    Raises BadInput before anything runs; SideFailed where a side failed twice, unless sides ``may_fail``.
    """
    plan = record.planned(given, limits.seed, folder)
    asked = sides(plan.given, host)
    with machine_lock.held(), record.alone_in(folder):  # in this order: a refusal leaves no folder
        plan, ready = _decided(plan, asked, host, observer.search)
        plan = msgspec.structs.replace(plan, **{name: typed for name in ("within", "equal_within", "question")
                                                if (typed := getattr(limits, name)) is not None})
        record.write_plan(folder, plan)
        question = plan.question or (Question.BASELINE if ready[0].name == BASELINE else Question.BEST)
        rules = Rules(question, limits.rounds, plan.within, plan.equal_within or EQUAL_WITHIN)
        race = Race(tuple(side.name for side in ready), rules, KPIS[ready[0].case.mode].sign, plan.seed,
                    record.turns(folder, ready, host.machine))
        return _take_turns(folder, ready, host, race, limits.time_limit_s, observer, may_fail)


def _decided(plan: Plan, asked: Sequence[AskedSide], host: Host, observer: SearchObserver) -> tuple[Plan, list[Side]]:
    """Numbers for ``auto``, of this time or, in a folder to go on with, of the first."""
    ready, numbers = [], dict(plan.decided)
    for side in asked:
        case = _with_numbers(side, host, numbers, observer)
        python = plan.pythons.get(side.name, str(side.python))
        if python != str(side.python):
            raise BadInput(f"{side.name} was measured with {python}, now it would be with {side.python}; name a new "
                           "folder")
        ready.append(side.ready(case))
    pythons = {side.name: str(side.python) for side in ready}
    return msgspec.structs.replace(plan, decided=numbers, pythons=pythons), ready


def _with_numbers(side: AskedSide, host: Host, numbers: dict[str, Mapping[str, str]], observer: SearchObserver) -> Case:
    """The side's case; what had to be decided stands in ``numbers`` then."""
    if isinstance(side.case, Case):
        return side.case
    if side.name in numbers:
        return side.case.decided({name: int(text) for name, text in numbers[side.name].items()})
    case = search(side, host, observer)
    numbers[side.name] = {name: case.texts()[name] for name in side.case.sought}
    return case


def search(side: AskedSide, host: Host, observer: SearchObserver) -> Case:
    """The side's case with its best numbers, which are remembered. Raises RunFailed where no point can be measured."""
    from ..sweep import auto  # it runs cases: nothing that only refuses needs it

    return auto.decided(side.case, host.machine, side.python, host.surroundings, observer)


def _take_turns(folder: Path, ready: list[Side], host: Host, race: Race, time_limit_s: float | None,
                observer: VersusObserver, may_fail: bool) -> Outcome:
    """The outcome is told and kept, however the comparison ends."""
    observer.begins(folder, ready, race)
    began, ended = time.monotonic(), "it was interrupted"
    try:
        runner = _Runner(folder, ready, host, observer)
        ended = take_turns(race, runner, time.monotonic, time_limit_s, may_fail)
    except SideFailed as error:
        ended = f"{error.side} failed"
        raise
    finally:
        outcome = Outcome(ready, race, ended, time.monotonic() - began)
        (folder / record.TABLE).write_text(text(outcome))
        write_json(folder / record.OUTCOME, document(outcome))
        observer.ended(outcome, folder)
    return outcome


class _Runner:
    """Runs turns, each by processes of its own into a folder of its own; see ``rounds.Runner``."""

    def __init__(self, folder: Path, ready: Sequence[Side], host: Host, observer: VersusObserver) -> None:
        self._folder, self._host, self._observer, self._ready = folder, host, observer, ready
        self._sides = {side.name: side for side in ready}

    def measure(self, number: int, side: str, again: bool) -> Turn:
        measured = self._sides[side]
        self._observer.measuring(number, measured)
        folder = self._folder
        try:
            folder = record.turn_folder(self._folder, side, number, again)
            result = run_case(measured.case, measured.inputs, self._host.machine.topology, measured.python, folder,
                              datetime.now(timezone.utc), self._host.surroundings, echo=io.StringIO())
        except RunFailed as error:
            raise SideFailed(side, f"{error} (log: {folder})") from error
        except OSError as error:
            raise Infrastructure(f"{folder}: {error}") from error
        turn = record.turn_of(result, number, side, again)
        self._observer.measured(measured, turn)
        return turn

    def round_ended(self, race: Race) -> None:
        self._observer.round_ended(Outcome(self._ready, race, "", 0.0))

    def turn_failed(self, number: int, error: SideFailed) -> None:
        self._observer.turn_failed(number, error)
