"""Results of independent runs enter, intervals and a test that compare them leave; every function is pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from statistics import median

from .stats import MAD_TO_SIGMA, percentile, t_quantile, tie_sizes

EXACT_LIMIT = 8         # the normal approximation is poor below about this size
LEAST_LIMIT = 0.03      # what restarts alone change; a tiny MAD must not make a regression of nothing
RESAMPLES = 2000        # enough for the 2.5 and 97.5 percentiles: 50 resamples lie beyond each


def mann_whitney(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of the hypothesis that a and b come from one distribution.

    Mann & Whitney (1947): exact for at most 8 values each without ties, else the normal approximation with tie and
    continuity correction (Lehmann, Nonparametrics, 1975). ValueError where a side has no values.
    """
    if not a or not b:
        raise ValueError("both sides need values")
    n, m = len(a), len(b)
    u = sum((x > y) + (x == y) / 2 for x in a for y in b)
    ties = tie_sizes([*a, *b])
    if max(n, m) <= EXACT_LIMIT and max(ties) == 1:
        counts = _u_counts(n, m)
        return min(1.0, 2 * sum(counts[:int(min(u, n * m - u)) + 1]) / sum(counts))
    total = n + m
    variance = n * m / 12 * (total + 1 - sum(t**3 - t for t in ties) / (total * (total - 1)))
    if variance <= 0:  # all values equal: nothing tells the sides apart
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def interval_of_means(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean of independent runs, in their unit; None for fewer than 2 values.

    ValueError for a level outside (0, 1).
    """
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1) / n)
    half = t_quantile((1 + level) / 2, n - 1) * error
    return mean - half, mean + half


def ratio_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95,
                   seed: int = 1) -> tuple[float, float | None, float | None]:
    """(ratio, low, high) of mean(b) / mean(a), without unit; low and high are None under 2 values on a side.

    Percentile bootstrap (Efron & Tibshirani 1993) with 2000 resamples, the same for the same seed. ValueError for
    a side without values, a value of a that is not positive, or a level outside (0, 1).
    """
    if not a or not b:
        raise ValueError("both sides need values")
    if min(a) <= 0:  # a resample's mean might be 0
        raise ValueError("the values of the first side must be positive")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    ratio = _mean(b) / _mean(a)
    if len(a) < 2 or len(b) < 2:
        return ratio, None, None
    rng = random.Random(seed)
    ratios = sorted(y / x for x, y in zip(_resampled_means(a, rng), _resampled_means(b, rng), strict=True))
    tail = 50 * (1 - level)
    return ratio, percentile(ratios, tail), percentile(ratios, 100 - tail)


def control_limit(values: Sequence[float]) -> tuple[float, float]:
    """(median, how far from it as a share a further run may lie) by the spread of earlier runs: at least 3 %.

    Three sigma as in Shewhart's charts (1931), sigma as 1.4826 * MAD, so that a single slow run among the earlier
    ones neither moves the middle nor widens the limit (Rousseeuw & Croux 1993, Alternatives to the Median Absolute
    Deviation, JASA 88). ValueError for no values or a median that is not positive.
    """
    if not values:
        raise ValueError("no values")
    middle = median(values)
    if middle <= 0:
        raise ValueError("the median must be positive")
    mad = median(abs(x - middle) for x in values)
    return float(middle), max(3 * mad / MAD_TO_SIGMA / middle, LEAST_LIMIT)


def _resampled_means(values: Sequence[float], rng: random.Random) -> Iterator[float]:
    """Drawn all at once: a call for each resample would take most of the time."""
    n = len(values)
    drawn = rng.choices(values, k=n * RESAMPLES)
    return (_mean(drawn[first:first + n]) for first in range(0, n * RESAMPLES, n))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _u_counts(n: int, m: int) -> list[int]:
    """In how many of the orders of n and m distinct values U is 0, 1, ... n*m.

    Recurrence of Mann & Whitney (1947): the largest value belongs to the first side (it then beats all of the
    second: U grows by their number) or to the second.
    """
    if n == 0 or m == 0:
        return [1]
    first = [0] * m + _u_counts(n - 1, m)
    second = _u_counts(n, m - 1) + [0] * n
    return [x + y for x, y in zip(first, second, strict=True)]
