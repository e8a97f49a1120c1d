#!/usr/bin/env python3
"""Two ways to run a case, taking turns (A B B A): ratios of throughput and of proportional memory, with their spread.

    python3 benchmarks/taking_turns.py --a=--weight_sharing=True --b=--weight_sharing=False --precision=amx_int8 ...
    python3 benchmarks/taking_turns.py --a="--batch_size=8 --cores_per_instance=7" --b=--batch_size=32 ...
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measure(flags: list[str]) -> tuple[float, float]:
    """(images/s, proportional memory of all processes in MB) of run_test.sh with these flags."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "run_test.sh", *flags], cwd=folder, stdout=subprocess.DEVNULL, check=True)
        result = json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
    memory = sum(report["facts"]["memory"]["pss_bytes"] for report in result["processes"])
    return result["statistics"]["throughput_images_per_s"], memory / 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--a", required=True, metavar="FLAGS")
    parser.add_argument("--b", required=True, metavar="FLAGS")
    given, common = parser.parse_known_args()
    own = {"A": shlex.split(given.a), "B": shlex.split(given.b)}
    rates, memories = [], []
    for number in range(1, given.rounds + 1):
        # Every other round begins with the other, so that a drift of the machine favours neither.
        found = {name: measure([*common, *own[name]]) for name in ("AB" if number % 2 else "BA")}
        rates.append(found["A"][0] / found["B"][0])
        memories.append(found["A"][1] / found["B"][1])
        print(f"round {number}/{given.rounds}: A {found['A'][0]:.2f}, B {found['B'][0]:.2f} images/s; "
              f"{found['A'][1]:.0f}, {found['B'][1]:.0f} MB", flush=True)
    for what, ratios in (("throughput", rates), ("proportional memory", memories)):
        print(f"{what}, A / B: median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
