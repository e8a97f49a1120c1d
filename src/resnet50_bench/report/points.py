"""Results enter; repeated runs as points with intervals, what lies on one curve, and single steps' times leave."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..case.parameters import SEARCHED, Role, having
from ..errors import BadInput
from ..history import comparability
from ..history.collection import Entry, restarts
from ..result.comparison_stats import interval_of_means, ratio_interval
from ..result.kpi import KPIS, finite
from ..result.result import read
from ..result.stats import common_window

#: Effort does not set apart what is measured.
_EFFORT = (*having(Role.EFFORT), "CASE_TYPE")
#: What a curve runs over, and what follows from it.
_OVER = (*SEARCHED, "instances", "cpus_per_instance")
#: A file with the steps of a whole day would take longer to read than all others.
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True)
class Point:
    """Runs of one and the same thing, the newest first; ``low`` and ``high`` are its 95 % interval, if there is one."""

    entries: tuple[Entry, ...]
    value: float
    low: float | None
    high: float | None
    source: str

    @cached_property
    def facts(self) -> dict[str, str]:
        """The key as text."""
        return {name: str(value) for name, value in comparability.key(self.entries[0].result).items()}

    @property
    def kpi(self) -> tuple[str, str]:
        """(name, unit)."""
        name, unit, _ = self.entries[0].primary or ("", "", 0)
        return name, unit

    @property
    def noisy(self) -> bool:
        """Whether any of its runs is."""
        return any(entry.verdict == "noisy" for entry in self.entries)

    @property
    def batch(self) -> int:
        """Images in a step; 0 where the result does not say."""
        return _whole(self.facts.get("BATCH_SIZE"))

    @property
    def cores(self) -> int:
        """Cores of an instance; 0 where the result does not say."""
        return _whole(self.facts.get("CORES_PER_INSTANCE"))


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def points(entries: Iterable[Entry]) -> list[Point]:
    """The usable results by what must be equal to compare them; the mean of repeated runs is their value."""
    found: dict[tuple[tuple[str, str], ...], list[Entry]] = {}
    for entry in entries:
        if entry.primary:
            key = tuple(sorted((name, str(value)) for name, value in comparability.key(entry.result).items()))
            found.setdefault(key, []).append(entry)
    return [_point(runs) for runs in found.values()]


def _point(runs: Sequence[Entry]) -> Point:
    counted = restarts(runs)
    values = [entry.primary[2] for entry in counted if entry.primary]
    mean = math.fsum(values) / len(values)
    between = interval_of_means(values)
    if between:
        return Point(tuple(runs), mean, max(0.0, between[0]), between[1], f"between {len(values)} runs")
    low, high = interval(counted[0]) or (None, None)
    return Point(tuple(runs), mean, low, high, "within one run" if low is not None else "one run, without an interval")


def interval(entry: Entry) -> tuple[float, float] | None:
    """The 95 % interval of one result's primary KPI; a latency's is relatively as wide as its throughput's."""
    found = entry.result.statistics.throughput_ci95
    if not entry.primary or not found:
        return None
    low, high = map(finite, found)
    if low is None or high is None or not 0 <= low <= high or not high:
        return None
    name, _, value = entry.primary
    if name == KPIS["throughput"].name:
        return low, high
    half = (high - low) / (high + low)
    return value * (1 - half), value * (1 + half)


def best(found: Iterable[Point]) -> list[tuple[Point, int, int]]:
    """For each CPU, MODE and PRECISION (the point with the best value, how many others there are, how many of them
    its restarts are told from).

    By the interval of their ratio; as all others are looked at, each has its share of the 5 % error (Bonferroni).
    One restart tells nothing.
    """
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in found:
        groups.setdefault(tuple(point.facts.get(name, "") for name in ("cpu", "MODE", "PRECISION")), []).append(point)
    made = []
    for _, inside in sorted(groups.items()):
        winner = inside[0]
        for point in inside:
            winner = point if is_better(point, winner) else winner
        level = 1 - 0.05 / max(1, len(inside) - 1)
        told = sum(_apart(winner, point, level) for point in inside if point is not winner)
        made.append((winner, len(inside) - 1, told))
    return made


def _apart(point: Point, other: Point, level: float) -> bool:
    mine, others = ([entry.primary[2] for entry in restarts(each.entries) if entry.primary] for each in (point, other))
    if min(*mine, *others) <= 0:  # an accuracy of nought has no logarithm
        return False
    _, low, high = ratio_interval(mine, others, level)
    return low is not None and high is not None and not low <= 1 <= high


def is_better(point: Point, other: Point) -> bool:
    """By the primary KPI."""
    return (point.value < other.value) == (point.kpi[0] == KPIS["latency"].name) and point.value != other.value


def grids(found: Iterable[Point]) -> list[tuple[str, list[Point]]]:
    """[(what it is, points that differ in batch size and cores only)], of those that have several such points."""
    groups: dict[tuple[tuple[str, str], ...], list[Point]] = {}
    for point in found:
        key = tuple((name, value) for name, value in sorted(point.facts.items()) if name not in (*_EFFORT, *_OVER))
        groups.setdefault(key, []).append(point)
    several = {key: list(_one_each(inside)) for key, inside in groups.items()}
    several = {key: inside for key, inside in several.items() if len(inside) > 1}
    differing = {name for key in several for name, value in key
                 if any(dict(other).get(name) != value for other in several)} - {"PRECISION", "MODE"}
    named = [(" · ".join(filter(None, (dict(key).get("PRECISION"), dict(key).get("MODE"),
                                       *(f"{name} {value or '(empty)'}" for name, value in key if name in differing)))),
              inside) for key, inside in several.items()]
    return sorted(named, key=lambda each: each[0])


def _one_each(inside: Sequence[Point]) -> Iterable[Point]:
    """One point for each batch size and number of cores: the one with the most runs, then the newest."""
    kept: dict[tuple[int, int], Point] = {}
    for point in inside:
        place = point.batch, point.cores
        if all(place) and (place not in kept or len(point.entries) > len(kept[place].entries)):
            kept[place] = point
    return kept.values()


def newest(entries: Iterable[Entry], count: int) -> tuple[list[Entry], int]:
    """(the newest usable result of each of the ``count`` cases that ran last, how many cases were left out)."""
    kept: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.primary:
            kept.setdefault((entry.case, str(entry.result.system.cpu)), entry)
    return list(kept.values())[:count], max(0, len(kept) - count)


def step_times(entry: Entry) -> list[float]:
    """Every step's time in ms within the window common to all instances. Raises BadInput where there are none."""
    try:
        size = entry.path.stat().st_size
        if size > _LARGEST_BYTES:
            raise BadInput(f"{entry.path} has {size >> 20} MiB: its single steps are not shown")
        runs = read(entry.path).runs()
        begins, ends = [run.starts_ns for run in runs], [run.ends_ns for run in runs]
        first, last, _ = common_window([times[0] for times in begins], [times[-1] for times in ends])
        found = [(end - begin) / 1e6 for mine, others in zip(begins, ends, strict=True)
                 for begin, end in zip(mine, others, strict=True) if begin >= first and end <= last]
    except (OSError, ValueError, IndexError) as error:
        raise BadInput(f"{entry.path}: its single steps cannot be read ({type(error).__name__}: {error})") from error
    if not found or min(found) < 0:
        raise BadInput(f"{entry.path} holds no steps in the window common to all instances")
    return found
