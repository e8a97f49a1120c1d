"""A result of MODE=server -> checks of LoadGen's verdict and of LoadGen's CPU time."""

from __future__ import annotations

from ..records import Check, Verdict, Window
from ..result import Result
from ..server import MLPERF_DURATION_S, Server
from .base import judge
from .window import meanwhile, overlap

#: The name of the check with LoadGen's own verdict.
LOADGEN = "LoadGen"


def run_all(result: Result) -> list[Check]:
    """Run every check of the queries, and of the time between ``go`` and ``stop``."""
    server, window = result.statistics.server, result.statistics.window
    if server is None or window is None:
        raise ValueError("the result has no queries")
    return [_verdict(result, server), *_search(server), _length(window), _padding(server), _took(result),
            overlap(window), *meanwhile(result)]


def _verdict(result: Result, server: Server) -> Check:
    """LoadGen's own verdict, unchanged."""
    latency = result.statistics.latency_ms
    known = latency.percentiles.get(f"{server.percentile:g}") if latency else None
    reading = (f"{'VALID' if server.valid else 'INVALID'} at {server.target_queries_per_s:.2f} queries/s"
               + (f", P{server.percentile:g} {known:.2f} ms" if known is not None else "")
               + f", {server.late} of {server.queries} queries later than {server.bound_ms:g} ms")
    lower = "a lower TARGET_QPS (auto finds one), " * (result.parameter("TARGET_QPS") != "auto")
    return judge(LOADGEN, reading, not server.valid, Verdict.INVALID, f"not met: {server.why}",
                 f"give {lower}more cores per instance or a longer LATENCY_BOUND_MS")


def _search(server: Server) -> list[Check]:
    """Whether the rate above the found one was INVALID because of noise."""
    if server.search is None:
        return []
    ceiling, reading = server.search.disturbed, f"{len(server.search.tried)} rates tried before this one"
    if ceiling is None:
        return [Check("search", reading, Verdict.OK)]
    shown = ceiling.text(f"{server.percentile:g}")
    return [Check("search", reading, Verdict.NOISY, f"a higher rate may be valid: {shown}",
                  "stop the other programs (see top), and repeat the search")]


def _length(window: Window) -> Check:
    return judge("length", f"{window.duration_s:.0f} s", window.duration_s < MLPERF_DURATION_S, Verdict.NOTE,
                 f"shorter than MLPerf's {MLPERF_DURATION_S} s", f"MIN_DURATION={MLPERF_DURATION_S}")


def _padding(server: Server) -> Check:
    return Check("padding", f"{100 * server.padding:.1f} % of the computed images, {server.mean_batch:.2f} queries "
                 "per batch", Verdict.OK)


def _took(result: Result) -> Check:
    """The CPU time of LoadGen, and the cores that it used."""
    counters, own = result.loadgen_counters(), result.placement.loadgen_cpu
    if counters is None:
        return Check("LoadGen's share", "not readable", Verdict.UNKNOWN, "the kernel has no schedstat")
    cores = counters.cpu_s / result.counters.duration_s
    where = f"cpu {own}, which it has alone" if own is not None else "the instances' cores"
    return judge("LoadGen's share", f"{cores:.2f} of a core, on {where}", own is None, Verdict.NOTE,
                 "LoadGen shared cores with the instances; with 8 or more instances it gets its own core")
