"""Axes -> points measured by warm workers into a folder, and the best of them. One that was ended goes on there."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ..case import inputs
from ..case.defaults import Machine
from ..case.inputs import Inputs
from ..case.parameters import SEARCHED
from ..errors import DoesNotFit, Infrastructure, RunFailed
from ..launch.launcher import Session
from ..launch.run_case import run_case
from ..launch.surroundings import Surroundings
from ..machine.cpu import require_real
from ..result.result import FRESH, WARM
from . import best, outlook, record, tables
from .axes import Axes
from .known_points import KnownPoints
from .observer import SweepObserver
from .search import Grid, Place, duel, turns_foreseen, wanted

TABLE, BEST = "sweep.txt", "best.yaml"
#: A search leaves out points whose single step takes longer than this: they take minutes and are hardly ever the best.
MOST_STEP_S = 15.0


@dataclass(frozen=True)
class State:
    """A sweep's folder, what measures in it (for each precision its Python), what is known of each precision, and how
    long this time's points took."""

    folder: Path
    machine: Machine
    pythons: Mapping[str, Path]
    inputs: Inputs
    surroundings: Surroundings
    precisions: list[KnownPoints]
    pace: outlook.Pace = field(default_factory=outlook.Pace)

    @property
    def known_runs(self) -> int:
        """How many runs there are of all points."""
        return sum(len(runs) for points in self.precisions for runs in points.runs.values())


@dataclass(frozen=True)
class Step:
    """A place to measure now, those after it of which is known that they are wanted, and whether those are all."""

    points: KnownPoints
    place: Place
    rest: list[Place]
    certain: bool


def begin(folder: Path, planned: Axes, machine: Machine, python_of: Callable[[str | None], Path],
          surroundings: Surroundings) -> State:
    """The state that the folder's results give. ``python_of``: what measures, by the stack that a case has chosen.

    Raises BadInput for results of another CPU, and on a CPU whose AMX is emulated.
    """
    require_real(machine.cpu)
    known = record.runs(folder, machine.cpu.name)
    stacks = {precision: case.stack for (precision, _), case in planned.cases.items()}
    pythons = {precision: python_of(stack) for precision, stack in stacks.items()}
    return State(folder, machine, pythons, inputs.find(next(iter(planned.cases.values()))), surroundings,
                 [_points(planned, precision, grid, known) for precision, grid in planned.grids.items()])


def _points(planned: Axes, precision: str, grid: Grid,
            known: Mapping[record.Key, list[record.PointRun]]) -> KnownPoints:
    cases = {place: case for (name, place), case in planned.cases.items() if name == precision}
    runs = {place: list(known[key]) for place, case in cases.items() if (key := record.key_of(case)) in known}
    return KnownPoints(precision, grid, cases, runs)


def run(state: State, observer: SweepObserver, remember: bool) -> None:
    """Search, decide between the last rivals, and leave the tables; ``remember`` the best for cases with ``auto``.

    Raises RunFailed for a precision without a best.
    """
    try:
        search(state, observer)
        decide(state, observer)
    finally:
        (state.folder / TABLE).write_text(tables.ending(state.precisions))
        (state.folder / BEST).write_text(tables.config(state.precisions))
    for points in state.precisions:
        if remember and points.best:
            case = points.cases[points.best]
            best.write(best.file_for(case, SEARCHED, state.machine, state.pythons[points.precision]), points)
    observer.ended(state.precisions, state.folder / TABLE, state.folder / BEST)
    lacking = [points for points in state.precisions if not points.best]
    if lacking:
        raise RunFailed("; ".join(f"no point of {points.precision} could be measured: {points.why_none()}"
                                  for points in lacking))


def search(state: State, observer: SweepObserver) -> None:
    """Measure what is wanted of each precision, by workers that stay."""
    if state.known_runs:
        observer.known_before(state.known_runs)
    with Session() as session:
        for points in state.precisions:
            for step in _search_steps(points):
                _measure(state, step, session, WARM, observer)
                _tell(state, step, observer)
            state.pace.searched.append(len(points.scores))


def decide(state: State, observer: SweepObserver) -> None:
    """Between the last rivals of each precision, by fresh processes that take turns."""
    for points in state.precisions:
        if rivals := duel(points.scores, points.unmeasured):
            observer.duel_begins(points, sorted(rivals))
        for step in _duel_steps(points):
            with Session() as session:
                _measure(state, step, session, FRESH, observer)
            _tell(state, step, observer)


def _search_steps(points: KnownPoints) -> Iterator[Step]:
    while places := wanted(points.grid, points.scores):
        for number, place in enumerate(places, start=1):
            if not _leave_out(points, place):
                yield Step(points, place, places[number:], points.grid.every)


def _duel_steps(points: KnownPoints) -> Iterator[Step]:
    while places := duel(points.scores, points.unmeasured):
        for number, place in enumerate(places, start=1):
            yield Step(points, place, places[number:], False)


def _leave_out(points: KnownPoints, place: Place) -> bool:
    """Whether the place is left out of a search, for its step would take too long; why is noted."""
    step_s = outlook.step_seconds(place, ((at, run) for at, runs in points.runs.items() for run in runs))
    if points.grid.every or step_s is None or step_s <= MOST_STEP_S:
        return False
    points.unmeasured[place] = f"left out: a step would take about {step_s:.0f} s (name BATCH_SIZE to measure it)"
    return True


def _measure(state: State, step: Step, session: Session, workers: str, observer: SweepObserver) -> None:
    """Run the point once more and keep what came of it; only a failure of the point itself lets the sweep go on."""
    points, place = step.points, step.place
    case = points.cases[place]
    folder = record.new_folder(state.folder, case)
    began = time.monotonic()
    try:
        result = run_case(case, state.inputs, state.machine.topology, state.pythons[points.precision], folder,
                          datetime.now(timezone.utc), state.surroundings, session.launch, io.StringIO(), workers,
                          lambda line: observer.tried(case, line))
        points.add(place, record.run_of(result))
    except (RunFailed, DoesNotFit) as error:
        points.unmeasured[place] = f"failed: {str(error).splitlines()[0]}"
    except OSError as error:
        raise Infrastructure(f"{folder}: {error}") from error
    seconds = time.monotonic() - began
    if workers == WARM:
        state.pace.took.append((place[0], seconds))
    else:
        state.pace.restarts_s.append(seconds)


def _tell(state: State, step: Step, observer: SweepObserver) -> None:
    own, searched = state.precisions.index(step.points), len(state.pace.searched)
    restarts = [turns_foreseen(points.grid, points.scores, points.unmeasured, index >= searched)
                for index, points in enumerate(state.precisions)]
    rest, more = step.rest, 0
    if searched == len(state.precisions):  # what is left is restarts
        rest = []
    else:
        later = state.precisions[own + 1:]
        more = max(0, state.pace.foreseen(own, step.points) - len(rest))
        more += sum(state.pace.foreseen(index, points) for index, points in enumerate(later, start=own + 1))
    observer.measured(step.points, step.place, state.pace.standing(rest, more, sum(restarts), step.certain))
