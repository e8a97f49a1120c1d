#!/usr/bin/env python3
"""Throughput in the container against native, interleaved (A B A B): ratios with their spread.

    python3 benchmarks/container_against_native.py --rounds 5 CASE [flags of ctest.sh ...]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def throughput(backend: str, case: str, flags: list[str]) -> float:
    """images/s of the case on a backend."""
    with tempfile.TemporaryDirectory() as build:
        done = subprocess.run([ROOT / "ctest.sh", "-V", "--testcase", case, *flags], capture_output=True, text=True,
                              check=True, env=os.environ | {"RESNET50_BENCH_BUILD": build, "BACKEND": backend})
    return float(re.search(r"\*?Throughput \(samples/sec\): ([0-9.]+)", done.stdout).group(1))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("case")
    given, flags = parser.parse_known_args()
    ratios = []
    for number in range(given.rounds):
        pair = [throughput(backend, given.case, flags) for backend in ("docker", "native")]
        ratios.append(pair[0] / pair[1])
        print(f"round {number + 1}/{given.rounds}: docker {pair[0]:.2f}, native {pair[1]:.2f} images/s", flush=True)
    print(f"docker / native: median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
