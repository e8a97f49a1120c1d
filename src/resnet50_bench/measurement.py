"""Runs (step times of every instance) -> the statistics of a result; pure."""

from __future__ import annotations

from collections.abc import Sequence

from . import stats
from .errors import RunFailed
from .result import Run


def statistics(runs: Sequence[Run], batch_size: int) -> dict[str, object]:
    """Throughput in images/s over the window common to all instances, latency in ms, overlap.

    Raises RunFailed where the instances did not measure at the same time.
    """
    window_start, window_end, overlap = stats.common_window(
        [run.starts_ns[0] for run in runs], [run.ends_ns[-1] for run in runs])
    if overlap <= 0:
        raise RunFailed("the instances did not measure at the same time: their windows have no common part")
    per_instance = []
    pooled: list[float] = []
    for run in runs:
        rate = stats.throughput(run.starts_ns, run.ends_ns, (window_start, window_end), batch_size)
        latency_ms = [(end - start) / 1e6 for start, end in zip(run.starts_ns, run.ends_ns, strict=True)
                      if start >= window_start and end <= window_end]
        pooled += latency_ms
        per_instance.append({"instance": run.instance, "steps": len(run.starts_ns),
                             "steps_in_window": len(latency_ms), "throughput_images_per_s": rate,
                             "latency_ms": stats.summary(latency_ms).as_record()})
    return {
        "window": {"duration_s": (window_end - window_start) / 1e9, "overlap": overlap,
                   "start_skew_ms": (window_start - min(run.starts_ns[0] for run in runs)) / 1e6,
                   "end_skew_ms": (max(run.ends_ns[-1] for run in runs) - window_end) / 1e6},
        "throughput_images_per_s": sum(float(str(i["throughput_images_per_s"])) for i in per_instance),
        "latency_ms": stats.summary(pooled).as_record(),
        "instances": per_instance,
    }
