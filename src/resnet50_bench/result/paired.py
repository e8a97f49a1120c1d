"""Two configurations that were run in turns -> the ratio of their values, its interval, and whether it decides; pure.

A value is that of one restart (a fresh process). Both values of a round were measured one right after the other, so
what changes slowly (clock, temperature, neighbours) is in both and leaves their ratio: a paired comparison, as
zenbench's interleaved rounds. The ratio of a round holds all that changes between restarts, the highest level of
repetition, which alone gives an honest interval (Kalibera & Jones 2013, Rigorous benchmarking in reasonable time,
ISMM, sections 6 and 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .stats import t_quantile

ERROR = 0.05


@dataclass(frozen=True)
class Paired:
    """``ratio`` is B / A, without unit; ``low`` and ``high`` bound its interval, None under 2 rounds."""

    ratio: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def apart(self) -> bool:
        """Whether the interval tells B from A."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def half_width(self) -> float:
        """How far the interval reaches from the ratio, as a share of it (0.02 is 2 %); infinite without an interval."""
        return math.inf if self.high is None else self.high / self.ratio - 1


def paired(a: Sequence[float], b: Sequence[float], looks: int = 1) -> Paired:
    """B / A by rounds: ``a[i]`` and ``b[i]`` are round i's values in one unit, each of one restart.

    The ratio is the geometric mean of the rounds' ratios; its interval is Student's t of their logarithms, which a
    ratio is symmetric in (A/B is its inverse). ``looks`` is how many times the caller will look at most before it
    stops, whenever that is: each look then has an error of 5 % / looks, so that all of them together, and the
    interval at which is stopped, err in at most 5 % (Bonferroni's inequality; Jennison & Turnbull 2000, Group
    Sequential Methods, section 2, says why looking often without it errs more). 1 is the plain 95 % interval of a
    number of rounds that was fixed before. ValueError for no rounds, sides of different number, values that are not
    positive and finite, or looks < 1.
    """
    if not a or len(a) != len(b):
        raise ValueError("one value of each side per round is needed")
    if looks < 1:
        raise ValueError(f"{looks} looks: 1 or more are possible")
    if not all(0 < value < math.inf for value in (*a, *b)):
        raise ValueError("the values must be positive and finite")
    logs = [math.log(after / before) for before, after in zip(a, b, strict=True)]
    n = len(logs)
    mean = math.fsum(logs) / n
    if n < 2:
        return Paired(math.exp(mean), None, None, n)
    error = math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (n - 1) / n)
    half = t_quantile(1 - ERROR / looks / 2, n - 1) * error
    return Paired(math.exp(mean), _exp(mean - half), _exp(mean + half), n)


def _exp(x: float) -> float:
    """With very few rounds the interval may be wider than a number can say."""
    return math.exp(x) if x < 700 else math.inf
