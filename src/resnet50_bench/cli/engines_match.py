"""A precision and what the user gave -> the engines that can take turns at it; they do -> rows and sentences.

What is wrong with the user's words is found for all precisions before anything runs; what is wrong with an engine only
leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..case.case import Case
from ..case.defaults import Machine
from ..case.parameters import AUTO, SEARCHED
from ..errors import BadInput, RunFailed
from ..result.result import Result, read
from ..stack import environment
from ..versus import engines_table, record
from ..versus.engines_table import Contestant, Row
from ..versus.outcome import Outcome
from ..versus.rounds import Rules, SideFailed
from ..versus.words import NAMES, Given, sides, surrounded
from . import versus_command
from .sweep_printer import SweepPrinter


@dataclass
class Match:
    """One precision. ``flags`` and ``variables`` are what all engines have in common; ``lines`` who is left out."""

    precision: str
    folder: Path
    flags: Mapping[str, str]
    variables: Mapping[str, str]
    able: list[Contestant]
    lines: list[str]
    #: Whether its folder holds one that was begun: then its numbers are known.
    begun: bool = False

    def given(self, contestants: Mapping[str, Contestant]) -> Given:
        """As words of ``versus``."""
        return Given({name: one.words for name, one in contestants.items()}, self.flags, self.variables)

    def leave_out(self, one: Contestant, why: object) -> None:
        """Go on without it, and say why."""
        self.able.remove(one)
        self.lines.append(f"{self.precision}: left out: {one.shown}: {why}")
        print(f"{self.precision}: {one.shown} is left out: {why}", flush=True)


def prepared(precision: str, flags: Mapping[str, str], variables: Mapping[str, str], folder: Path,
             machine: Machine) -> Match:
    """Who takes turns.

    Raises BadInput for words that no engine can take, and for a folder that holds something else.
    """
    chosen, left_out = engines_table.contestants(
        precision, machine.cpu.flags, lambda stack: environment.is_complete(stack, _folder(stack)))
    lines = [f"{precision}: left out: {line}" for line in left_out]
    flags = dict(flags) | {"PRECISION": precision}
    before = record.read_plan(folder)
    if before:
        versus_command.planned(Given({}, flags, variables), None, before, folder)
        able = [engines_table.contestant(words, folder) for words in before.given.sides.values()]
        return Match(precision, folder, before.given.flags, before.given.environment, able, lines, begun=True)
    flags = {name: AUTO for name in SEARCHED if name not in variables} | flags
    made = Match(precision, folder, flags, variables, chosen, lines)
    bad = {one: why for one in chosen if (why := _objections(made.given({"A": one}), machine))}
    if chosen and len(bad) == len(chosen):
        shared = [line for line in bad[chosen[0]] if all(line in why for why in bad.values())]
        raise BadInput(*(shared or bad[chosen[0]]))
    for one, why in bad.items():
        made.leave_out(one, "; ".join(why))
    return made


def _objections(given: Given, machine: Machine) -> list[str]:
    try:
        sides(given, machine)
    except BadInput as error:
        return [line.removeprefix("A: ") for line in error.violations]
    return []


def play(match: Match, machine: Machine, rules: Rules) -> tuple[list[Row], list[str]]:
    """Search each one's best batch and cores, then let them take turns. An engine that fails is left out."""
    for one in [] if match.begun else list(match.able):
        try:
            _decide(match.given({"A": one}), machine)
        except RunFailed as error:
            match.leave_out(one, error)
    while len(match.able) > 1:
        named = dict(zip(NAMES, match.able, strict=False))
        try:
            outcome = versus_command.measured(match.given(named), match.folder, machine, rules)
        except SideFailed as error:
            match.leave_out(named[error.side], error.why)
            record.put_aside(match.folder)
            continue
        rows = {name: _row(one, name, outcome, match.folder) for name, one in named.items()}
        return list(rows.values()), [*engines_table.sentences(match.precision, named, rows, outcome), *match.lines]
    return [], [*match.lines, f"{match.precision}: fewer than two engines are left: nothing to compare"]


def _folder(stack: str) -> Path:
    with surrounded({"RESNET50_BENCH_STACK": stack}):
        return environment.folder(stack)


def _decide(given: Given, machine: Machine) -> None:
    """Search the best batch and cores, which are remembered; so an engine that fails is known before turns are taken.

    Raises what BenchError it fails with.
    """
    side, = sides(given, machine)
    if isinstance(side.case, Case):
        return
    from ..sweep import auto  # it runs cases: nothing that only refuses needs it

    with surrounded(side.surroundings):
        auto.decided(side.case, machine, side.python, SweepPrinter())


def _row(one: Contestant, name: str, outcome: Outcome, folder: Path) -> Row:
    results: list[Result] = []
    for each in outcome.rounds:
        results += [read(path) for path in record.turn_folder(folder, name, each.number).glob("benchmark_*.json")]
    return engines_table.row(one, name, outcome, results)
