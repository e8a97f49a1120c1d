"""Runs (step times of every instance) -> the statistics of a result; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from ..errors import RunFailed
from . import accuracy, stats
from .result import Run

#: What the interval of a single run tells, and what it does not: effects that change between restarts.
WITHIN_RUN = "within one run, by batch means; --loop N shows the spread between runs"


def statistics(runs: Sequence[Run], batch_size: int) -> dict[str, object]:
    """Throughput in images/s over the window common to all instances, latency in ms, overlap.

    Raises RunFailed where the instances did not measure at the same time.
    """
    window = stats.common_window([run.starts_ns[0] for run in runs], [run.ends_ns[-1] for run in runs])
    start, end, overlap = window
    if overlap <= 0:
        raise RunFailed("the instances did not measure at the same time: their windows have no common part")
    per_instance, pooled = [], []
    for run in runs:
        record, latency_ms = _instance(run, (start, end), batch_size)
        per_instance.append(record)
        pooled += latency_ms
    found: dict[str, object] = {
        "window": {"duration_s": (end - start) / 1e9, "overlap": overlap,
                   "start_skew_ms": (start - min(run.starts_ns[0] for run in runs)) / 1e6,
                   "end_skew_ms": (max(run.ends_ns[-1] for run in runs) - end) / 1e6},
        "throughput_images_per_s": sum(float(str(i["throughput_images_per_s"])) for i in per_instance),
        "latency_ms": stats.summary(pooled).as_record(),
        "instances": per_instance,
    }
    interval = stats.throughput_interval([(run.starts_ns, run.ends_ns) for run in runs], (start, end), batch_size)
    if interval:
        found |= {"throughput_ci95": list(interval), "interval_kind": WITHIN_RUN}
    return found


def pass_statistics(runs: Sequence[Run], counted: Mapping[int, Mapping[str, int]]) -> dict[str, object]:
    """A pass over a data set: latency in ms, and images/s of model time, which decoding is not part of.

    Instances end at different times, so there is no common window and no interval.
    """
    per_instance, pooled = [], []
    for run in runs:
        latency_ms = [(end - begin) / 1e6 for begin, end in zip(run.starts_ns, run.ends_ns, strict=True)]
        pooled += latency_ms
        per_instance.append({
            "instance": run.instance, "steps": len(latency_ms), "latency_ms": stats.summary(latency_ms).as_record(),
            "throughput_images_per_s": counted[run.instance]["count"] / (sum(latency_ms) / 1e3)})
    return {"throughput_images_per_s": sum(float(str(i["throughput_images_per_s"])) for i in per_instance),
            "latency_ms": stats.summary(pooled).as_record(), "instances": per_instance,
            "accuracy": accuracy.total(counted.values())}


def _instance(run: Run, window: tuple[int, int], batch_size: int) -> tuple[dict[str, object], list[float]]:
    """(record, step times in ms within the window)."""
    steps = [(begin, end) for begin, end in zip(run.starts_ns, run.ends_ns, strict=True)
             if begin >= window[0] and end <= window[1]]
    if not steps:
        raise RunFailed(f"instance {run.instance} has no whole step in the window common to all instances: "
                        "raise STEPS or MIN_DURATION")
    latency_ms = [(end - begin) / 1e6 for begin, end in steps]
    outliers, drift = stats.outliers(latency_ms), stats.drift(latency_ms)
    return {
        "instance": run.instance, "steps": len(run.starts_ns), "steps_in_window": len(steps),
        "throughput_images_per_s": stats.throughput(run.starts_ns, run.ends_ns, window, batch_size),
        "latency_ms": stats.summary(latency_ms).as_record(),
        "outliers": {"count": outliers.count, "cost": outliers.cost, "worst_step": outliers.worst_index,
                     "worst_ms": outliers.worst, "steps": list(outliers.indices)},
        "drift": asdict(drift),
    }, latency_ms
