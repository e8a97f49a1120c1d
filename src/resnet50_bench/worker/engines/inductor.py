"""ResNet50 by torch.compile with the Inductor: fp32, bf16 and statically quantised int8, without IPEX."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
import torch._dynamo.config as dynamo_config
import torch._inductor.config as inductor_config

from ...case.precision import INT8
from ..model_cache import cache_key, cached
from . import peak, pt2e
from .base import Engine, ModelRequest, Plain, PreparedModel, code_key


class InductorEngine(Engine):
    """TORCH_TYPE=COMPILE-INDUCTOR: weights frozen into the graph; Inductor keeps its own cache."""

    def prepare(self, request: ModelRequest) -> PreparedModel:
        # PyTorch counts the models of a process against its limit of recompilations, and keeps each one's weights.
        torch.compiler.reset()
        plain = request.model()
        if request.precision.dtype is INT8:
            return _quantised(request, plain)
        return PreparedModel(compiled(plain.network().to(request.input_dtype), plain.example), "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        if request.precision.dtype is INT8:
            return _quantised(request, request.peak())
        # Compiling the product would take longer than measuring it.
        return PreparedModel(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


def _quantised(request: ModelRequest, plain: Plain) -> PreparedModel:
    """The program with its scales comes from the cache; the machine code for it is Inductor's to keep."""
    saturates = request.precision.saturates
    key = cache_key(engine="COMPILE-INDUCTOR", precision=request.precision.name, saturates=str(saturates),
                    **code_key(plain.example, __file__, pt2e.__file__), **plain.key)
    program, cache = cached(
        request.cache_dir, key, suffix=".pt2",
        build=lambda: pt2e.quantised(plain.network(), plain.example, plain.calibration(), saturates),
        save=torch.export.save, load=pt2e.load)
    module = program.module()
    return PreparedModel(compiled(module, plain.example), cache, quantise_nodes=pt2e.quantise_nodes(module))


def compiled(model: torch.nn.Module, example: torch.Tensor,
             backend: str = "inductor") -> Callable[[torch.Tensor], torch.Tensor]:
    """Code for batches like ``example`` and as many threads as this thread would use.

    The code names its threads in ``num_threads``. The key of Inductor's cache holds its configuration but not
    ``torch.get_num_threads()`` (torch 2.8, codecache.FxGraphHashDetails), so the number is written there; else code
    of another instance's size would come from the cache.
    """
    inductor_config.freezing = True
    inductor_config.cpp.threads = torch.get_num_threads()
    dynamo_config.fail_on_recompile_limit_hit = True  # by default it goes on without compiling, at another speed
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = torch.compile(model, dynamic=False, backend=backend)
        code(example)
    return code


ENGINE = InductorEngine()
