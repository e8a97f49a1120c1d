"""Results of independent runs enter, intervals and a test that compare them leave; every function is pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from .stats import MAD_TO_SIGMA, t_quantile, tie_sizes

EXACT_LIMIT = 8         # the normal approximation is poor below about this size
LEAST_LIMIT = 0.03      # what restarts alone change; a tiny MAD must not make a regression of nothing
#: What is said where a side has a single restart, whose ratio holds no spread, and how to find out.
CANNOT_TELL = ("one restart a side cannot tell, as what changes between restarts is not in it; repeat both with "
               "ctest.sh --loop 5, or let them take turns: scripts/resnet50-bench.sh versus")


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


def ratio_interval(a: Sequence[float], b: Sequence[float],
                   level: float = 0.95) -> tuple[float, float | None, float | None]:
    """(ratio, low, high) of B / A without unit, of values of independent restarts; low and high None under 2 a side.

    The ratio is that of the geometric means; its interval is Welch's t (1947) of the logarithms, so B / A and A / B
    say the same. The values are of the highest level of repetition, so all that changes between restarts is in their
    spread, and nothing within a run may stand for it (Kalibera & Jones 2013, Rigorous benchmarking in reasonable
    time, ISMM). The degrees of freedom are rounded down, which errs to the wide side with few restarts. ValueError
    for a side without values, a value that is not positive and finite, or a level outside (0, 1).
    """
    if not a or not b:
        raise ValueError("both sides need values")
    if not all(0 < value < math.inf for value in (*a, *b)):
        raise ValueError("the values must be positive and finite")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    sides = [[math.log(value) for value in side] for side in (a, b)]
    means = [math.fsum(side) / len(side) for side in sides]
    difference = means[1] - means[0]
    if len(a) < 2 or len(b) < 2:
        return math.exp(difference), None, None
    errors = [math.fsum((x - mean) ** 2 for x in side) / (len(side) - 1) / len(side)
              for side, mean in zip(sides, means, strict=True)]
    half = 0.0
    if sum(errors):
        df = sum(errors) ** 2 / math.fsum(error**2 / (len(side) - 1) for error, side in zip(errors, sides, strict=True))
        half = t_quantile((1 + level) / 2, max(1, math.floor(df))) * math.sqrt(sum(errors))
    return math.exp(difference), math.exp(difference - half), math.exp(min(difference + half, 700))


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
