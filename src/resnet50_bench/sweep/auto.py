"""A case with BATCH_SIZE=auto or CORES_PER_INSTANCE=auto -> the same with the best numbers for this machine.

What a whole sweep or an earlier search found is remembered beside the prepared models; else a short search
measures a few points first. It is a sweep in a folder of its own there, so one that was ended goes on.
"""

from __future__ import annotations

from pathlib import Path

from ..case.case import AnyCase, Case, Layer, UndecidedCase
from ..case.defaults import Machine
from ..case.parameters import AUTO, SEARCHED
from ..errors import BadInput, RunFailed
from ..launch.surroundings import Surroundings
from . import best, sweep
from .axes import axes
from .known_points import KnownPoints
from .observer import SweepObserver

_BATCHES = "1 4 16 64"
#: How a point of the search is measured, whatever the case itself asks for.
_SHORT = {"STEPS": "4", "WARMUP_STEPS": "2", "MIN_DURATION": "1", "FAIL_ON_NOISY": "False", "VERBOSE": "False",
          "CASE_TYPE": ""}


def decided(case: AnyCase, machine: Machine, python: Path, surroundings: Surroundings, observer: SweepObserver) -> Case:
    """``case`` with numbers. Raises BadInput where it measures no speed, RunFailed where no point could be measured."""
    if isinstance(case, Case):
        return case
    sought = case.sought
    if case.accuracy or case.training:
        raise BadInput(f"{sought[0]}=auto is not supported with FUNCTION={case.function} MODE={case.mode}: give a "
                       "number")
    if case.queries_per_s:
        raise BadInput(f"{sought[0]}=auto is not supported with TARGET_QPS={case.queries_per_s:g}: the search looks "
                       f"for the highest rate. Leave TARGET_QPS out, or give {sought[0]} as a number")
    path = best.file_for(case, sought, machine, python)
    point = best.read(path)
    how = f"known since {point.found_at}" if point else ""
    if not point:
        if surroundings.burst > 1:
            raise BadInput(f"{sought[0]}=auto with --burst: the search needs the cores alone; run the case once before")
        observer.search_begins(case)
        point = best.write(path, _search(case, machine, path.with_suffix(""), python, surroundings, observer))
        how = f"of a search of {point.points} points"
    names = ", ".join(f"{name}: auto is {point.numbers[name]}" for name in sought)
    return case.decided(point.numbers, f"{names}, the best {how} ({point.value:.2f} {point.unit}; {path})")


def _search(case: UndecidedCase, machine: Machine, folder: Path, python: Path, surroundings: Surroundings,
            observer: SweepObserver) -> KnownPoints:
    texts = case.texts()
    wanted = {"PRECISION": case.precision} | {name: texts[name] for name in SEARCHED if texts[name] != AUTO}
    wanted.setdefault("BATCH_SIZE", _BATCHES)
    rest = {name: text for name, text in texts.items() if name not in (*_SHORT, *SEARCHED, "PRECISION")}
    planned = axes([Layer("auto", wanted), Layer("auto", _SHORT), Layer("case", rest)], machine)
    best.make_folder(folder)
    state = sweep.begin(folder, planned, machine, lambda stack: python, surroundings)
    sweep.search(state, observer)
    points, = state.precisions
    if not points.best:
        raise RunFailed(f"auto: no point could be measured: {points.why_none()}")
    return points
