"""Step times and right answers of every instance -> the statistics of a result; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from ..errors import RunFailed
from . import server, stats
from .processes import RightAnswers, Run
from .records import Accuracy, InstanceStatistics, Statistics, Window
from .server import LoadGenLog, Search, Served

#: The meaning of a single run's interval. It excludes effects that change between restarts.
WITHIN_RUN = "within one run, by batch means; --loop N shows the spread between runs"
_Z95 = 1.959964  # two-sided 95 % of the standard normal distribution


def statistics(runs: Sequence[Run], batch_size: int) -> Statistics:
    """Throughput in images/s over the window common to all instances, latency in ms, overlap.

    Raises RunFailed if the instances did not measure at the same time.
    """
    start, end, overlap = common_window(runs)
    if overlap <= 0:
        raise RunFailed("the instances did not measure at the same time: their windows have no common part")
    instances, pooled = [], []
    for run in runs:
        latency_ms = run.times_ms(start, end)
        if not latency_ms:
            raise RunFailed(f"instance {run.instance} has no whole step in the window common to all instances: "
                            "raise STEPS or MIN_DURATION")
        pooled += latency_ms
        instances.append(InstanceStatistics(
            instance=run.instance, steps=len(run.starts_ns), steps_in_window=len(latency_ms),
            throughput_images_per_s=stats.throughput(run.starts_ns, run.ends_ns, (start, end), batch_size),
            latency_ms=stats.summary(latency_ms), outliers=stats.outliers(latency_ms), drift=stats.drift(latency_ms)))
    interval = stats.throughput_interval([(run.starts_ns, run.ends_ns) for run in runs], (start, end), batch_size)
    return Statistics(window=_window([run.starts_ns[0] for run in runs], [run.ends_ns[-1] for run in runs]),
                      throughput_images_per_s=_sum(instances), latency_ms=stats.summary(pooled),
                      instances=tuple(instances), throughput_ci95=interval,
                      interval_kind=WITHIN_RUN if interval else None)


def common_window(runs: Sequence[Run]) -> tuple[int, int, float]:
    """Return (start_ns, end_ns, overlap) of the time in which all instances measured."""
    return stats.common_window([run.starts_ns[0] for run in runs], [run.ends_ns[-1] for run in runs])


def pass_statistics(runs: Sequence[Run], counted: Mapping[int, RightAnswers]) -> Statistics:
    """The statistics of a pass over a data set: latency in ms, and images/s of model time without decoding.

    Instances end at different times, so there is no common window and no interval.
    """
    times_ms = {run.instance: run.times_ms() for run in runs}
    instances = [InstanceStatistics(
        instance=instance, steps=len(latency_ms), latency_ms=stats.summary(latency_ms),
        throughput_images_per_s=counted[instance].count / (sum(latency_ms) / 1e3))
        for instance, latency_ms in times_ms.items()]
    return Statistics(throughput_images_per_s=_sum(instances), instances=tuple(instances),
                      latency_ms=stats.summary([*chain(*times_ms.values())]), accuracy=total(counted.values()))


def server_statistics(runs: Sequence[Run], served: Mapping[int, Served], log: LoadGenLog,
                      batch_size: int, search: Search | None) -> Statistics:
    """LoadGen's rate, verdict and query times, and the instances' statistics while all of them served.

    Raises RunFailed if an instance answered no query.
    """
    instances = []
    for run in runs:
        own, steps_ms = served[run.instance], run.times_ms()
        if not own.queries:
            raise RunFailed(f"instance {run.instance} answered no query: raise TARGET_QPS or MIN_DURATION")
        instances.append(InstanceStatistics(
            instance=run.instance, steps=len(steps_ms), latency_ms=stats.summary(steps_ms),
            throughput_images_per_s=own.queries / ((own.ended_ns - own.began_ns) / 1e9)))
    window = _window([served[run.instance].began_ns for run in runs], [served[run.instance].ended_ns for run in runs])
    return Statistics(window=window, throughput_images_per_s=_sum(instances), latency_ms=log.latency_ms(),
                      instances=tuple(instances), server=server.server(log, served.values(), batch_size, search))


def _window(begins_ns: Sequence[int], ends_ns: Sequence[int]) -> Window:
    start, end, overlap = stats.common_window(begins_ns, ends_ns)
    return Window(duration_s=(end - start) / 1e9, overlap=overlap, start_skew_ms=(start - min(begins_ns)) / 1e6,
                  end_skew_ms=(max(ends_ns) - end) / 1e6)


def _sum(instances: Sequence[InstanceStatistics]) -> float:
    return sum(instance.throughput_images_per_s or 0.0 for instance in instances)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson (1927), JASA 22, valid near 0 and 1 too. ValueError without images."""
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"{right} right of {count}")
    share, square = right / count, _Z95 * _Z95
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = _Z95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy_difference(a: Accuracy, b: Accuracy) -> tuple[float, float, float]:
    """b's top-1 minus a's in points, with the 95 % interval of two samples' difference (Newcombe 1998, method 10).

    The interval is too wide for the same images, because a result does not have the single answers.
    """
    (low_a, high_a), (low_b, high_b) = a.top1_ci95, b.top1_ci95
    gap = b.top1 - a.top1
    return (gap, gap - math.hypot(b.top1 - low_b, high_a - a.top1),
            gap + math.hypot(high_b - b.top1, a.top1 - low_a))


def total(parts: Iterable[RightAnswers]) -> Accuracy:
    """Right answers of each part -> their total in percent, with the interval. ValueError without images."""
    counts = list(parts)
    count, top1, top5 = (sum(getattr(part, name) for part in counts) for name in ("count", "top1", "top5"))
    low, high = wilson(top1, count)
    return Accuracy(count, 100 * top1 / count, 100 * top5 / count, (100 * low, 100 * high))
