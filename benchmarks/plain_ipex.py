#!/usr/bin/env python3
"""What a user writes without this project: an IPEX loop, default allocator, nothing pinned.

Arguments: DATA_TYPE (fp32, bf16 or int8), BATCH_SIZE, CORES, STEPS. Prints images/s.
"""

import sys
import time
import warnings

import torch
import torchvision

warnings.simplefilter("ignore")
import intel_extension_for_pytorch as ipex  # noqa: E402

data_type, batch_size, cores, steps = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(cores)
torch.manual_seed(0)
model = torchvision.models.resnet50(weights=None).eval().to(memory_format=torch.channels_last)
images = torch.randn(batch_size, 3, 224, 224).to(memory_format=torch.channels_last)
with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=data_type == "bf16"):
    if data_type == "int8":
        model = ipex.quantization.prepare(model, ipex.quantization.default_static_qconfig_mapping,
                                          example_inputs=images[:1], inplace=True)
        model(images[:1])
        model = ipex.quantization.convert(model)
    else:
        model = ipex.optimize(model, dtype=torch.bfloat16 if data_type == "bf16" else torch.float32)
    model = torch.jit.freeze(torch.jit.trace(model, images))
    for _ in range(5):
        model(images)
    began = time.monotonic()
    for _ in range(steps):
        model(images)
    print(steps * batch_size / (time.monotonic() - began))
