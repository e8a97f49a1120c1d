"""ResNet50 by plain PyTorch, op by op: fp32 and bf16."""

from __future__ import annotations

from ..job import PreparedModel
from .base import ModelRequest, Plain, PyTorchEngine


class EagerEngine(PyTorchEngine):
    """TORCH_TYPE=EAGER: nothing is fused, nothing is cached."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        return PreparedModel(plain.network().to(request.input_dtype), "unused")


ENGINE = EagerEngine()
