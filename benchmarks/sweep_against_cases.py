#!/usr/bin/env python3
"""Wall time of a sweep against the same points run as separate cases with equal settings, and their throughputs.

    python3 benchmarks/sweep_against_cases.py [--batches "1 2 4 8 16"] [--cores "1 2"] [-- --steps=6 ...]

An untimed sweep comes first, so that both find every prepared model in the cache. The settings are a sweep's own
defaults where none are given; with --as-typed the cases run by their own, as somebody would who has no sweep.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from resnet50_bench.sweep.axes import DEFAULTS  # noqa: E402

Point = tuple[str, str, str]
AXES = ("PRECISION", "BATCH_SIZE", "CORES_PER_INSTANCE")


def results(folder: Path) -> dict[Point, float]:
    """Images/s of every result below."""
    found = {}
    for path in folder.glob("*/benchmark_*.json"):
        result = json.loads(path.read_text())
        if result["failure"]:
            raise SystemExit(f"{path}: {result['failure']}")
        found[tuple(result["case"][name] for name in AXES)] = result["statistics"]["throughput_images_per_s"]
    return found


def sweep(folder: Path, flags: list[str]) -> float:
    """Seconds."""
    folder.mkdir()
    began = time.monotonic()
    subprocess.run([ROOT / "scripts/resnet50-bench.sh", "sweep", *flags], cwd=folder, check=True)
    return time.monotonic() - began


def cases(folder: Path, points: list[Point], flags: list[str]) -> float:
    """Seconds of a ``run_test.sh`` for each point."""
    began = time.monotonic()
    for number, point in enumerate(points, start=1):
        here = folder / "-".join(point)
        here.mkdir(parents=True)
        words = [f"--{name.lower()}={text}" for name, text in zip(AXES, point, strict=True)]
        subprocess.run([ROOT / "run_test.sh", *words, *flags], cwd=here, check=True, stdout=subprocess.DEVNULL)
        print(f"case {number} of {len(points)}: {' '.join(point)}, {time.monotonic() - began:.0f} s so far", flush=True)
    return time.monotonic() - began


def main() -> int:
    """Measure and report; 1 where the sweep takes more than 40 % of the cases' time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", default="1 2 4 8 16")
    parser.add_argument("--cores", default="1 2")
    parser.add_argument("--precisions", default="", help="default: all that this CPU runs")
    parser.add_argument("--as-typed", action="store_true", help="the cases by their own defaults")
    parser.add_argument("flags", nargs="*", help="of run_test.sh, after --")
    given = parser.parse_args()
    settings = [f"--{name.lower()}={text}" for name, text in DEFAULTS.items()] + given.flags
    axes = [f"--batch_size={given.batches}", f"--cores_per_instance={given.cores}"]
    axes += [f"--precision={given.precisions}"] if given.precisions else []
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        sweep(base / "prepare", [*axes, *settings, "--steps=1", "--warmup_steps=0", "--min_duration=0"])
        sweep_s = sweep(base / "sweep", [*axes, *settings])
        warm = results(base / "sweep")
        cases_s = cases(base / "cases", sorted(warm), given.flags if given.as_typed else settings)
        cold = results(base / "cases")
    ratios = sorted(warm[point] / cold[point] for point in warm)
    print(f"settings: {' '.join(settings)}; load average at the end {os.getloadavg()[0]:.1f}")
    print(f"{len(warm)} points: sweep {sweep_s:.0f} s, separate cases {cases_s:.0f} s: {100 * sweep_s / cases_s:.0f} %")
    print(f"throughput in the sweep / as a case: median {statistics.median(ratios):.3f}, from {ratios[0]:.3f} to "
          f"{ratios[-1]:.3f}")
    return int(sweep_s > 0.4 * cases_s)


if __name__ == "__main__":
    sys.exit(main())
