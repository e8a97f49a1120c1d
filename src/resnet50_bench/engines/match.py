"""A precision and the user's parameters -> the engines that can run it, and their measured comparison.

Errors in the user's words are found for all precisions before anything runs. An engine with an error is only left
out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..case.parameters import AUTO, SEARCHED
from ..errors import BadInput, RunFailed
from ..files import write_json
from ..machine import machine_lock
from ..stack.environment import StackChoice
from ..versus import compare, record
from ..versus.compare import Limits
from ..versus.words import CHOOSING, NAMES, Given, Host, one_side
from . import memory, table
from .table import Contestant, LeftOut, Played, Row

TABLE, DOCUMENT = "engines.txt", "engines.json"
#: What is compared: a value for one of them would make all sides the same.
_COMPARED = ("TORCH_TYPE", "QCONF", "WEIGHT_SHARING", "FUNCTION")


class MatchObserver(compare.VersusObserver, Protocol):
    """Receives the events of the matches."""

    def left_out(self, precision: str, one: LeftOut) -> None:
        """The engine is out of the comparison."""


@dataclass(frozen=True)
class Match:
    """One precision: ``able`` engines may take turns. ``flags`` and ``variables`` are what all have in common.

    ``begun``: the folder has one that was begun, whose batch sizes and cores are known.
    """

    precision: str
    folder: Path
    flags: Mapping[str, str]
    variables: Mapping[str, str]
    able: tuple[Contestant, ...]
    left_out: tuple[LeftOut, ...]
    begun: bool = False

    def given(self, sides: Mapping[str, Contestant]) -> Given:
        """The common settings as words of ``versus``."""
        return Given({name: one.words for name, one in sides.items()}, self.flags, self.variables)


def refuse_what_is_compared(flags: Mapping[str, str], variables: Mapping[str, str], choice: StackChoice) -> None:
    """Raises BadInput if the user set a parameter or variable that ``engines`` compares."""
    bad = [f"`engines` compares every {name}: leave it out" for name in _COMPARED if flags.get(name)]
    bad += [f"`engines` compares every {name}, and {name}={variables[name]} is in the environment: unset it"
            for name in _COMPARED if name in variables]
    bad += [f"{name}={text} in the environment chooses one stack, but `engines` uses all that are set up: unset it"
            for name, text in zip(CHOOSING, (choice.python, choice.stack, choice.env), strict=True) if text]
    if bad:
        raise BadInput(*bad)


def prepared(precision: str, flags: Mapping[str, str], variables: Mapping[str, str], folder: Path, host: Host,
             observer: MatchObserver) -> Match:
    """Make a match: the engines that are compared at one precision.

    Raises BadInput for words that no engine can take, and for a folder that contains something else.
    """
    chosen, left_out = table.contestants(precision, host.machine.cpu.flags, StackChoice().is_set_up)
    flags = dict(flags) | {"PRECISION": precision}
    if record.read_plan(folder):
        begun = record.planned(Given({}, flags, variables), None, folder).given
        able = tuple(Contestant.of(words, folder) for words in begun.sides.values())
        return Match(precision, folder, begun.flags, begun.environment, able, tuple(left_out), begun=True)
    flags = {name: AUTO for name in SEARCHED if name not in variables} | flags
    objections = {one: why for one in chosen if (why := _objections(one, Given({}, flags, variables), host))}
    if chosen and len(objections) == len(chosen):
        first, *others = objections.values()
        raise BadInput(*([line for line in first if all(line in why for why in others)] or first))
    for one, why in objections.items():
        left_out.append(LeftOut(one.shown, "; ".join(why)))
        observer.left_out(precision, left_out[-1])
    return Match(precision, folder, flags, variables, tuple(one for one in chosen if one not in objections),
                 tuple(left_out))


def _objections(one: Contestant, given: Given, host: Host) -> tuple[str, ...]:
    try:
        one_side(one.words, given, host)
    except BadInput as error:
        return error.violations
    return ()


@dataclass(frozen=True)
class MatchEnd:
    """All measured rows, and the notes on all precisions."""

    rows: tuple[Row, ...] = ()
    text: tuple[str, ...] = ()


def play_all(matches: Sequence[Match], folder: Path, host: Host, limits: Limits, observer: MatchObserver) -> MatchEnd:
    """Play the matches one after another. Finished ones are stored, however the next one ends.

    Raises BadInput for a folder that cannot be written.
    """
    ended = MatchEnd()
    with machine_lock.held():  # before the folder is made: a refusal leaves none
        _make(folder)
        for match in matches:
            played = play(match, host, limits, observer)
            rows = tuple(played.rows.values())
            ended = MatchEnd(ended.rows + rows, (*ended.text, *table.sentences(played)))
            if known := table.proven(rows):
                memory.remember(host.machine.cpu.name, match.precision, known)
            if ended.rows:
                lines = [*table.table(ended.rows), "", *ended.text]
                (folder / TABLE).write_text("\n".join(lines) + "\n")
                write_json(folder / DOCUMENT, table.document(ended.rows, ended.text, host.machine.cpu.name))
    return ended


def _make(folder: Path) -> None:
    why = "Permission denied"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = str(error.strerror)
    if not os.access(folder, os.W_OK) or not folder.is_dir():
        raise BadInput(f"--folder {folder} cannot be made or written: {why}")


def play(match: Match, host: Host, limits: Limits, observer: MatchObserver) -> Played:
    """Search each one's best batch and cores, then let them take turns. An engine that fails is left out."""
    able, left_out = match.able, match.left_out
    if not match.begun:
        failed = {one: why for one in able if (why := _why_no_numbers(one, match, host, observer))}
        able, left_out = _without(failed, able, left_out, match, observer)
    if len(able) < 2:
        return Played(match.precision, left_out)
    sides = dict(zip(NAMES, able, strict=False))
    outcome = compare.compare(match.given(sides), match.folder, host, limits, observer, may_fail=True)
    failed = {sides[name]: why for name, why in outcome.race.failed.items()}
    able, left_out = _without(failed, able, left_out, match, observer)
    rows = {name: table.row(one, name, outcome, record.results(match.folder, name))
            for name, one in sides.items() if one in able}
    return Played(match.precision, left_out, sides, rows, outcome)


def _why_no_numbers(one: Contestant, match: Match, host: Host, observer: MatchObserver) -> str:
    """The reason why it cannot be measured. Otherwise this finds its best batch and cores, so it has run once.

    Raises what BenchError is no fault of the engine.
    """
    try:
        compare.search(one_side(one.words, match.given({}), host), host, observer.search)
    except RunFailed as error:
        return str(error)
    return ""


def _without(failed: Mapping[Contestant, str], able: tuple[Contestant, ...], left_out: tuple[LeftOut, ...],
             match: Match, observer: MatchObserver) -> tuple[tuple[Contestant, ...], tuple[LeftOut, ...]]:
    """Return (the remaining engines, those left out), and tell the observer."""
    now = tuple(LeftOut(one.shown, why) for one, why in failed.items())
    for one in now:
        observer.left_out(match.precision, one)
    return tuple(one for one in able if one not in failed), left_out + now
