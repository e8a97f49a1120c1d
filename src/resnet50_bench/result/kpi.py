"""MODE -> its primary KPI: name, unit, better direction, and its place in the statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadInput
from .records import Statistics
from .result import ResultSummary
from .stats import Summary

FASTER, SLOWER, NO_DIFFERENCE = "faster", "slower", "no difference shown"


@dataclass(frozen=True)
class Kpi:
    """One KPI. ``sign`` is 1 if more is better, else -1. ``of`` returns its value, in ``unit``, from the statistics.

    ``adds_up``: whether the values of nodes are added. Otherwise they are averaged.
    """

    name: str
    unit: str
    sign: int
    of: Callable[[Statistics], float | None]
    adds_up: bool = False

    def value(self, statistics: Statistics) -> float | None:
        """The finite value, or None if it was not measured."""
        return finite(self.of(statistics))

    def told(self, low: float, ratio: float, high: float) -> tuple[str, str]:
        """Return (faster, slower or no difference shown; by how much) for a ratio and its 95 % interval's bounds."""
        near, middle, far = (100 * (value - 1) for value in (low, ratio, high))
        if near <= 0 <= far:
            return NO_DIFFERENCE, f"(95 % interval {near:+.1f} to {far:+.1f} %)"
        near, far = sorted((abs(near), abs(far)))
        latency = "" if self.sign > 0 else f": {'higher' if middle > 0 else 'lower'} latency"
        return (FASTER if (middle > 0) == (self.sign > 0) else SLOWER,
                f"by {abs(middle):.1f} % (95 % interval {near:.1f} to {far:.1f} %){latency}")


KPIS = {
    "throughput": Kpi("Throughput", "samples/sec", 1, lambda found: found.throughput_images_per_s, True),
    "latency": Kpi("Latency", "ms", -1, lambda found: found.latency_ms.mean if found.latency_ms else None),
    "server": Kpi("Server Rate", "queries/sec", 1, lambda found: (
        found.server.completed_queries_per_s if found.server and found.server.valid else None), True),
    "accuracy": Kpi("Accuracy", "%", 1, lambda found: found.accuracy.top1 if found.accuracy else None),
}


def primary(result: ResultSummary) -> tuple[Kpi, float]:
    """Return the KPI of the result's MODE and its value. Raises BadInput for a passed result without one."""
    mode = result.parameter("MODE")
    kpi = KPIS.get(mode)
    value = kpi.value(result.statistics) if kpi else None
    if kpi is None or value is None:
        raise BadInput(f"the result of {result.started_at} has no KPI of MODE={mode}, though it passed. The result is "
                       "damaged: remove it from the folder")
    return kpi, value


def finite(value: float | None) -> float | None:
    """The value, or None if it is not a finite number."""
    return value if value is not None and math.isfinite(value) else None


def step_ms(latency: Summary | None, name: str) -> float | None:
    """``min``, ``mean``, ``max`` or a percentile (``50``, ``99.9``) of step times in ms. None if unknown."""
    if latency is None:
        return None
    known = {"min": latency.min, "mean": latency.mean, "max": latency.max, **latency.percentiles}
    return finite(known.get(name))
