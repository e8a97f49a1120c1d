#!/usr/bin/env python3
"""Instances that share one copy of the weights against a process each, interleaved (A B A B): throughput and memory.

    python3 benchmarks/weight_sharing.py --rounds 5 --precision=amx_int8 --cores_per_instance=1 [flags of run_test.sh]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measure(flags: list[str]) -> tuple[float, float]:
    """(images/s, proportional memory of all processes in MB)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "run_test.sh", *flags], cwd=folder, stdout=subprocess.DEVNULL, check=True)
        result = json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
    memory = sum(report["facts"]["memory"]["pss_bytes"] for report in result["processes"])
    return result["statistics"]["throughput_images_per_s"], memory / 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given, flags = parser.parse_known_args()
    rates, memories = [], []
    for number in range(1, given.rounds + 1):
        # Every other round begins with the other, so that a drift of the machine favours neither.
        order = (True, False) if number % 2 else (False, True)
        found = {shared: measure([*flags, f"--weight_sharing={shared}"]) for shared in order}
        (shared_rate, shared_mb), (own_rate, own_mb) = found[True], found[False]
        rates.append(shared_rate / own_rate)
        memories.append(shared_mb / own_mb)
        print(f"round {number}/{given.rounds}: shared {shared_rate:.2f}, own {own_rate:.2f} images/s; "
              f"{shared_mb:.0f}, {own_mb:.0f} MB", flush=True)
    for what, ratios in (("throughput", rates), ("proportional memory", memories)):
        print(f"{what}, shared / own: median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
