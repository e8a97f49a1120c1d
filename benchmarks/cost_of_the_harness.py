#!/usr/bin/env python3
"""What the harness costs: a case against a bare loop in one thread with the same model, library, allocator and pinning.

    python3 benchmarks/cost_of_the_harness.py [--rounds 5] [--seconds 4] [--batches 1 8 32] [PRECISION...]

Both run in fresh processes and take turns (A B, B A, ...). Prints the ratio ours / bare of each precision and batch
size, median and range over the rounds, and the voluntary context switches a step of both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from resnet50_bench.case.case import Layer, Machine, resolve  # noqa: E402
from resnet50_bench.case.precision import PRECISIONS  # noqa: E402
from resnet50_bench.launch.placement import place  # noqa: E402
from resnet50_bench.launch.plan import worker_environment  # noqa: E402
from resnet50_bench.machine.cpu import read_cpu  # noqa: E402
from resnet50_bench.machine.topology import read_topology  # noqa: E402
from resnet50_bench.stack import user_cache  # noqa: E402
from resnet50_bench.stack.environment import StackChoice  # noqa: E402
from resnet50_bench.stack.native_libraries import native_libraries  # noqa: E402


def words(precision: str, batch: int, seconds: float) -> dict[str, str]:
    """The case's parameters."""
    return {"PRECISION": precision, "BATCH_SIZE": str(batch), "STEPS": "2", "WARMUP_STEPS": "5",
            "MIN_DURATION": str(round(seconds)), "INSTANCE_MODE": "single"}


def ours(values: dict[str, str]) -> dict[str, float]:
    """A case by the runner, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        flags = [f"--{name.lower()}={text}" for name, text in values.items()]
        done = subprocess.run([ROOT / "run_test.sh", *flags], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the case failed: {done.stdout}{done.stderr}")
        result = json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
        steps = sum(len(run["starts_ns"]) for report in result["processes"] for run in report["runs"])
        switches = sum(process["voluntary_switches"] for process in result["counters"]["processes"].values())
        return {"images_per_s": result["statistics"]["throughput_images_per_s"], "switches_a_step": switches / steps}


def bare(values: dict[str, str], seconds: float) -> dict[str, float]:
    """The bare loop with the newest prepared model of the case."""
    topology = read_topology()
    case = resolve([Layer("flag", values)], Machine(read_cpu(), topology))
    instance = place(topology, case.cores_per_instance, case.instance_mode, False)[0].instances[0]
    known = user_cache.models().glob(f"ipex-{case.precision}-b{case.batch_size}-*.pt")
    # The peak's product is far smaller than ResNet50.
    model = max((path for path in known if path.stat().st_size > 10e6), key=lambda path: path.stat().st_mtime)
    given = worker_environment(case, [instance.cpus], native_libraries(), os.environ)
    dtype = PRECISIONS[case.precision].dtype.tensors
    done = subprocess.run([StackChoice.of(os.environ).worker_python(), Path(__file__).with_name("bare_loop.py"), model,
                           str(case.batch_size), dtype, str(seconds)], env=given | {"PYTHONPATH": str(ROOT / "src")},
                          capture_output=True, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, instance.cpus))
    return json.loads(re.findall(r"^\{.*\}$", done.stdout, re.M)[-1])


def spread(values: list[float], digits: int = 3) -> str:
    """``median (least to greatest)``."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("precisions", nargs="*", metavar="PRECISION")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    given = parser.parse_args()
    flags = read_cpu().flags
    runnable = [name for name, one in PRECISIONS.items() if not one.missing_flags(flags) and
                not (name.startswith("avx2") and "avx512f" in flags)]
    for precision in given.precisions or runnable:
        for batch in given.batches:
            values = words(precision, batch, given.seconds)
            ours(values | {"MIN_DURATION": "0", "WARMUP_STEPS": "0"})  # the prepared model is there from now on
            both: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
            for number in range(given.rounds):
                for side in ("ours", "bare") if number % 2 else ("bare", "ours"):
                    both[side].append(ours(values) if side == "ours" else bare(values, given.seconds))
            ratios = [mine["images_per_s"] / other["images_per_s"]
                      for mine, other in zip(both["ours"], both["bare"], strict=True)]
            print(f"{precision} batch {batch}: ours / bare {spread(ratios)}; images/s "
                  f"{spread([one['images_per_s'] for one in both['ours']], 1)} and "
                  f"{spread([one['images_per_s'] for one in both['bare']], 1)}; voluntary switches a step "
                  f"{spread([one['switches_a_step'] for one in both['ours']], 1)} and "
                  f"{spread([one['switches_a_step'] for one in both['bare']], 1)}", flush=True)


if __name__ == "__main__":
    main()
