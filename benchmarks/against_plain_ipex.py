#!/usr/bin/env python3
"""Ours against a plain IPEX loop at the same settings, interleaved: ratios with their spread.

Run it with any Python once ``scripts/setup.sh`` has made the environment:

    python3 benchmarks/against_plain_ipex.py --rounds 5 --points amx_int8:32:2 amx_bfloat16:32:2 avx_fp32:32:2

A point is PRECISION:BATCH_SIZE:CORES. Points that this CPU cannot run are named and passed over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

import pairs  # noqa: E402

from resnet50_bench.case.precision import PRECISIONS  # noqa: E402
from resnet50_bench.stack.environment import StackChoice  # noqa: E402


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
        [StackChoice.of(os.environ).worker_python(), ROOT / "benchmarks/plain_ipex.py",
         facts.dtype.name, batch, cores, steps],
        check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "ONEDNN_MAX_CPU_ISA": facts.isa_cap})
    return float(done.stdout.split()[-1])


def main() -> int:
    """Measure every point, A B A B, and print a line for each."""
    parser = pairs.words(__doc__.splitlines()[0])
    parser.add_argument("--steps", default="20")
    arguments = parser.parse_args()
    for point, words in pairs.runnable(arguments.points):
        pairs.compare(point, arguments.rounds, lambda words=words: ours(*words, arguments.steps),
                      lambda words=words: plain(*words, arguments.steps), "plain")
    return 0


if __name__ == "__main__":
    sys.exit(main())
