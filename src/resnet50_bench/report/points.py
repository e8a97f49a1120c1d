"""Results -> repeated runs as points with intervals, the best points, and the points of each curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..case.parameters import SEARCHED, Role, having
from ..history import comparability
from ..history.collection import Entry, restarts, values
from ..result.comparison_stats import interval_of_means, ratio_interval
from ..result.kpi import KPIS, Kpi, finite

#: In what the points of one grid may differ: effort, which does not set apart what is measured; what a curve runs over,
#: and what follows from it.
_APART = (*having(Role.EFFORT), "CASE_TYPE", *SEARCHED, "instances", "cpus_per_instance")
#: The best is looked for among points that have these in common.
_BEST_OF = ("cpu", "MODE", "PRECISION", "LATENCY_BOUND_MS", "LATENCY_PERCENTILE")
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Point:
    """Repeated runs of one configuration, the newest first. ``low`` and ``high`` are its 95 % interval, if any.

    ``facts``: its comparability key as text.
    """

    entries: tuple[Entry, ...]
    facts: Mapping[str, str]
    value: float
    low: float | None
    high: float | None
    source: str

    @property
    def kpi(self) -> Kpi:
        """The primary KPI."""
        return KPIS[self.entries[0].mode]

    @property
    def noisy(self) -> bool:
        """Whether any of its runs is noisy."""
        return any(entry.verdict == "noisy" for entry in self.entries)

    @property
    def batch(self) -> int:
        """Images in a step. 0 if unknown."""
        return _whole(self.facts.get("BATCH_SIZE"))

    @property
    def cores(self) -> int:
        """Cores of an instance. 0 if unknown."""
        return _whole(self.facts.get("CORES_PER_INSTANCE"))


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def points(entries: Iterable[Entry]) -> list[Point]:
    """Group the usable results by comparability key. The value of a point is the mean of its repeated runs."""
    groups: dict[Key, list[Entry]] = {}
    for entry in entries:
        if entry.primary:
            key = tuple(sorted((name, str(value)) for name, value in comparability.key(entry.result).items()))
            groups.setdefault(key, []).append(entry)
    return [_point(tuple(runs), dict(key)) for key, runs in groups.items()]


def _point(runs: tuple[Entry, ...], facts: Mapping[str, str]) -> Point:
    counted = restarts(runs)
    measured = values(counted)
    mean = math.fsum(measured) / len(measured)
    if between := interval_of_means(measured):
        return Point(runs, facts, mean, max(0.0, between[0]), between[1], f"between {len(measured)} runs")
    low, high = interval(counted[0]) or (None, None)
    return Point(runs, facts, mean, low, high, "within one run" if low is not None else "one run, without an interval")


def interval(entry: Entry) -> tuple[float, float] | None:
    """The 95 % interval of one result's primary KPI; a latency's is relatively as wide as its throughput's."""
    bounds = entry.result.statistics.throughput_ci95
    if not entry.primary or not bounds:
        return None
    low, high = map(finite, bounds)
    if low is None or high is None or not 0 <= low <= high or not high:
        return None
    name, _, value = entry.primary
    if name == KPIS["throughput"].name:
        return low, high
    half = (high - low) / (high + low)
    return value * (1 - half), value * (1 + half)


def best(every: Iterable[Point]) -> list[tuple[Point, int, int]]:
    """For each CPU, MODE, PRECISION and bound of MODE=server: (the best point, the number of others, how many of them
    differ from it by more than restarts do).

    By the interval of their ratio; as all others are looked at, each has its share of the 5 % error (Bonferroni).
    One restart tells nothing.
    """
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in every:
        groups.setdefault(tuple(point.facts.get(name, "") for name in _BEST_OF), []).append(point)
    rows = []
    for _, inside in sorted(groups.items()):
        winner, others = leader(inside), len(inside) - 1
        told = sum(_apart(winner, point, 1 - 0.05 / max(1, others)) for point in inside if point is not winner)
        rows.append((winner, others, told))
    return rows


def leader(every: Iterable[Point]) -> Point:
    """The point with the best primary KPI. Of equal points, the first."""
    return max(every, key=lambda point: point.kpi.sign * point.value)


def _apart(point: Point, other: Point, level: float) -> bool:
    mine, others = (values(restarts(side.entries)) for side in (point, other))
    if min(*mine, *others) <= 0:  # an accuracy of nought has no logarithm
        return False
    bounds = ratio_interval(mine, others, level).ci
    return bounds is not None and not bounds[0] <= 1 <= bounds[1]


def grids(every: Iterable[Point]) -> list[tuple[str, list[Point]]]:
    """[(what it is, points that differ in batch size and cores only)], of those that have several such points.

    One point for each batch size and number of cores: the one with the most runs, then the newest.
    """
    groups: dict[Key, dict[tuple[int, int], Point]] = {}
    for point in every:
        key = tuple((name, value) for name, value in point.facts.items() if name not in _APART)
        inside, place = groups.setdefault(key, {}), (point.batch, point.cores)
        if all(place) and (place not in inside or len(point.entries) > len(inside[place].entries)):
            inside[place] = point
    several = [(dict(key), list(inside.values())) for key, inside in groups.items() if len(inside) > 1]
    differing = {name for facts, _ in several for name, value in facts.items()
                 if any(other.get(name) != value for other, _ in several)} - {"PRECISION", "MODE"}
    return sorted(((" · ".join(filter(None, (facts.get("PRECISION"), facts.get("MODE"), *(
        f"{name} {value or '(empty)'}" for name, value in facts.items() if name in differing)))), inside)
        for facts, inside in several), key=lambda named: named[0])
