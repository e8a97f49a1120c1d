#!/usr/bin/env python3
"""The least that a user could write: one thread, the prepared model, a loop. No harness; prints one JSON line.

Arguments: MODEL (a prepared model's file), BATCH_SIZE, DTYPE (float32, bfloat16), SECONDS. Environment, pinning and
allocator are the caller's to give; benchmarks/cost_of_the_harness.py gives those of a case.
"""

import json
import resource
import sys
import time

import torch

from resnet50_bench.worker.engines import ipex

model_file, batch_size, dtype, seconds = sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3]), float(sys.argv[4])
library = ipex.library()
if "bfloat32" in model_file:
    library.set_fp32_math_mode(library.FP32MathMode.BF32)
model = torch.jit.load(model_file)
images = torch.randn(batch_size, 3, 224, 224).to(dtype).contiguous(memory_format=torch.channels_last)


def loop(duration: float) -> tuple[int, float]:
    """(steps, seconds they took)."""
    began, steps = time.monotonic(), 0
    while (now := time.monotonic()) < began + duration:
        model(images)
        steps += 1
    return steps, now - began


with torch.inference_mode():
    loop(max(1.5, seconds / 3))
    before = resource.getrusage(resource.RUSAGE_SELF)
    done, took = loop(seconds)
    after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"images_per_s": done * batch_size / took,
                  "switches_a_step": (after.ru_nvcsw - before.ru_nvcsw) / done}))
