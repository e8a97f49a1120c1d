"""Results of independent runs enter, intervals and limits that compare them leave; every function is pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from .blocks import Observation, fit
from .stats import logarithms, ratio_bounds, t_quantile

LEAST_LIMIT = 0.03  # what restarts alone change; a tiny MAD must not make a regression of nothing
#: What is said where a side has a single restart, whose ratio shows no spread, and how to find out.
CANNOT_TELL = ("a verdict needs at least two runs per side. Repeat both with ctest.sh --loop 5, or compare them with "
               "scripts/resnet50-bench.sh versus")


class Ratio(NamedTuple):
    """B / A; ``low`` and ``high`` bound its interval between restarts, None where a side has only one."""

    value: float
    low: float | None
    high: float | None

    @property
    def ci(self) -> tuple[float, float] | None:
        """The interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def interval_of_means(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean of independent runs, in their unit; None for fewer than 2 values.

    ValueError for a level outside (0, 1).
    """
    if len(values) < 2:
        return None
    mean, variance = _mean(values)
    half = t_quantile((1 + level) / 2, len(values) - 1) * math.sqrt(variance)
    return mean - half, mean + half


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """(mean, its variance); the variance of a single value is 0."""
    n = len(values)
    mean = math.fsum(values) / n
    return mean, math.fsum((x - mean) ** 2 for x in values) / max(1, n - 1) / n


def ratio_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Ratio:
    """B / A without unit, of values of independent restarts; no interval under 2 a side.

    The ratio is that of the geometric means; its interval is Welch's t (1947) of the logarithms, so B / A and A / B
    say the same. The values are of the highest level of repetition, so all that changes between restarts is in their
    spread, and nothing within a run may stand for it (Kalibera & Jones 2013, Rigorous benchmarking in reasonable
    time, ISMM). The degrees of freedom are rounded down, which errs to the wide side with few restarts. ValueError
    for a side without values, a value that is not positive and finite, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    (mean_a, error_a), (mean_b, error_b) = (_mean(logarithms(side)) for side in (a, b))
    difference = mean_b - mean_a
    if len(a) < 2 or len(b) < 2:
        return Ratio(math.exp(difference), None, None)
    half, variance = 0.0, error_a + error_b
    if variance:
        df = variance**2 / (error_a**2 / (len(a) - 1) + error_b**2 / (len(b) - 1))
        half = t_quantile((1 + level) / 2, max(1, math.floor(df))) * math.sqrt(variance)
    return Ratio(math.exp(difference), *ratio_bounds(difference, half))


def control_limit(values: Sequence[float]) -> tuple[float, float]:
    """(middle, how far from it as a share a further run may be) by the spread of earlier runs: at least 3 %.

    The 95 % prediction interval of the logarithms by Student's t (Hahn & Meeker 1991, Statistical Intervals, section
    4.7): about 2.5 % of unchanged runs are below it, however few the earlier ones are. Middle and deviation are Huber's
    (``blocks.fit``): a single slow run among several hardly moves them. One value has no spread. ValueError for no
    values, or values that are not positive and finite.
    """
    found = fit([Observation(0, "", value) for value in values])
    if not found.df:
        return float(values[0]), LEAST_LIMIT
    reach = t_quantile(0.975, found.df) * found.deviation * math.sqrt(1 + 1 / len(values))
    return math.exp(found.level[""]), max(-math.expm1(-reach), LEAST_LIMIT)
