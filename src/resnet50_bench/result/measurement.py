"""Runs (step times of every instance) -> the statistics of a result; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import RunFailed
from . import accuracy, server, stats
from .processes import RightAnswers, Run
from .records import InstanceStatistics, Statistics, Window
from .server import LoadGenLog, Served

#: What the interval of a single run tells, and what it does not: effects that change between restarts.
WITHIN_RUN = "within one run, by batch means; --loop N shows the spread between runs"


def statistics(runs: Sequence[Run], batch_size: int) -> Statistics:
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
    interval = stats.throughput_interval([(run.starts_ns, run.ends_ns) for run in runs], (start, end), batch_size)
    return Statistics(
        window=Window(duration_s=(end - start) / 1e9, overlap=overlap,
                      start_skew_ms=(start - min(run.starts_ns[0] for run in runs)) / 1e6,
                      end_skew_ms=(max(run.ends_ns[-1] for run in runs) - end) / 1e6),
        throughput_images_per_s=_sum(per_instance), latency_ms=stats.summary(pooled), instances=tuple(per_instance),
        throughput_ci95=interval, interval_kind=WITHIN_RUN if interval else None)


def _sum(instances: Sequence[InstanceStatistics]) -> float:
    return sum(instance.throughput_images_per_s or 0.0 for instance in instances)


def pass_statistics(runs: Sequence[Run], counted: Mapping[int, RightAnswers]) -> Statistics:
    """A pass over a data set: latency in ms, and images/s of model time, which decoding is not part of.

    Instances end at different times, so there is no common window and no interval.
    """
    per_instance, pooled = [], []
    for run in runs:
        latency_ms = [(end - begin) / 1e6 for begin, end in zip(run.starts_ns, run.ends_ns, strict=True)]
        pooled += latency_ms
        per_instance.append(InstanceStatistics(
            instance=run.instance, steps=len(latency_ms), latency_ms=stats.summary(latency_ms),
            throughput_images_per_s=counted[run.instance].count / (sum(latency_ms) / 1e3)))
    return Statistics(throughput_images_per_s=_sum(per_instance), latency_ms=stats.summary(pooled),
                      instances=tuple(per_instance), accuracy=accuracy.total(counted.values()))


def server_statistics(runs: Sequence[Run], served: Mapping[int, Served], log: LoadGenLog,
                      batch_size: int) -> Statistics:
    """LoadGen's rate, verdict and times of queries, and what the instances did while all of them served.

    Raises RunFailed where an instance answered none.
    """
    per_instance = []
    for run in runs:
        own = served[run.instance]
        if not own.queries:
            raise RunFailed(f"instance {run.instance} answered no query: raise TARGET_QPS or MIN_DURATION")
        steps_ms = [(end - begin) / 1e6 for begin, end in zip(run.starts_ns, run.ends_ns, strict=True)]
        per_instance.append(InstanceStatistics(
            instance=run.instance, steps=len(steps_ms), latency_ms=stats.summary(steps_ms),
            throughput_images_per_s=own.queries / ((own.ended_ns - own.began_ns) / 1e9)))
    begins, ends = zip(*((served[run.instance].began_ns, served[run.instance].ended_ns) for run in runs), strict=True)
    start, end, overlap = stats.common_window(begins, ends)
    return Statistics(
        window=Window(duration_s=(end - start) / 1e9, overlap=overlap, start_skew_ms=(start - min(begins)) / 1e6,
                      end_skew_ms=(max(ends) - end) / 1e6),
        throughput_images_per_s=_sum(per_instance), latency_ms=log.latency_ms(), instances=tuple(per_instance),
        server=server.server(log, served.values(), batch_size))


def _instance(run: Run, window: tuple[int, int], batch_size: int) -> tuple[InstanceStatistics, list[float]]:
    """(record, step times in ms within the window)."""
    steps = [(begin, end) for begin, end in zip(run.starts_ns, run.ends_ns, strict=True)
             if begin >= window[0] and end <= window[1]]
    if not steps:
        raise RunFailed(f"instance {run.instance} has no whole step in the window common to all instances: "
                        "raise STEPS or MIN_DURATION")
    latency_ms = [(end - begin) / 1e6 for begin, end in steps]
    return InstanceStatistics(
        instance=run.instance, steps=len(run.starts_ns), steps_in_window=len(steps),
        throughput_images_per_s=stats.throughput(run.starts_ns, run.ends_ns, window, batch_size),
        latency_ms=stats.summary(latency_ms),
        outliers=stats.outliers(latency_ms),
        drift=stats.drift(latency_ms)), latency_ms
