"""MODE -> its primary KPI: name, unit, which direction is better, and where it stands in the statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BadInput
from .records import Statistics
from .result import ResultSummary
from .stats import Summary


@dataclass(frozen=True)
class Kpi:
    """``sign`` is 1 where more is better, else -1; ``of`` takes the value, in ``unit``, out of the statistics."""

    name: str
    unit: str
    sign: int
    of: Callable[[Statistics], float | None]

    def value(self, statistics: Statistics) -> float | None:
        """The finite value; None where it was not measured."""
        return finite(self.of(statistics))


KPIS = {
    "throughput": Kpi("Throughput", "samples/sec", 1, lambda found: found.throughput_images_per_s),
    "latency": Kpi("Latency", "ms", -1, lambda found: found.latency_ms.mean if found.latency_ms else None),
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
