#!/usr/bin/env python3
"""What MODE=server itself costs: LoadGen and the pipes with FAKE instances that answer at once.

    python3 benchmarks/server_handoff.py [--rates 2000 10000 20000] [--seconds 10] [--batch_size 4]

Everything but the engine is the product's own. Prints for each rate the time from a query's arrival until its answer,
and what LoadGen's process took of a core; then rates of half as much again, until LoadGen finds one INVALID.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from resnet50_bench.case import inputs  # noqa: E402
from resnet50_bench.case.case import Layer, Machine, resolve  # noqa: E402
from resnet50_bench.case.parameters import MOST_QPS  # noqa: E402
from resnet50_bench.errors import RunFailed  # noqa: E402
from resnet50_bench.launch.run_case import run_case  # noqa: E402
from resnet50_bench.launch.surroundings import Surroundings  # noqa: E402
from resnet50_bench.machine.cpu import read_cpu  # noqa: E402
from resnet50_bench.machine.topology import read_topology  # noqa: E402
from resnet50_bench.result.result import Result, read  # noqa: E402
from resnet50_bench.stack.environment import StackChoice  # noqa: E402
from support.fake_instance import interpreter  # noqa: E402


def measured(rate: float, batch: int, seconds: int, folder: Path) -> Result:
    """A case of FAKE instances."""
    python = interpreter(folder / "python", str(StackChoice.of(os.environ).worker_python()))
    values = {"MODE": "server", "PRECISION": "avx2_fp32", "TARGET_QPS": str(rate), "BATCH_SIZE": str(batch),
              "CORES_PER_INSTANCE": "1", "MIN_DURATION": str(seconds), "WARMUP_STEPS": "0"}
    case = resolve([Layer("flag", values)], Machine(read_cpu(), read_topology()))
    try:
        return run_case(case, inputs.find(case), read_topology(), python, folder, datetime.now(timezone.utc),
                        Surroundings({}), echo=io.StringIO())
    except RunFailed:  # LoadGen's verdict is in the result
        return read(next(folder.glob("benchmark_*.json")))


def show(rate: float, result: Result) -> bool:
    """A line; whether LoadGen found the rate VALID."""
    server, latency, loadgen = result.statistics.server, result.statistics.latency_ms, result.loadgen_counters()
    if not server or not latency or not loadgen:
        raise SystemExit(f"{rate:g} queries/s: {result.failure}")
    took = loadgen.cpu_s / result.counters.duration_s
    print(f"{rate:g} queries/s: {'VALID' if server.valid else 'INVALID'}, "
          f"reached {server.completed_queries_per_s:.0f}, P50 {latency.percentiles['50']:.2f} "
          f"P99 {latency.percentiles['99']:.2f} ms, LoadGen's process {took:.2f} of a core, "
          f"{server.mean_batch:.2f} queries a batch, {len(result.runs())} FAKE instances", flush=True)
    return server.valid


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[2000, 10000, 20000])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=4)
    words = parser.parse_args()

    def is_valid(rate: float) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            return show(rate, measured(rate, words.batch_size, words.seconds, Path(folder)))

    for rate in words.rates:
        is_valid(rate)
    rate = max(words.rates)
    while rate < MOST_QPS and is_valid(rate := min(MOST_QPS, 1.5 * rate)):
        pass


if __name__ == "__main__":
    main()
