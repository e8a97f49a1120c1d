"""MODE=server: LoadGen's log and the instances' served queries -> a result's figures. Only ``read`` is not pure."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ..errors import Infrastructure, RunFailed
from .stats import PERCENTILES, Summary, values_for

#: LoadGen's own file names in the folder of a run.
SUMMARY, DETAIL = "mlperf_log_summary.txt", "mlperf_log_detail.txt"
_EMPTY = ("mlperf_log_accuracy.json", "mlperf_log_trace.json")
#: The subfolder of a run with the rates that a search tried.
RATES = "rates"
#: The prefix of its lines.
_MARK = ":::MLLOG "
#: MLPerf's rules for a submission, section "Scenarios": a run takes at least ten minutes.
MLPERF_DURATION_S = 600


class Served(msgspec.Struct, frozen=True):
    """One instance's serving: its start and end, and its number of batches by their number of queries."""

    began_ns: int
    ended_ns: int
    batches: dict[str, int]

    @property
    def queries(self) -> int:
        """The number of answered queries."""
        return sum(int(size) * count for size, count in self.batches.items())


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate tried by a search: LoadGen's verdict, the bounded percentile in ms, the folder of its logs.

    ``why``: LoadGen's reason for INVALID. ``noise``: what disturbed the try, empty for nothing.
    """

    queries_per_s: float
    valid: bool
    latency_ms: float | None
    folder: str
    why: str = ""
    noise: str = ""

    def text(self, percentile: str) -> str:
        """``150.2 queries/s INVALID P99 19.31 ms (not met: the bound; noisy: steal time)``."""
        at = "" if self.latency_ms is None else f" P{percentile} {self.latency_ms:.2f} ms"
        notes = [f"not met: {self.why}"] * bool(self.why) + [f"noisy: {self.noise}"] * bool(self.noise)
        return (f"{self.queries_per_s:.2f} queries/s {'VALID' if self.valid else 'INVALID'}{at}"
                + (f" ({'; '.join(notes)})" if notes else ""))


class Search(msgspec.Struct, frozen=True):
    """The state of a search: the tried rates, and the throughput that it started from."""

    tried: tuple[Rate, ...] = ()
    throughput_images_per_s: float | None = None

    @property
    def disturbed(self) -> Rate | None:
        """The lowest rate without a VALID try, which ended the search above it, if every try of it was noisy."""
        valid = {rate.queries_per_s for rate in self.tried if rate.valid}
        limit = min((rate.queries_per_s for rate in self.tried if rate.queries_per_s not in valid), default=None)
        tries = [rate for rate in self.tried if rate.queries_per_s == limit]
        return tries[-1] if tries and all(rate.noise for rate in tries) else None


class Server(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """LoadGen's verdict and figures. ``why``: LoadGen's reason for INVALID.

    ``late``: number of queries answered after the bound. ``mean_batch``: queries per step. ``padding``: the share of
    computed images without a query. ``search``: how the rate was found, None for a given rate.
    """

    valid: bool
    why: str = ""
    target_queries_per_s: float
    completed_queries_per_s: float
    queries: int
    late: int
    bound_ms: float
    percentile: float
    loadgen: str
    mean_batch: float
    padding: float
    search: Search | None = None

    @property
    def bound(self) -> str:
        """``15 ms at P99``."""
        return f"{self.bound_ms:g} ms at P{self.percentile:g}"


def prepared_sizes(most: int) -> tuple[int, ...]:
    """1, 2, 4 ... and ``most``: the batch sizes for which an instance has a proven model."""
    return (*(2**power for power in range((most - 1).bit_length())), most)


def padded_to(sizes: Sequence[int], count: int) -> int:
    """The smallest prepared size for ``count`` queries."""
    return sizes[bisect_left(sizes, count)]


class LoadGenLog(msgspec.Struct, frozen=True, kw_only=True):
    """LoadGen's detail log, by its own keys. Times in ns."""

    version: str = msgspec.field(name="loadgen_version")
    target_qps: float = msgspec.field(name="effective_target_qps")
    bound_ns: int = msgspec.field(name="effective_target_latency_ns")
    percentile: float = msgspec.field(name="effective_target_latency_percentile")
    validity: str = msgspec.field(name="result_validity")
    bound_met: bool = msgspec.field(name="result_perf_constraints_met")
    duration_met: bool = msgspec.field(name="result_min_duration_met")
    queries_met: bool = msgspec.field(name="result_min_queries_met")
    early_stopping_met: bool
    queries: int = msgspec.field(name="result_query_count")
    late: int = msgspec.field(name="result_overlatency_query_count")
    completed_qps: float = msgspec.field(name="result_completed_samples_per_sec")
    min_ns: int = msgspec.field(name="result_min_latency_ns")
    max_ns: int = msgspec.field(name="result_max_latency_ns")
    mean_ns: int = msgspec.field(name="result_mean_latency_ns")
    p50_ns: int = msgspec.field(name="result_50.00_percentile_latency_ns")
    p90_ns: int = msgspec.field(name="result_90.00_percentile_latency_ns")
    p95_ns: int = msgspec.field(name="result_95.00_percentile_latency_ns")
    p99_ns: int = msgspec.field(name="result_99.00_percentile_latency_ns")
    p999_ns: int = msgspec.field(name="result_99.90_percentile_latency_ns")

    def latency_ms(self) -> Summary:
        """The time in ms from a query's scheduled time to its answer. LoadGen gives no standard deviation.

        A percentile needs as many queries as of steps; LoadGen itself would call the slowest of 80 their P99.9.
        """
        percentiles = (self.p50_ns, self.p90_ns, self.p95_ns, self.p99_ns, self.p999_ns)
        return Summary(count=self.queries, mean=self.mean_ns / 1e6, median=self.p50_ns / 1e6, stdev=None, cv=None,
                       min=self.min_ns / 1e6, max=self.max_ns / 1e6,
                       percentiles={str(p): ns / 1e6 for p, ns in zip(PERCENTILES, percentiles, strict=True)
                                    if self.queries >= values_for(p)})

    def why_invalid(self) -> str:
        """The unmet conditions, "" if all are met."""
        met = {"the bound": self.bound_met, "the minimum duration": self.duration_met,
               "the minimum number of queries": self.queries_met, "early stopping": self.early_stopping_met}
        return ", ".join(what for what, is_met in met.items() if not is_met)


def read(folder: Path) -> LoadGenLog:
    """Read LoadGen's detail log, and remove its empty files. Raises Infrastructure if the log is incomplete."""
    for name in _EMPTY:
        (folder / name).unlink(missing_ok=True)
    try:
        lines = (folder / DETAIL).read_text().splitlines()
        records = [json.loads(line.removeprefix(_MARK)) for line in lines if line.startswith(_MARK)]
        return msgspec.convert({record["key"]: record["value"] for record in records}, LoadGenLog)
    except (OSError, ValueError, KeyError) as error:  # msgspec's ValidationError is a ValueError
        raise Infrastructure(f"LoadGen's {DETAIL} is not whole ({error}): is the disk full?") from error


def server(log: LoadGenLog, served: Iterable[Served], batch_size: int, search: Search | None) -> Server:
    """Compute the figures and the verdict. Raises RunFailed if the instances and LoadGen count different queries."""
    sizes = prepared_sizes(batch_size)
    counts = [(int(size), count) for one in served for size, count in one.batches.items()]
    steps, queries = sum(count for _, count in counts), sum(size * count for size, count in counts)
    computed = sum(padded_to(sizes, size) * count for size, count in counts)
    if queries != log.queries:
        raise RunFailed(f"LoadGen counts {log.queries} queries, the instances answered {queries}")
    return Server(
        valid=log.validity == "VALID", why=log.why_invalid(), target_queries_per_s=log.target_qps,
        completed_queries_per_s=log.completed_qps, queries=queries, late=log.late, bound_ms=log.bound_ns / 1e6,
        percentile=round(100 * log.percentile, 6), loadgen=log.version.partition(" ")[0],
        search=search, mean_batch=queries / max(1, steps), padding=1 - queries / max(1, computed))
