"""Points and results enter; what each chart shows leaves, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ..history.collection import Entry
from ..machine.topology import format_cpulist
from ..result.facts import PlacedInstance
from ..result.kpi import KPIS, finite, step_ms
from ..result.stats import percentile
from .markup import plural, short
from .palette import STEPS
from .points import Point, is_better

#: So many maps, and cases in detail, are drawn; a detail costs reading a file with all its step times.
PANELS, DETAILED = 24, 8
SIGNS = "The star is the best value of the map, ≈ a noisy one."
STEP_TIME, STEP_COUNT, NODE_COUNT, RATE = "step time (ms)", "steps", "nodes", "samples/sec"
EARLY, AS_BEFORE, BETTER, WORSE, NOISY = "too few before it", "as before", "better", "worse", "as before, noisy"
#: kind of an occasion -> (colour, shape)
KINDS = {EARLY: ("c7", "circle"), AS_BEFORE: ("c0", "circle"), BETTER: ("good", "triangle-up"),
         WORSE: ("bad", "triangle-down"), NOISY: ("warn", "square")}
#: An instance this much below the median is pointed at.
_SLOW = -0.05
_BINS = (8, 40)


@dataclass(frozen=True)
class Mark:
    """A point of a line; ``low`` and ``high`` are its interval."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curves:
    """A line for each series of (name, marks); the axes' names hold their units.

    ``doubling``: x runs over powers of two; ``from_zero``: y begins there.
    """

    title: str
    x_name: str
    y_name: str
    series: Sequence[tuple[str, Sequence[Mark]]]
    doubling: bool = True
    from_zero: bool = True


@dataclass(frozen=True)
class Cell:
    """A place of a heat map: 0 is the worst ``level`` of it, ``STEPS - 1`` the best; ``source`` says whence it is."""

    text: str
    level: int
    source: str


@dataclass(frozen=True)
class HeatMap:
    """``cells`` by (batch size, cores per instance); a place that was not measured has none."""

    title: str
    caption: str
    batches: Sequence[int]
    cores: Sequence[int]
    cells: Mapping[tuple[int, int], Cell]


@dataclass(frozen=True)
class Histogram:
    """``counts`` in bins of equal width from ``low`` to ``high``; ``beyond`` are longer; ``unit`` is the values'."""

    title: str
    caption: str
    low: float
    high: float
    counts: Sequence[int]
    marks: Mapping[str, float]
    beyond: int = 0
    unit: str = "ms"
    x_name: str = STEP_TIME
    y_name: str = STEP_COUNT


@dataclass(frozen=True)
class Instance:
    """Where an instance ran and how fast (images/s); ``away`` from the median of all, as a share."""

    index: int
    cpus: str
    nodes: str
    rate: float | None
    away: float | None
    latency: tuple[float | None, float | None]

    @property
    def slow(self) -> bool:
        """Whether it is to be pointed at."""
        return self.away is not None and self.away < _SLOW


@dataclass(frozen=True)
class Occasion:
    """One logs folder's value of a KPI; ``low`` and ``high`` are its iterations' least and most.

    ``limits``: between which the gate expects it, None where too few earlier ones are there; ``kind`` is one of KINDS.
    """

    value: float
    low: float
    high: float
    runs: int
    started_at: str
    label: str
    kind: str
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Timeline:
    """``occasions`` of one thing on one machine, the oldest first; the axes' names say what their labels are."""

    title: str
    caption: str
    x_name: str
    y_name: str
    occasions: Sequence[Occasion]

    @property
    def kinds(self) -> Mapping[str, tuple[str, str]]:
        """Those of KINDS that there are."""
        return {kind: look for kind, look in KINDS.items() if any(each.kind == kind for each in self.occasions)}


@dataclass(frozen=True)
class Ratio:
    """By how many percent ``b`` differs from ``a``, with the 95 % interval; ``kind`` is better, worse or none."""

    a: str
    b: str
    change: float
    low: float | None
    high: float | None
    kind: str


def curves(name: str, inside: Sequence[Point]) -> Curves:
    """Over batch sizes with a line for each number of cores; over cores where there is one batch size."""
    kpi, unit = inside[0].kpi
    by_batch = len({point.batch for point in inside}) > 1
    lines: dict[int, list[Mark]] = {}
    for point in sorted(inside, key=lambda point: (point.cores, point.batch)):
        x, group = (point.batch, point.cores) if by_batch else (point.cores, point.batch)
        lines.setdefault(group, []).append(Mark(x, point.value, point.low, point.high))
    series = [(f"{group} cores an instance" if by_batch and group > 1 else "1 core an instance" if by_batch
               else f"batch {group}", marks) for group, marks in sorted(lines.items())]
    return Curves(f"{kpi} of {name}", "batch size" if by_batch else "cores per instance", f"{kpi} ({unit})", series)


def heat_map(name: str, inside: Sequence[Point]) -> HeatMap:
    """Every point of ``inside`` at its batch size and cores."""
    kpi, unit = inside[0].kpi
    winner = inside[0]
    for point in inside:
        winner = point if is_better(point, winner) else winner
    low, high = min(point.value for point in inside), max(point.value for point in inside)

    def cell(point: Point) -> Cell:
        share = (point.value - low) / (high - low) if high > low else 1.0
        interval = f"{short(point.low)} to {short(point.high)}, " if point.low is not None else ""
        goodness = 1 - share if kpi == KPIS["latency"].name else share
        return Cell(f"{short(point.value)}{' ★' if point is winner else ''}{' ≈' if point.noisy else ''}",
                    round(goodness * (STEPS - 1)), f"{interval}{point.source}")

    return HeatMap(f"Heat map of {name}", f"{kpi} ({unit}): batch size down, cores per instance across",
                   sorted({point.batch for point in inside}), sorted({point.cores for point in inside}),
                   {(point.batch, point.cores): cell(point) for point in inside})


def histogram(name: str, values: Sequence[float]) -> Histogram:
    """How often which step time in ms occurred, with percentiles; the few longest are counted in words."""
    ordered = sorted(values)
    low, shown = ordered[0], _shown_up_to(ordered)
    beyond = sum(value > shown for value in ordered)
    width = (shown - low) or max(low * 0.01, 1e-6)
    counts = _counts(ordered[:len(ordered) - beyond], low, width)
    tail = f"; not drawn: {plural(beyond, 'step')} above {short(shown)} ms" if beyond else ""
    return Histogram(f"Step times of {name}",
                     f"Step times of {plural(len(ordered), 'step')}, longest {short(ordered[-1])} ms{tail}",
                     low, low + width, counts,
                     {f"P{p}": percentile(ordered, p) for p in (50, 90, 99) if len(ordered) >= 100 / (100 - p)}, beyond)


def _counts(ordered: Sequence[float], low: float, width: float) -> list[int]:
    counts = [0] * min(_BINS[1], max(_BINS[0], math.ceil(math.sqrt(len(ordered)))))
    for value in ordered:
        counts[min(len(counts) - 1, int((value - low) / width * len(counts)))] += 1
    return counts


def nodes_kpi(unit: str) -> str:
    """The name of the KPI that nodes are compared by."""
    return next((kpi.name for kpi in KPIS.values() if kpi.unit == unit), "KPI")


def nodes_histogram(case: str, kpi: str, unit: str, values: Sequence[float], threshold: float | None) -> Histogram:
    """How many nodes are how fast, with the median and, where there is one, the border of outliers on both sides."""
    ordered, middle = sorted(values), median(values)
    marks = {"median": middle}
    if threshold is not None:
        marks = {"outlier below": middle * (1 - threshold), **marks, "outlier above": middle * (1 + threshold)}
    low, high = min(ordered[0], *marks.values()), max(ordered[-1], *marks.values())
    width = (high - low) or max(low * 0.01, 1e-6)
    return Histogram(f"{kpi} of the nodes, {case}", f"{kpi} of {plural(len(ordered), 'node')}", low, low + width,
                     _counts(ordered, low, width), marks, 0, unit, f"{kpi} ({unit})", NODE_COUNT)


def _shown_up_to(ordered: Sequence[float]) -> float:
    """Where the axis ends: a single step of ten times the median must not squeeze all others into one bar."""
    middle, late = percentile(ordered, 50), percentile(ordered, 95)
    return min(ordered[-1], middle + 4 * max(late - middle, 0.02 * middle))


def instances(entry: Entry) -> list[Instance]:
    """Every instance that the result places, by number."""
    measured = {each.instance: each for each in entry.result.statistics.instances}
    placed = entry.result.placement.instances()
    known = [rate for each in placed if each.instance in measured
             and (rate := finite(measured[each.instance].throughput_images_per_s)) is not None]
    middle = median(known) if known else 0.0

    def instance(place: PlacedInstance) -> Instance:
        found = measured.get(place.instance)
        rate, latency = (finite(found.throughput_images_per_s), found.latency_ms) if found else (None, None)
        return Instance(place.instance, format_cpulist(place.cpus), ", ".join(map(str, place.nodes)), rate,
                        rate / middle - 1 if rate is not None and middle and len(known) > 1 else None,
                        (step_ms(latency, "50"), step_ms(latency, "99")))

    return [instance(place) for place in placed]
