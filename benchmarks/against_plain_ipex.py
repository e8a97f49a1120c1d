#!/usr/bin/env python3
"""Ours against a plain IPEX loop at the same settings, interleaved: ratios with their spread.

Run it with any Python once ``scripts/setup.sh`` has made the environment:

    python3 benchmarks/against_plain_ipex.py --rounds 5 --points amx_int8:32:2 amx_bfloat16:32:2 avx_fp32:32:2

A point is PRECISION:BATCH_SIZE:CORES. Points that this CPU cannot run are named and passed over.
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
sys.path.insert(0, str(ROOT / "src"))

from resnet50_bench.case.precision import PRECISIONS  # noqa: E402
from resnet50_bench.machine.cpu import read_cpu  # noqa: E402
from resnet50_bench.stack.environment import worker_python  # noqa: E402

_PLAIN = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8"}


def ours(precision: str, batch: str, cores: str, steps: str) -> float:
    """images/s of one instance through run_test.sh."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "run_test.sh", f"--precision={precision}", f"--batch_size={batch}",
                        f"--cores_per_instance={cores}", f"--steps={steps}", "--warmup_steps=5",
                        "--instance_mode=single", "--min_duration=0"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        result = json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
    return result["statistics"]["throughput_images_per_s"]


def plain(precision: str, batch: str, cores: str, steps: str) -> float:
    """images/s of the loop that a user would write; capped to the same ISA as ours."""
    facts = PRECISIONS[precision]
    done = subprocess.run(
        [worker_python(), ROOT / "benchmarks/plain_ipex.py", _PLAIN[facts.data_type], batch, cores, steps],
        check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "ONEDNN_MAX_CPU_ISA": facts.isa_cap})
    return float(done.stdout.split()[-1])


def main() -> int:
    """Measure every point, A B A B, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", default="20")
    parser.add_argument("--points", nargs="+", required=True)
    arguments = parser.parse_args()
    flags = read_cpu().flags
    for point in arguments.points:
        precision, batch, cores = point.split(":")
        missing = PRECISIONS[precision].missing_flags(flags)
        if missing:
            print(f"{point}: not measured, this CPU lacks {' '.join(missing)}")
            continue
        pairs = []
        for number in range(arguments.rounds):
            pair = (ours(precision, batch, cores, arguments.steps),
                    plain(precision, batch, cores, arguments.steps))
            print(f"{point} round {number + 1}/{arguments.rounds}: ours {pair[0]:.1f}, plain {pair[1]:.1f} images/s",
                  flush=True)
            pairs.append(pair)
        ratios = sorted(a / b for a, b in pairs)
        print(f"{point}: ours {statistics.median(a for a, _ in pairs):.1f}, plain "
              f"{statistics.median(b for _, b in pairs):.1f} images/s, ratio median "
              f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
