#!/usr/bin/env python3
"""Our throughput and latency against MLPerf's LoadGen on the same instances, taking turns: ratios with their spread.

    python3 benchmarks/against_loadgen.py --rounds 5 --points amx_int8:8:1 amx_bfloat16:8:1 avx_fp32:8:1

A point is PRECISION:BATCH_SIZE:CORES. Offline (all images there, in batches of BATCH_SIZE) is against MODE=throughput,
SingleStream's P90 (one image after the other) against that of MODE=latency. LoadGen asks the instances of MODE=server.

Each line has two ratios. The first is LoadGen's figure to ours by turns: it includes the machine's drift between two
runs. The second is LoadGen's figure to our formula for the very steps that LoadGen asked for: the machine cannot change
in between.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import msgspec  # noqa: E402
import pairs  # noqa: E402

from resnet50_bench.case import inputs  # noqa: E402
from resnet50_bench.case.case import Layer, Machine, resolve  # noqa: E402
from resnet50_bench.errors import Infrastructure  # noqa: E402
from resnet50_bench.launch import launcher, worker_process  # noqa: E402
from resnet50_bench.launch.run_case import run_case  # noqa: E402
from resnet50_bench.launch.surroundings import Surroundings  # noqa: E402
from resnet50_bench.machine.cpu import read_cpu  # noqa: E402
from resnet50_bench.machine.topology import read_topology  # noqa: E402
from resnet50_bench.result import stats  # noqa: E402
from resnet50_bench.result.processes import ProcessReport, Run, read_report  # noqa: E402
from resnet50_bench.result.result import Result  # noqa: E402
from resnet50_bench.result.server import DETAIL  # noqa: E402
from resnet50_bench.stack.environment import StackChoice  # noqa: E402

_server_spec = worker_process.server_spec


def run(folder: Path, **values: str) -> Result:
    """A case by fresh processes, in a folder of its own."""
    case = resolve([Layer("flag", values)], Machine(read_cpu(), read_topology()))
    python = StackChoice.of(os.environ).worker_python(case.stack)
    return run_case(case, inputs.find(case), read_topology(), python, folder, datetime.now(timezone.utc),
                    Surroundings.of(os.environ), echo=io.StringIO())


def ours(mode: str, seconds: str, precision: str, batch: str, cores: str) -> Result:
    """MODE=throughput by all instances, MODE=latency by one: LoadGen's SingleStream keeps only one busy."""
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), MODE=mode, PRECISION=precision, BATCH_SIZE=batch, CORES_PER_INSTANCE=cores, STEPS="20",
                   MIN_DURATION=seconds, INSTANCE_MODE="single" if mode == "latency" else "flex")


def theirs(scenario: str, key: str, rate: float, seconds: str, precision: str, batch: str,
           cores: str) -> tuple[float, list[Run]]:
    """A figure of LoadGen's detail log, and the steps that it asked for; ``rate`` is what LoadGen expects."""
    worker_process.server_spec = lambda *words: msgspec.structs.replace(_server_spec(*words), scenario=scenario)
    runs: list[Run] = []

    def keep(path: Path) -> ProcessReport:
        report = read_report(path)
        runs.extend(report.runs)
        return report

    launcher.read_report = keep
    with tempfile.TemporaryDirectory() as name:
        with suppress(Infrastructure):  # a case has no other scenario than Server: its log lacks what that one has
            run(Path(name), MODE="server", PRECISION=precision, BATCH_SIZE=batch, CORES_PER_INSTANCE=cores,
                MIN_DURATION=seconds, TARGET_QPS=f"{rate:.2f}",
                INSTANCE_MODE="single" if scenario == "SingleStream" else "flex")
        records = [json.loads(line.partition(" ")[2]) for line in (Path(name) / DETAIL).read_text().splitlines()]
    return float({record["key"]: record["value"] for record in records}[key]), runs


def compare(name: str, rounds: int, mine: Callable[[], float], other: Callable[[], tuple[float, float]],
            unit: str) -> None:
    """A B, B A, ...: a line each round. ``other`` returns LoadGen's figure, and ours of the same steps."""
    turns: list[float] = []
    same_steps: list[float] = []
    for number in range(rounds):
        if number % 2:
            (second, own), first = other(), mine()
        else:
            first, (second, own) = mine(), other()
        turns.append(second / first)
        same_steps.append(second / own)
        print(f"{name} round {number + 1}/{rounds}: ours {first:.2f}, LoadGen {second:.2f}, ours of the same steps "
              f"{own:.2f} {unit}", flush=True)
    for kind, ratios in (("by turns", turns), ("of the same steps", same_steps)):
        print(f"{name}: LoadGen / ours {kind}: median {statistics.median(ratios):.3f} ({min(ratios):.3f} to "
              f"{max(ratios):.3f})", flush=True)


def measure(precision: str, batch: str, cores: str, rounds: int, seconds: str) -> None:
    """Both comparisons of a point."""
    rates: list[float] = []

    def throughput() -> float:
        rates.append(ours("throughput", seconds, precision, batch, cores).statistics.throughput_images_per_s)
        return rates[-1]

    def latency() -> float:
        return ours("latency", seconds, precision, "1", cores).statistics.latency_ms.percentiles["90"]

    def offline() -> tuple[float, float]:
        figure, runs = theirs("Offline", "result_samples_per_second", rates[-1], seconds, precision, batch, cores)
        begin, end, _ = stats.common_window([run.starts_ns[0] for run in runs], [run.ends_ns[-1] for run in runs])
        return figure, sum(stats.throughput(run.starts_ns, run.ends_ns, (begin, end), int(batch)) for run in runs)

    def single_stream() -> tuple[float, float]:
        figure, (run,) = theirs("SingleStream", "result_90.00_percentile_latency_ns", expected, seconds, precision,
                                "1", cores)
        return figure / 1e6, stats.percentile(sorted(run.times_ms()), 90)

    throughput()  # what LoadGen then expects
    compare(f"{precision}:{batch}:{cores} Offline / throughput", rounds, throughput, offline, "images/s")
    expected = 1e3 / latency()
    compare(f"{precision}:1:{cores} SingleStream P90 / latency P90", rounds, latency, single_stream, "ms")


def main() -> None:
    """Measure every point."""
    parser = pairs.words(__doc__.splitlines()[0])
    parser.add_argument("--seconds", default="10")
    words = parser.parse_args()
    for _, point in pairs.runnable(words.points):
        measure(*point, words.rounds, words.seconds)


if __name__ == "__main__":
    main()
