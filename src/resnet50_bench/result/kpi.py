"""MODE -> its primary KPI: name, unit, which direction is better, and where it stands in the statistics."""

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
    """``sign`` is 1 where more is better, else -1; ``of`` takes the value, in ``unit``, out of the statistics.

    ``adds_up``: whether nodes together reach the sum of theirs, else the mean is taken.
    """

    name: str
    unit: str
    sign: int
    of: Callable[[Statistics], float | None]
    adds_up: bool = False

    def value(self, statistics: Statistics) -> float | None:
        """The finite value; None where it was not measured."""
        return finite(self.of(statistics))

    def told(self, low: float, ratio: float, high: float) -> tuple[str, str]:
        """(faster, slower or no difference shown; by how much) of a ratio and the bounds of its 95 % interval."""
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
    """The KPI of the result's MODE and its value. Raises BadInput for a result that passed without one."""
    mode = result.parameter("MODE")
    kpi = KPIS.get(mode)
    value = kpi.value(result.statistics) if kpi else None
    if kpi is None or value is None:
        raise BadInput(f"the result of {result.started_at} has no KPI of MODE={mode}, though it passed: it is damaged; "
                       "take it out of the folder")
    return kpi, value


def finite(value: float | None) -> float | None:
    """The value; None for what is no finite number."""
    return value if value is not None and math.isfinite(value) else None


def step_ms(latency: Summary | None, name: str) -> float | None:
    """``min``, ``mean``, ``max`` or a percentile (``50``, ``99.9``) of step times in ms; None where it is not known."""
    if latency is None:
        return None
    known = {"min": latency.min, "mean": latency.mean, "max": latency.max, **latency.percentiles}
    return finite(known.get(name))
