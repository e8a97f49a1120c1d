"""What was typed + this host -> sides that take turns in a folder, each turn a whole run -> the outcome."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import msgspec

from ..case.case import Case
from ..errors import BadInput, BenchError, Infrastructure, RunFailed
from ..files import write_json
from ..launch.run_case import run_case
from ..machine import machine_lock
from ..sweep.observer import SweepObserver as SearchObserver
from . import record
from .outcome import Outcome, document, text
from .record import Plan
from .rounds import Pair, Round, Rules, SideFailed, Turn, pairs, take_turns
from .words import AskedSide, Given, Host, Side, sides


class VersusObserver(Protocol):
    """Told of each thing as it happens."""

    @property
    def search(self) -> SearchObserver:
        """Told of the search of a side's numbers."""

    def begins(self, folder: Path, sides: Sequence[Side], known_rounds: int) -> None:
        """Who is compared, and how many rounds the folder has already."""

    def measuring(self, number: int, most_rounds: int, name: str) -> None:
        """A turn begins."""

    def measured(self, number: int, side: Side, turn: Turn) -> None:
        """A turn has ended."""

    def round_ended(self, count: int, most_rounds: int, pairs: Sequence[Pair], left_s: float) -> None:
        """The ratios after ``count`` rounds; at most ``left_s`` seconds are left."""

    def round_failed(self, number: int, error: RunFailed) -> None:
        """The round does not count and is measured once more."""

    def broken_off(self, folder: Path) -> None:
        """The comparison ends before its time; its folder can be gone on with."""

    def ended(self, outcome: Outcome, folder: Path) -> None:
        """What is known at the end, however it came; its folder has it as a table and a document."""


def compare(given: Given, folder: Path, host: Host, rules: Rules, observer: VersusObserver,
            seed: int | None = None) -> Outcome:
    """Let the sides take turns in ``folder``, or go on there; the rules' seed is the folder's.

    Raises BadInput before anything runs, SideFailed where a side failed twice.
    """
    plan = record.planned(given, seed, folder)
    asked = sides(plan.given, host)
    with record.alone_in(folder), machine_lock.held():
        plan, ready = _decided(plan, asked, host, observer.search)
        record.write_plan(folder, plan)
        return _take_turns(folder, ready, host, replace(rules, seed=plan.seed), observer)


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


def _take_turns(folder: Path, ready: list[Side], host: Host, rules: Rules, observer: VersusObserver) -> Outcome:
    """What is known at the end is told and kept, however it ends."""
    rounds = record.rounds(folder, ready, host.machine)
    observer.begins(folder, ready, len(rounds))
    began, ended = time.monotonic(), "it was broken off"
    try:
        ended = take_turns([side.name for side in ready], rules, rounds, _Turns(folder, ready, host, rules, observer),
                           time.monotonic)
    except BenchError:
        observer.broken_off(folder)
        raise
    finally:
        outcome = Outcome(ready, rounds, rules.most_rounds, rules.seed, ended, time.monotonic() - began)
        (folder / record.TABLE).write_text(text(outcome))
        write_json(folder / record.OUTCOME, document(outcome))
        observer.ended(outcome, folder)
    return outcome


class _Turns:
    """Runs turns, each by processes of its own into a folder of its own; see ``Runner``."""

    def __init__(self, folder: Path, ready: Sequence[Side], host: Host, rules: Rules, observer: VersusObserver) -> None:
        self._folder, self._host, self._rules, self._observer = folder, host, rules, observer
        self._sides = {side.name: side for side in ready}

    def measure(self, number: int, name: str) -> Turn:
        side, folder = self._sides[name], record.turn_folder(self._folder, name, number)
        self._observer.measuring(number, self._rules.most_rounds, name)
        try:
            folder.mkdir(parents=True)
            result = run_case(side.case, side.inputs, self._host.machine.topology, side.python, folder,
                              datetime.now(timezone.utc), self._host.surroundings, echo=io.StringIO())
        except RunFailed as error:
            raise SideFailed(name, f"{error} (log: {folder})") from error
        except OSError as error:
            raise Infrastructure(f"{folder}: {error}") from error
        turn = record.turn_of(result)
        self._observer.measured(number, side, turn)
        return turn

    def leave_out(self, number: int) -> None:
        record.leave_out(self._folder, list(self._sides), number)

    def round_ended(self, rounds: Sequence[Round], took_s: Sequence[float]) -> None:
        rules = self._rules
        left_s = (rules.most_rounds - len(rounds)) * math.fsum(took_s) / len(took_s)
        if rules.time_limit_s is not None:
            left_s = min(left_s, max(0.0, rules.time_limit_s - math.fsum(took_s)))
        self._observer.round_ended(len(rounds), rules.most_rounds, pairs(list(self._sides), rounds, rules.most_rounds),
                                   left_s)

    def round_failed(self, number: int, error: RunFailed) -> None:
        self._observer.round_failed(number, error)
