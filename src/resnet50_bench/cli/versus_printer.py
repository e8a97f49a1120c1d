"""A comparison's events -> lines on stdout."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ..checkout import near, typed
from ..result.blocks import FIRST_LOOK
from ..result.kpi import KPIS
from ..versus.outcome import Outcome, card, clock, minutes, table
from ..versus.rounds import Race, SideFailed, Turn
from ..versus.words import Side, identical
from .sweep_printer import SweepPrinter

_CHOSEN_ANEW = ("--folder", "--rounds")


def again(command: str, argv: Sequence[str], folder: Path) -> str:
    """The words of a command line that continues in its folder; its number of rounds is left to whoever shows it."""
    words, rest = [command], iter(argv)
    for word in rest:
        if word in _CHOSEN_ANEW:
            next(rest)
        elif word.partition("=")[0] not in _CHOSEN_ANEW:
            words.append(word)
    return shlex.join([*words, "--folder", near(folder)])


class VersusPrinter:
    """A ``compare.Observer`` that prints; see there."""

    search = SweepPrinter()

    def __init__(self, again: str, turn_s: float | None = None) -> None:
        """``again``: the words that continue this command; ``turn_s``: how long a turn usually takes."""
        self._again, self._turn_s = again, turn_s

    def begins(self, folder: Path, sides: Sequence[Side], race: Race) -> None:
        for side in sides:
            _say(f"{side.name}: {side.shown}{f' [{side.python}]' if side.own or side.case.stack else ''}")
            for notice in (*side.case.notices, *side.inputs.notices):
                _say(f"NOTICE: {side.name}: {notice}")
        for note in identical(sides):
            _say(f"NOTICE: {note}")
        if race.turns:
            _say(f"{len(race.turns)} turn{'s exist' if len(race.turns) > 1 else ' exists'} already: not measured again")
        known = len(race.turns)
        most = max(0, race.rules.most_rounds * len(sides) - known)
        first = min(max(0, FIRST_LOOK * len(sides) - known), most)
        took = (f"about {minutes(first * self._turn_s)} to {minutes(most * self._turn_s)}, if a turn takes as long as "
                "the cases here took" if self._turn_s else "the time of a turn is known after the first round")
        turns = f"{most}" if first == most else f"{first} to {most}"
        _say(f"plan: {turns} turn{'s' * (most > 1)}: {took}")

    def measuring(self, number: int, side: Side) -> None:
        if sys.stdout.isatty():  # the next line takes its place
            print(f"\x1b[2Kround {number}: {side.label} is measured ...", end="\r", flush=True)

    def measured(self, side: Side, turn: Turn) -> None:
        noisy = f" (noisy: {'; '.join(turn.reasons)})" if turn.verdict == "noisy" else ""
        again = " once more, as its first turn was disturbed" if turn.again else ""
        _say(f"round {turn.round}: {side.label}{again} {turn.value:.2f} {KPIS[side.case.mode].unit}{noisy}")

    def round_ended(self, outcome: Outcome) -> None:
        race = outcome.race
        if race.round == race.rules.most_rounds or race.standing.ended:
            return  # the end comes with a table of its own
        likely, most = race.left_s()
        for line in table(outcome):
            _say(f"  {line}")
        _say(f"{race.round} of at most {race.rules.most_rounds} rounds | about {clock(likely)} left, at most "
             f"{clock(most)}")

    def turn_failed(self, number: int, error: SideFailed) -> None:
        _say(f"round {number}: a turn is measured once more: {error}")

    def ended(self, outcome: Outcome, folder: Path) -> None:
        print("", *card(outcome, near(folder), typed("scripts/resnet50-bench.sh"), self._again), sep="\n", flush=True)


def _say(text: str) -> None:
    print(f"\x1b[2K{text}" if sys.stdout.isatty() else text, flush=True)
