"""How long points took -> how long others will take; and a line that says where a sweep stands; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import StatisticsError, fmean, linear_regression

from .record import Run
from .search import Place

_BAR = 20


def seconds_left(took: Sequence[tuple[int, float]], batches: Iterable[int], others: float) -> float | None:
    """What points of these ``batches`` and ``others`` more will take by ``took``: (batch size, seconds) of points.

    A point's time grows with its batch size, from what it costs in any case. None while nothing is known.
    """
    if not took:
        return None
    mean = fmean(seconds for _, seconds in took)
    try:
        line = linear_regression([batch for batch, _ in took], [seconds for _, seconds in took])
    except StatisticsError:  # one point, or one batch size only
        return mean * (len(list(batches)) + others)
    return sum(max(0.5, line.intercept + line.slope * batch) for batch in batches) + mean * others


def step_seconds(place: Place, measured: Iterable[tuple[Place, Run]]) -> float | None:
    """How long a step of ``place`` will take by the nearest point's images a second of a core; None without any."""
    batch, cores = place
    known = [(at, run) for at, run in measured if run.images_per_s > 0]
    if not known:
        return None
    (_, near_cores), run = min(known, key=lambda each: (abs(each[0][1] - cores), abs(each[0][0] - batch)))
    return batch / (run.images_per_s / run.instances / near_cores * cores)


def line(done: int, total: int, certain: bool, text: str, left_s: float | None) -> str:
    """``[#####...............] 5 of about 20 | ... | about 2:10 left``; the total of a search is not ``certain``."""
    filled = round(_BAR * done / max(1, total))
    clock = f" | about {int(left_s) // 60}:{int(left_s) % 60:02d} left" if left_s and done < total else ""
    about = "" if certain else "about "
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done} of {about}{total} | {text}{clock}"
