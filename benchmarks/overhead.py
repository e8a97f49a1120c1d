#!/usr/bin/env python3
"""What measuring costs: our timed loop against a bare loop of the same model calls, interleaved in one process.

    $(scripts/resnet50-bench.sh env --print-python) benchmarks/overhead.py avx2_int8

Prints the ratio of the times (ours / bare) as median and quartiles over the rounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from resnet50_bench import model_cache  # noqa: E402
from resnet50_bench.instance import Instance  # noqa: E402
from resnet50_bench.precision import PRECISIONS  # noqa: E402

ROUNDS, STEPS = 40, 25


def main() -> int:
    """Measure and print."""
    precision = PRECISIONS[sys.argv[1]]
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", precision.isa_cap)
    import torch

    from resnet50_bench.engines import load
    from resnet50_bench.engines.base import ModelRequest, dummy_batch

    request = ModelRequest(precision.name, precision.data_type, precision.isa_cap, 1, model_cache.default_folder())
    model, batch = load("IPEX").prepare(request).model, dummy_batch(1, request.input_dtype)

    def bare() -> float:
        began = time.monotonic()
        for _ in range(STEPS):
            model(batch)
        return time.monotonic() - began

    def ours() -> float:
        part = {"index": 0, "cpus": sorted(os.sched_getaffinity(0)), "memory_node": None}
        instance = Instance(part, model, batch, {"steps": STEPS, "min_duration": 0}, dict)
        instance.on_enough = lambda index: instance.stop.set()
        began = time.monotonic()
        instance._measure()
        return time.monotonic() - began

    with torch.inference_mode():
        for _ in range(3):
            bare(), ours()
        ratios = []
        for number in range(ROUNDS):
            pair = (ours(), bare()) if number % 2 else (bare(), ours())[::-1]
            ratios.append(pair[0] / pair[1])
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{precision.name} batch 1: ours / bare = {middle:.4f} (quartiles {low:.4f} to {high:.4f}, {ROUNDS} rounds "
          f"of {STEPS} steps)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
