"""ResNet50 by torch.compile with AMD's zentorch: fp32 and bf16.

zentorch 2.14 rewrites the graph and hands it to Inductor; convolutions go to PyTorch's own oneDNN, whose log proves
them. It has no int8 convolution.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
import torch._dynamo.config as dynamo_config
import zentorch  # noqa: F401  # importing it registers the backend

from . import peak
from .base import Engine, ModelRequest, PreparedModel, dummy_batch
from .inductor import compiled


class ZentorchEngine(Engine):
    """TORCH_TYPE=ZENTORCH: weights frozen into the graph; Inductor keeps its own cache."""

    def prepare(self, request: ModelRequest) -> PreparedModel:
        torch.compiler.reset()
        example = dummy_batch(request.batch_size, request.input_dtype)
        # It fuses what follows a convolution only where no shape may become dynamic.
        with dynamo_config.patch(automatic_dynamic_shapes=False):
            model = compiled(request.network().to(request.input_dtype), example, backend="zentorch")
        return PreparedModel(model, "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        return PreparedModel(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


ENGINE = ZentorchEngine()
