"""How long points took -> how long others will take; and a line that says where a sweep stands; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import StatisticsError, fmean, linear_regression

from .known_points import KnownPoints
from .record import PointRun
from .search import Place, wanted

_BAR = 20
#: What a search of a grid measures beyond its coarse points, before any search has told.
_USUALLY_MORE = 6


@dataclass(frozen=True)
class Standing:
    """``done`` of ``total`` points; the total is ``certain`` or a guess; ``left_s`` None while nothing is known."""

    done: int
    total: int
    certain: bool
    left_s: float | None


@dataclass(frozen=True)
class Pace:
    """Of this time: ``took`` is (batch size, seconds) of each point that was searched, ``restarts_s`` of each restart.
    ``searched``: how many points were known of each precision whose search has ended, in their order."""

    took: list[tuple[int, float]] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    searched: list[int] = field(default_factory=list)

    def foreseen(self, index: int, points: KnownPoints) -> int:
        """About how many points of the precision number ``index`` are still to be searched."""
        if index < len(self.searched):
            return 0
        usual = max(self.searched, default=len(wanted(points.grid, {})) + _USUALLY_MORE)
        return max(0, (len(points.grid.places()) if points.grid.every else usual) - len(points.scores))

    def standing(self, rest: Sequence[Place], more: int, restarts: int, certain: bool) -> Standing:
        """Where a sweep stands that still searches the places ``rest`` and ``more`` others, and then restarts some."""
        done = len(self.took) + len(self.restarts_s)
        search_s = seconds_left(self.took, [batch for batch, _ in rest], more) if rest or more else 0.0
        restart_s = self._restart_s()
        known = search_s is not None and (restart_s is not None or not restarts)
        left_s = (search_s or 0.0) + restarts * (restart_s or 0.0) if known else None
        return Standing(done, done + len(rest) + more + restarts, certain and not restarts, left_s)

    def _restart_s(self) -> float | None:
        """How long a restart takes: before the first one, as long as the longest point, which started its workers."""
        if self.restarts_s:
            return fmean(self.restarts_s)
        return max((seconds for _, seconds in self.took), default=None)


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


def step_seconds(place: Place, measured: Iterable[tuple[Place, PointRun]]) -> float | None:
    """How long a step of ``place`` will take by the nearest point's images a second of a core; None without any."""
    batch, cores = place
    known = [(at, run) for at, run in measured if run.images_per_s > 0]
    if not known:
        return None
    (_, near_cores), run = min(known, key=lambda pair: (abs(pair[0][1] - cores), abs(pair[0][0] - batch)))
    return batch / (run.images_per_s / run.instances / near_cores * cores)


def line(standing: Standing, text: str) -> str:
    """``[#####...............] 5 of about 20 | ... | about 2:10 left``."""
    done, total, left_s = standing.done, standing.total, standing.left_s
    filled = round(_BAR * done / max(1, total))
    clock = f" | about {int(left_s) // 60}:{int(left_s) % 60:02d} left" if left_s and done < total else ""
    about = "" if standing.certain else "about "
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done} of {about}{total} | {text}{clock}"
