#!/usr/bin/env python3
"""TORCH_TYPE=OPENVINO against OpenVINO's own benchmark_app: the same model file, threads and batch, taking turns.

Run it with any Python once ``scripts/setup.sh --stack openvino`` has made the environment:

    python3 benchmarks/against_benchmark_app.py --rounds 5 --points avx2_int8:8:2 avx2_fp32:8:2

A point is PRECISION:BATCH_SIZE:CORES: one instance, one stream. Points that this CPU cannot run are named and passed
over.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

import pairs  # noqa: E402

from resnet50_bench.case.precision import PRECISIONS  # noqa: E402
from resnet50_bench.stack.environment import StackChoice  # noqa: E402

#: As worker/engines/openvino.py writes its file: the length of the XML, the XML, the weights.
_LENGTH_BYTES = 8


def ours(point: list[str], cache: Path, seconds: int) -> float:
    """images/s of one instance through run_test.sh."""
    precision, batch, cores = point
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "run_test.sh", f"--precision={precision}", f"--batch_size={batch}",
                        f"--cores_per_instance={cores}", "--torch_type=OPENVINO", "--instance_mode=single",
                        f"--min_duration={seconds}"], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"RESNET50_BENCH_CACHE": str(cache)})
        result = json.loads(next(Path(folder).glob("benchmark_*.json")).read_text())
    return float(result["statistics"]["throughput_images_per_s"])


def exported(cache: Path) -> Path:
    """ResNet50 as ours was measured, in the two files that benchmark_app takes; the other model there is the peak's."""
    data = max(cache.glob("*.openvino"), key=lambda path: path.stat().st_size).read_bytes()
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    (cache / "model.xml").write_bytes(data[_LENGTH_BYTES:end])
    (cache / "model.bin").write_bytes(data[end:])
    return cache / "model.xml"


def theirs(model: Path, point: list[str], seconds: int) -> float:
    """images/s that benchmark_app prints."""
    precision, _, cores = point
    words = ["-m", model, "-d", "CPU", "-api", "sync", "-hint", "none", "-nstreams", "1", "-nthreads", cores,
             "-infer_precision", PRECISIONS[precision].dtype.openvino, "-t", str(seconds)]
    program = StackChoice.of(os.environ).worker_python().with_name("benchmark_app")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True,
                          env=os.environ | {"ONEDNN_MAX_CPU_ISA": PRECISIONS[precision].isa_cap})
    return float(re.findall(r"Throughput: +([0-9.]+) FPS", done.stdout)[-1])


def main() -> int:
    """Measure every point, A B A B, and print a line for each."""
    os.environ["RESNET50_BENCH_STACK"] = "openvino"
    parser = pairs.words(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8)
    arguments = parser.parse_args()
    for name, point in pairs.runnable(arguments.points):
        with tempfile.TemporaryDirectory() as folder:
            cache = Path(folder)
            ours(point, cache, 1)  # makes the model
            model = exported(cache)
            pairs.compare(name, arguments.rounds,
                          lambda point=point, cache=cache: ours(point, cache, arguments.seconds),
                          lambda point=point, model=model: theirs(model, point, arguments.seconds), "benchmark_app")
    return 0


if __name__ == "__main__":
    sys.exit(main())
