#!/usr/bin/env python3
"""How often a run's 95 % interval covers the mean of all runs, and how often a verdict is noisy, quiet and loaded.

    python3 benchmarks/calibration.py --runs 20 -- --precision=avx2_int8 --batch_size=1 --min_duration=5

Quiet and loaded runs take turns (A B A B); the load is a busy loop on the first core that an instance uses.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from resnet50_bench.result.stats import t_quantile  # noqa: E402

LOAD = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def run(flags: list[str], loaded: bool) -> dict:
    """One case's result."""
    load = subprocess.Popen([sys.executable, "-c", LOAD]) if loaded else None
    try:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([ROOT / "run_test.sh", *flags], cwd=folder, check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            return json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
    finally:
        if load:
            load.kill()
            load.wait()


def report(name: str, results: list[dict]) -> None:
    """Coverage, spread and verdicts of one kind of runs."""
    passed = [r["statistics"] for r in results if r["statistics"]]
    rates = [s["throughput_images_per_s"] for s in passed]
    mean = statistics.mean(rates)
    covered = sum(s["throughput_ci95"][0] <= mean <= s["throughput_ci95"][1] for s in passed if "throughput_ci95" in s)
    half = t_quantile(0.975, len(rates) - 1) * statistics.stdev(rates) / len(rates) ** 0.5
    widths = [(s["throughput_ci95"][1] - s["throughput_ci95"][0]) / s["throughput_images_per_s"] for s in passed]
    print(f"{name}: {len(passed)} of {len(results)} runs measured; mean {mean:.2f} images/s +- {half:.2f} (between "
          f"runs), CV {100 * statistics.stdev(rates) / mean:.2f} %; intervals (median width "
          f"{100 * statistics.median(widths):.1f} %) covering the mean: {covered} of {len(passed)}")
    verdicts = [r["verdict"] for r in results]
    print(f"{name}: verdicts " + ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(set(verdicts))))
    reasons: dict[str, int] = {}
    for r in results:
        for reason in {text.split(":")[0] for text in r["reasons"]}:
            reasons[reason] = reasons.get(reason, 0) + 1
    print(f"{name}: reasons " + (", ".join(f"{n} x {reason}" for reason, n in sorted(reasons.items())) or "none"))


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("flags", nargs="*", help="of run_test.sh, after --")
    given = parser.parse_args()
    kinds: dict[str, list[dict]] = {"quiet": [], "loaded": []}
    for number in range(given.runs):
        for name, results in kinds.items():
            results.append(run(given.flags, name == "loaded"))
            rate = results[-1]["statistics"].get("throughput_images_per_s")
            print(f"round {number + 1}/{given.runs} {name}: {rate and round(rate, 2)} images/s, "
                  f"{results[-1]['verdict']}; load average {os.getloadavg()[0]:.1f}", flush=True)
    for name, results in kinds.items():
        report(name, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
