"""ResNet50 by torch.compile with the Inductor: fp32 and bf16, without IPEX."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
import torch._inductor.config as inductor_config

from . import peak
from .base import Engine, ModelRequest, Prepared, dummy_batch


class InductorEngine(Engine):
    """TORCH_TYPE=COMPILE-INDUCTOR: weights frozen into the graph; Inductor keeps its own cache."""

    def prepare(self, request: ModelRequest) -> Prepared:
        inductor_config.freezing = True
        model = torch.compile(request.network().to(request.input_dtype))
        example = dummy_batch(request.batch_size, request.input_dtype)
        with torch.inference_mode():
            model(example)
        return Prepared(model, "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> Prepared:
        # Compiling the product would take longer than measuring it, and oneDNN runs it either way.
        return Prepared(peak.product().to(request.input_dtype), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


ENGINE = InductorEngine()
