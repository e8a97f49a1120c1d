"""Counts of right answers -> accuracy with its interval; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .processes import RightAnswers
from .records import Accuracy

_Z95 = 1.959964  # two-sided 95 % of the standard normal distribution


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson (1927), JASA 22, which holds near 0 and 1 too; ValueError without images."""
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"{right} right of {count}")
    share, square = right / count, _Z95 * _Z95
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = _Z95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def difference(a: Accuracy, b: Accuracy) -> tuple[float, float, float]:
    """b's top-1 less a's in points, with the 95 % interval of two samples' difference (Newcombe 1998, method 10).

    On the same images it is wider than need be: which answers differ is not in a result.
    """
    (low_a, high_a), (low_b, high_b) = a.top1_ci95, b.top1_ci95
    gap = b.top1 - a.top1
    return (gap, gap - math.hypot(b.top1 - low_b, high_a - a.top1),
            gap + math.hypot(high_b - b.top1, a.top1 - low_a))


def total(parts: Iterable[RightAnswers]) -> Accuracy:
    """Right answers of each part -> their sum in percent, with the interval; ValueError without images."""
    counts = list(parts)
    count, top1, top5 = (sum(getattr(part, name) for part in counts) for name in ("count", "top1", "top5"))
    low, high = wilson(top1, count)
    return Accuracy(count, 100 * top1 / count, 100 * top5 / count, (100 * low, 100 * high))
