"""ResNet50 by torch.compile with AMD's zentorch: fp32 and bf16.

zentorch 2.14 rewrites the graph and hands it to Inductor. Convolutions run in PyTorch's own oneDNN, whose log proves
them. zentorch has no int8 convolution.
"""

from __future__ import annotations

import torch
import torch._dynamo.config as dynamo_config
import zentorch  # noqa: F401  # importing it registers the backend

from ..job import PreparedModel
from .base import ModelRequest, Plain, PyTorchEngine
from .inductor import compiled


class ZentorchEngine(PyTorchEngine):
    """TORCH_TYPE=ZENTORCH: weights frozen into the graph. Inductor has its own cache."""

    def forget(self) -> None:
        torch.compiler.reset()

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        # It fuses operations into the convolution before them only if all shapes are static.
        with dynamo_config.patch(automatic_dynamic_shapes=False):
            model = compiled(plain.network().to(request.input_dtype), plain.example, backend="zentorch")
        return PreparedModel(model, "Inductor's own")


ENGINE = ZentorchEngine()
