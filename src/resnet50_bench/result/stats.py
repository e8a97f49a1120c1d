"""Step times of a run -> descriptive statistics and confidence intervals. Every function is pure.

Names of times contain their unit. Functions without a unit in a name use the unit of their values.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import NormalDist, median

import msgspec

PERCENTILES = (50, 90, 95, 99, 99.9)

MOST_SLICES = 10            # Schmeiser (1982): 10 to 30. Fewer slices are longer and less correlated.
SLICE_STEPS = 2             # each slice has at least this many steps of each instance ...
LEAST_STEPS = 4             # ... so fewer steps do not give two slices
MAD_TO_SIGMA = 0.6745       # the MAD of a normal distribution is 0.6745 sigma
OUTLIER_SCORE = 3.5         # Iglewicz & Hoaglin (1993)
OUTLIER_EXCESS = 0.10       # a tiny MAD must not turn harmless steps into outliers
OUTLIER_INDICES = 20
DRIFT_BLOCKS = 100          # Theil-Sen uses every pair: 100 blocks are 4 950 pairs
DRIFT_MINIMUM = 10
DRIFT_ALPHA = 0.01


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Description of a sample, in the unit of its values. cv has no unit. None: unknown."""

    count: int
    mean: float
    median: float
    stdev: float | None
    cv: float | None
    min: float
    max: float
    percentiles: dict[str, float]


class SlowSteps(msgspec.Struct, frozen=True):
    """Outlying steps. ``cost``: their time above the median as a share of the total. ``steps``: the first few."""

    count: int
    cost: float
    worst_step: int | None
    worst_ms: float | None
    steps: tuple[int, ...]


class Drift(msgspec.Struct, frozen=True):
    """Change of the fitted line from first to last value, relative to the median (0.02 is +2 %)."""

    relative: float
    significant: bool


def percentile(sorted_values: Sequence[float], p: float) -> float:
    """The p-th percentile (p in 0..100) of ascending values, in their unit.

    Linear interpolation between closest ranks: Hyndman & Fan (1996), type 7. ValueError for no values or a wrong p.
    """
    if not sorted_values:
        raise ValueError("no values")
    if not 0 <= p <= 100:
        raise ValueError(f"percentile {p} is not in 0..100")
    rank = (len(sorted_values) - 1) * p / 100
    low = math.floor(rank)
    lower, upper = sorted_values[low], sorted_values[min(low + 1, len(sorted_values) - 1)]
    return float(min(upper, lower + (upper - lower) * (rank - low)))  # rounding must not exceed the upper neighbour


def summary(values: Sequence[float]) -> Summary:
    """Describe the values; stdev is the sample's (n-1), a percentile needs n >= 100/(100-p) values.

    ValueError for no values or values that are not finite.
    """
    ordered = _checked(sorted(values))
    n = len(ordered)
    # Rounding may move the mean of equal values beyond them.
    mean = min(max(math.fsum(ordered) / n, ordered[0]), ordered[-1])
    stdev = math.sqrt(math.fsum((x - mean) ** 2 for x in ordered) / (n - 1)) if n > 1 else 0.0
    return Summary(
        count=n, mean=float(mean), median=percentile(ordered, 50), stdev=stdev, cv=stdev / mean if mean else 0.0,
        min=float(ordered[0]), max=float(ordered[-1]),
        percentiles={str(p): percentile(ordered, p) for p in PERCENTILES if n >= values_for(p)})


def values_for(p: float) -> float:
    """The number of values that the p-th percentile needs."""
    # 100 - 99.9 is a little under 0.1 in binary: without the rounding P99.9 would need 1001 values.
    return round(100 / (100 - p), 6)


def common_window(starts_ns: Sequence[int], ends_ns: Sequence[int]) -> tuple[int, int, float]:
    """(start_ns, end_ns, overlap) of the time in which all instances measured; one start and end per instance.

    Overlap is the common length relative to the longest instance: 1 for equal windows, 0 for no common part (the
    end is then not after the start). ValueError for no instance or starts and ends of different number.
    """
    if not starts_ns or len(starts_ns) != len(ends_ns):
        raise ValueError("one start and one end per instance are needed")
    start, end = max(starts_ns), min(ends_ns)
    if end <= start:
        return start, end, 0.0
    return start, end, (end - start) / max(e - s for s, e in zip(starts_ns, ends_ns, strict=True))


def throughput(starts_ns: Sequence[int], ends_ns: Sequence[int], window: tuple[int, int], batch_size: int) -> float:
    """Images/s of one instance over the window (start_ns, end_ns); starts and ends are ascending.

    A step that lies partly in the window counts with the fraction of its duration inside. ValueError for an empty
    window or starts and ends of different number.
    """
    window_start, window_end = window
    if window_end <= window_start:
        raise ValueError("the window is empty")
    if len(starts_ns) != len(ends_ns):
        raise ValueError("one start and one end per step are needed")
    # Bisection finds the steps completely inside. Only steps cut by an edge are handled one by one.
    touched = range(bisect_right(ends_ns, window_start), bisect_left(starts_ns, window_end))
    first, past = bisect_left(starts_ns, window_start), bisect_right(ends_ns, window_end)
    whole = max(0, past - first)
    cut = [*range(touched.start, first), *range(past, touched.stop)] if whole else touched
    steps = whole + math.fsum(
        (min(ends_ns[i], window_end) - max(starts_ns[i], window_start)) / (ends_ns[i] - starts_ns[i]) for i in cut)
    return batch_size * steps / ((window_end - window_start) / 1e9)


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t with df >= 1 degrees of freedom at probability p.

    Exact for df 1 and 2, else Hill (1970), Algorithm 396, Communications of the ACM 13(10): error below 2e-5
    for p in 0.001..0.999. ValueError for p outside (0, 1) or df < 1.
    """
    if not 0 < p < 1 or df < 1:
        raise ValueError(f"no t quantile for p={p}, df={df}")
    if p == 0.5:
        return 0.0
    sign, tail = (1.0, 2 * (1 - p)) if p > 0.5 else (-1.0, 2 * p)  # Hill's argument is the two-tailed probability
    if df == 1:
        return sign / math.tan(tail * math.pi / 2)
    if df == 2:
        return sign * math.sqrt(2 / (tail * (2 - tail)) - 2)
    a = 1 / (df - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * df
    y = (d * tail) ** (2 / df)
    if y > 0.05 + a:  # asymptotic expansion about the normal quantile
        x = NormalDist().inv_cdf(tail / 2)
        y = x * x
        if df < 5:
            c += 0.3 * (df - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1 / (((df + 6) / (df * y) - 0.089 * d - 0.822) * (df + 2) * 3) + 0.5 / (df + 4)) * y - 1) \
            * (df + 1) / (df + 2) + 1 / y
    return sign * math.sqrt(df * y)


def logarithms(values: Sequence[float]) -> list[float]:
    """Raises ValueError for no values, and for values that are not positive and finite."""
    if not values or not all(0 < value < math.inf for value in values):
        raise ValueError("positive and finite values are needed")
    return [math.log(value) for value in values]


def ratio_bounds(gap: float, half: float) -> tuple[float, float]:
    """Of a ratio, by its logarithm and how far that reaches."""
    return math.exp(gap - half), math.exp(min(gap + half, 700.0))


def throughput_interval(steps_ns: Sequence[tuple[Sequence[int], Sequence[int]]], window: tuple[int, int],
                        batch_size: int) -> tuple[float, float] | None:
    """95 % interval in images/s of the summed throughput over the window. None if an instance has under 4 steps.

    ``steps_ns`` has (starts, ends) of each instance's steps, ascending. The window is cut into at most 10 slices of
    equal time. Each slice sums the throughputs of all instances: non-overlapping batch means of the sum (Law & Kelton,
    Simulation Modeling and Analysis; Schmeiser 1982, Batch size effects in the analysis of simulation output). The
    interval so includes disturbances of several instances at once and the correlation of successive steps. The
    slices' mean is the window's throughput. Two slices share a step cut by an edge. With m steps in a slice this
    removes 1/(3 m) of the variance (the mean of (1 - u)^2 + u^2 over places u of the edge is 2/3), which is added
    back. ValueError as of ``throughput``.
    """
    start, end = window
    span = (end - start) / 1e9
    rates = [throughput(starts, ends, window, batch_size) for starts, ends in steps_ns]
    least = round(min(rates, default=0.0) * span / batch_size, 6)
    if least < LEAST_STEPS:
        return None
    slices = min(MOST_SLICES, int(least / SLICE_STEPS))
    edges = [start + (end - start) * i // slices for i in range(slices + 1)]
    sums = [math.fsum(throughput(starts, ends, (low, high), batch_size) for starts, ends in steps_ns)
            for low, high in zip(edges, edges[1:], strict=False)]
    total = math.fsum(rates)
    squares = math.fsum((x - total) ** 2 for x in sums) / (1 - slices / least / 3)
    half = t_quantile(0.975, slices - 1) * math.sqrt(squares / (slices - 1) / slices)
    return max(0.0, total - half), total + half  # no throughput is negative


def outliers(values: Sequence[float]) -> SlowSteps:
    """Values on the slow side whose modified z-score exceeds 3.5 and that are at least 10 % above the median.

    Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers: 0.6745 * (x - median) / MAD. With a MAD of 0 the
    10 % rule decides alone. The steps are the first 20 in order of time. No values: no outliers.
    """
    if not values:
        return SlowSteps(0, 0.0, None, None, ())
    middle = median(values)
    mad = median(abs(x - middle) for x in values)
    least = max(OUTLIER_EXCESS * middle, 0.0)
    found = [i for i, x in enumerate(values)
             if x > middle and x - middle >= least and MAD_TO_SIGMA * (x - middle) > OUTLIER_SCORE * mad]
    if not found:
        return SlowSteps(0, 0.0, None, None, ())
    total = math.fsum(values)
    cost = math.fsum(values[i] - middle for i in found) / total if total else 0.0
    worst = max(found, key=lambda i: values[i])
    return SlowSteps(len(found), cost, worst, float(values[worst]), tuple(found[:OUTLIER_INDICES]))


def drift(values: Sequence[float]) -> Drift:
    """Trend of the values over their order; fewer than 10 values show none.

    Theil-Sen line (Sen 1968) through at most 100 block medians; significant at two-sided p < 0.01 by the
    Mann-Kendall test with the normal approximation and tie correction (Mann 1945, Kendall 1975).
    """
    n = len(values)
    if n < DRIFT_MINIMUM:
        return Drift(0.0, False)
    bounds = _bounds(n, min(DRIFT_BLOCKS, n))
    levels = [median(values[low:high]) for low, high in bounds]
    centres = [(low + high - 1) / 2 for low, high in bounds]
    slopes = [(level - levels[i]) / (centre - centres[i]) for i in range(len(levels))
              for level, centre in zip(levels[i + 1:], centres[i + 1:], strict=True)]
    slopes.sort()
    middle = median(values)
    relative = median(slopes) * (n - 1) / middle if middle else 0.0
    # A slope has the sign of its pair's difference: count those above 0 minus those below.
    score = len(slopes) - bisect_right(slopes, 0.0) - bisect_left(slopes, 0.0)
    k = len(levels)
    variance = (k * (k - 1) * (2 * k + 5) - sum(t * (t - 1) * (2 * t + 5) for t in tie_sizes(levels))) / 18
    if variance <= 0:  # all equal
        return Drift(relative, False)
    z = max(0, abs(score) - 1) / math.sqrt(variance)
    return Drift(relative, math.erfc(z / math.sqrt(2)) < DRIFT_ALPHA)


def tie_sizes(values: Sequence[float]) -> list[int]:
    """The number of occurrences of each distinct value, ascending by value."""
    counts: dict[float, int] = {}
    for value in sorted(values):
        counts[value] = counts.get(value, 0) + 1
    return list(counts.values())


def _checked(values: list[float]) -> list[float]:
    if not values:
        raise ValueError("no values")
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is not finite")
    return values


def _bounds(n: int, parts: int) -> list[tuple[int, int]]:
    """Cut n positions into consecutive parts whose sizes differ by at most one."""
    return [(i * n // parts, (i + 1) * n // parts) for i in range(parts)]
