"""Axes -> points measured by warm workers into a folder, and the best of them. One that was ended goes on there."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from ..case import inputs
from ..case.case import Machine
from ..errors import Infrastructure, RunFailed
from ..launch.launcher import Session
from ..launch.run_case import run_case
from ..result.result import FRESH, WARM
from ..stack.environment import worker_python
from . import best, outlook, record, tables
from .axes import Axes
from .search import LOOKS, Grid, Place, duel, wanted
from .tables import Outcome

TABLE, BEST = "sweep.txt", "best.yaml"
#: A search leaves out points whose single step takes longer than this: they take minutes and are hardly ever the best.
MOST_STEP_S = 15.0
#: What a search of a grid measures beyond its coarse points, before any search has told.
_USUALLY_MORE = 6


class Sweep:
    """One sweep: what is known of each precision's points, and how they come to be known."""

    def __init__(self, folder: Path, planned: Axes, machine: Machine) -> None:
        self._folder, self._planned, self._machine = folder, planned, machine
        self._python = worker_python()
        self._inputs = inputs.find(next(iter(planned.cases.values())))
        self._took: list[tuple[int, float]] = []
        self._measured, self._finished = 0, []  # runs of this time; points known of each precision that is done
        there = record.runs(folder, machine.cpu.name)
        self._outcomes = [self._outcome(precision, grid, there) for precision, grid in planned.grids.items()]
        found = sum(len(runs) for each in self._outcomes for runs in each.runs.values())
        if found:
            print(f"{found} runs of these points are there already: they are not measured again", flush=True)

    def _outcome(self, precision: str, grid: Grid, there: Mapping[record.Key, list[record.Run]]) -> Outcome:
        cases = {place: case for (name, place), case in self._planned.cases.items() if name == precision}
        runs = {place: found for place, case in cases.items() if (found := there.get(record.key_of(case)))}
        return Outcome(precision, grid, cases, runs, {})

    def run(self) -> int:
        """Measure what is wanted, say and write what was found. Raises RunFailed for a precision without a best."""
        try:
            self.search()
            self._decide()
        finally:
            text = tables.ending(self._outcomes)
            (self._folder / TABLE).write_text(text)
            (self._folder / BEST).write_text(tables.config(self._outcomes))
        if self._planned.whole:
            self._remember()
        print(f"\n{text}\nreproduce the best: ./ctest.sh --config {self._folder / BEST}", flush=True)
        lacking = [each for each in self._outcomes if not each.best]
        if lacking:
            raise RunFailed("; ".join(f"no point of {each.precision} could be measured: "
                                      f"{next(iter(each.unmeasured.values()), 'none was tried')}" for each in lacking))
        return 0

    def _remember(self) -> None:
        """For cases with ``auto``."""
        for each in self._outcomes:
            if each.best:
                case = each.cases[each.best]
                best.write(best.file_for(case, best.NAMES, self._machine, self._python), each)

    def search(self) -> list[Outcome]:
        """Measure what is wanted; what is then known of each precision."""
        with Session() as session:
            for each in self._outcomes:
                self._search(each, session)
                self._finished.append(len(each.scores))
        return self._outcomes

    def _search(self, each: Outcome, session: Session) -> None:
        while places := wanted(each.grid, each.scores):
            for number, place in enumerate(places):
                if not self._is_too_slow(each, place):
                    self._measure(each, place, session, WARM)
                    self._say(each, place, places[number + 1:], each.grid.every)

    def _decide(self) -> None:
        """Between the last rivals of each precision, by fresh processes that take turns."""
        for each in self._outcomes:
            if places := duel(each.scores, each.unmeasured):
                print(f"{each.precision}: {tables.named(sorted(places))} are close: fresh processes of each take "
                      f"turns, {LOOKS[-1]} rounds at most", flush=True)
            while places := duel(each.scores, each.unmeasured):
                for number, place in enumerate(places):
                    with Session() as session:
                        self._measure(each, place, session, FRESH)
                    self._say(each, place, places[number + 1:], False)

    def _is_too_slow(self, each: Outcome, place: Place) -> bool:
        step_s = outlook.step_seconds(place, ((at, run) for at, runs in each.runs.items() for run in runs))
        if each.grid.every or step_s is None or step_s <= MOST_STEP_S:
            return False
        each.unmeasured[place] = f"left out: a step would take about {step_s:.0f} s (name BATCH_SIZE to measure it)"
        return True

    def _measure(self, each: Outcome, place: Place, session: Session, workers: str) -> None:
        """Run the point once more and keep what came of it; only a failure of the point itself lets the sweep go on."""
        case = each.cases[place]
        folder = record.new_folder(self._folder, case)
        began = time.monotonic()
        try:
            run_case(case, self._inputs, self._machine.topology, self._python, folder, datetime.now(timezone.utc),
                     session.launch, io.StringIO())
            path, = folder.glob("benchmark_*.json")
            each.runs.setdefault(place, []).append(record.marked(path, workers))
        except RunFailed as error:
            each.unmeasured[place] = f"failed: {str(error).splitlines()[0]}"
        except OSError as error:
            raise Infrastructure(f"{folder}: {error}") from error
        self._measured += 1
        self._took.append((place[0], time.monotonic() - began))

    def _say(self, each: Outcome, place: Place, rest: list[Place], certain: bool) -> None:
        unit = record.KPI[each.cases[place].mode][0]
        what = f"{each.precision} BS {place[0]} CPI {place[1]}: "
        if place in each.runs:
            value, low, high = each.value(place)
            what += f"{value:.2f} ({low:.2f} - {high:.2f}) {unit}"
        else:
            what += each.unmeasured[place]
        if each.best:
            what += f" | best {each.value(each.best)[0]:.2f} at BS {each.best[0]} CPI {each.best[1]}"
        more = max(0, self._foreseen(each) - len(rest))
        more += sum(self._foreseen(one) for one in self._outcomes[self._outcomes.index(each) + 1:])
        left_s = outlook.seconds_left(self._took, [batch for batch, _ in rest], more)
        total = self._measured + len(rest) + more
        print(outlook.line(self._measured, total, certain, what, left_s), flush=True)

    def _foreseen(self, each: Outcome) -> int:
        """About how many points of a precision are still to be searched."""
        if len(self._finished) > self._outcomes.index(each):
            return 0
        usual = max(self._finished, default=len(wanted(each.grid, {})) + _USUALLY_MORE)
        return max(0, (len(each.grid.places()) if each.grid.every else usual) - len(each.scores))
