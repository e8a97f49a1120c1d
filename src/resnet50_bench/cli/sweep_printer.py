"""A sweep's events -> lines on stdout."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..case.case import Case, UndecidedCase
from ..checkout import typed
from ..sweep import outlook
from ..sweep.known_points import KnownPoints
from ..sweep.search import DUEL, Place
from ..sweep.tables import between, choosing, named, outcome


class SweepPrinter:
    """An ``Observer`` that prints; see there."""

    def search_begins(self, case: UndecidedCase) -> None:
        print(f"auto: no best {' and '.join(case.sought)} is known for {case.precision} here. A short search begins",
              flush=True)

    def known_before(self, runs: int) -> None:
        print(f"{runs} runs of these points exist already and are not repeated", flush=True)

    def duel_begins(self, points: KnownPoints, places: Sequence[Place]) -> None:
        print(f"{points.precision}: {named(places)} are close: they run again in new processes, in alternating order, "
              f"{DUEL.most_rounds} rounds at most", flush=True)

    def tried(self, case: Case, line: str) -> None:
        print(f"{case.precision} BS {case.batch_size} CPI {case.cores_per_instance}: {line}", flush=True)

    def measured(self, points: KnownPoints, place: Place, standing: outlook.Standing) -> None:
        text = f"{points.precision} BS {place[0]} CPI {place[1]}: "
        if place in points.runs:
            value, low, high = points.last(place)
            text += f"{value:.2f} ({between(low, high)}) {points.unit}"
            if basis := points.basis(place):
                value, low, high = points.value(place)
                text += f", {basis} {value:.2f} ({between(low, high)})"
        else:
            text += points.unmeasured[place]
        if points.best:
            basis = points.basis(points.best)
            text += (f" | best so far {points.value(points.best)[0]:.2f} at BS {points.best[0]} CPI {points.best[1]}"
                     f"{f' ({basis})' * bool(basis)}")
        print(outlook.line(standing, text), flush=True)

    def ended(self, precisions: Sequence[KnownPoints], table: Path, best: Path) -> None:
        # ctest.sh --sweep works in the sweep's folder, where its user does not stand: whole paths.
        reproduce = f"{typed('ctest.sh')} --config {shlex.quote(str(best.absolute()))} {choosing(precisions)}"
        print("", *outcome(precisions, str(table.absolute()), reproduce), sep="\n", flush=True)
