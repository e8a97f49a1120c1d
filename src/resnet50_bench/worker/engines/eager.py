"""ResNet50 by plain PyTorch, op by op: fp32 and bf16."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from . import peak
from .base import Engine, ModelRequest, PreparedModel


class EagerEngine(Engine):
    """TORCH_TYPE=EAGER: nothing is fused, nothing is cached."""

    def prepare(self, request: ModelRequest) -> PreparedModel:
        return PreparedModel(request.network().to(request.input_dtype), "unused")

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        # With weights that are packed anew in each call the peak would be below what other engines reach.
        return PreparedModel(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


ENGINE = EagerEngine()
