"""What a comparison tells its observer -> lines on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..checkout import near, typed
from ..errors import RunFailed
from ..result.kpi import KPIS
from ..versus.outcome import Outcome, card, clock, ratio_text
from ..versus.rounds import Pair, Turn
from ..versus.words import Side, identical
from .sweep_printer import SweepPrinter


class VersusPrinter:
    """A ``compare.Observer`` that prints; see there."""

    search = SweepPrinter()

    def begins(self, folder: Path, sides: Sequence[Side], known_rounds: int) -> None:
        for side in sides:
            _say(f"{side.name}: {side.shown}{f' [{side.python}]' if side.own or side.case.stack else ''}")
            for notice in (*side.case.notices, *side.inputs.notices):
                _say(f"NOTICE: {side.name}: {notice}")
        for note in identical(sides):
            _say(f"NOTICE: {note}")
        if known_rounds:
            _say(f"{known_rounds} round{'s are' if known_rounds > 1 else ' is'} there already: not measured again")

    def measuring(self, number: int, most_rounds: int, name: str) -> None:
        if sys.stdout.isatty():  # the next line takes its place
            print(f"\x1b[2Kround {number} of at most {most_rounds}: {name} is measured ...", end="\r", flush=True)

    def measured(self, number: int, side: Side, turn: Turn) -> None:
        noisy = f" (noisy: {'; '.join(turn.reasons)})" if turn.verdict == "noisy" else ""
        _say(f"round {number}: {side.name} {turn.value:.2f} {KPIS[side.case.mode].unit}{noisy}")

    def round_ended(self, count: int, most_rounds: int, pairs: Sequence[Pair], left_s: float) -> None:
        end = f" | at most {clock(left_s)} left" if left_s else ""
        _say(f"{count} of at most {most_rounds} rounds | {', '.join(map(ratio_text, pairs))}{end}")

    def round_failed(self, number: int, error: RunFailed) -> None:
        _say(f"round {number} does not count and is measured once more: {error}")

    def broken_off(self, folder: Path) -> None:
        _say(f"to go on: versus --folder {folder}")

    def ended(self, outcome: Outcome, folder: Path) -> None:
        print("", *card(outcome, near(folder), typed("scripts/resnet50-bench.sh")), sep="\n", flush=True)


def _say(text: str) -> None:
    print(f"\x1b[2K{text}" if sys.stdout.isatty() else text, flush=True)
