"""ResNet50 by torch.compile with the Inductor: fp32, bf16 and statically quantised int8, without IPEX."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

import torch
import torch._dynamo.config as dynamo_config
import torch._inductor.config as inductor_config

from ...case.precision import PRECISIONS
from ..model_cache import cache_key, cached
from . import peak, pt2e
from .base import Engine, ModelRequest, Prepared, code_key, dummy_batch


class InductorEngine(Engine):
    """TORCH_TYPE=COMPILE-INDUCTOR: weights frozen into the graph; Inductor keeps its own cache."""

    def prepare(self, request: ModelRequest) -> Prepared:
        # PyTorch counts the models of a process against its limit of recompilations, and keeps each one's weights.
        torch.compiler.reset()
        example = dummy_batch(request.batch_size, request.input_dtype)
        if request.data_type == "int8":
            return _quantised(request, request.inputs_key(), request.network, example, request.calibration_images)
        return Prepared(compiled(request.network().to(request.input_dtype), example), "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> Prepared:
        if request.data_type == "int8":
            example = peak.images(request.input_dtype, request.cores)
            return _quantised(request, {"weights": "peak"}, peak.product, example, lambda: [example])
        # Compiling the product would take longer than measuring it.
        return Prepared(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


def _quantised(request: ModelRequest, inputs_key: Mapping[str, str], make: Callable[[], torch.nn.Module],
               example: torch.Tensor, calibration: Callable[[], Iterable[torch.Tensor]]) -> Prepared:
    """The program with its scales comes from the cache; the machine code for it is Inductor's to keep."""
    saturates = PRECISIONS[request.precision].saturates
    key = cache_key(engine="COMPILE-INDUCTOR", precision=request.precision, saturates=str(saturates),
                    **code_key(example, __file__, pt2e.__file__), **inputs_key)
    program, cache = cached(
        request.cache_dir, key, suffix=".pt2",
        build=lambda: pt2e.quantised(make(), example, calibration(), saturates),
        save=torch.export.save, load=pt2e.load)
    module = program.module()
    return Prepared(compiled(module, example), cache, quantise_nodes=pt2e.quantise_nodes(module))


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
