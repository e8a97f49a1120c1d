"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch

from ...case.precision import PRECISIONS
from ..model_cache import cache_key, cached
from . import ipex_library, peak
from .base import Engine, ModelRequest, Prepared, code_key, dummy_batch

ipex_library.library()  # where there is none, importing this module says so
#: The module that is imported only where a model is made.
_BUILD = Path(__file__).with_name("ipex_build.py")


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest) -> Prepared:
        example = dummy_batch(request.batch_size, request.input_dtype)
        return _prepare(request, request.inputs_key(), request.network, example, request.calibration_images)

    def prepare_peak(self, request: ModelRequest) -> Prepared:
        example = peak.images(request.input_dtype, request.cores)
        without = replace(request, qconf=None)
        return _prepare(without, {"weights": "peak"}, peak.product, example, lambda: [example])

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return ipex_library.verbose()


def _prepare(request: ModelRequest, inputs_key: Mapping[str, str], make: Callable[[], torch.nn.Module],
             example: torch.Tensor, calibration: Callable[[], Iterable[torch.Tensor]]) -> Prepared:
    if request.data_type == "bfloat32":
        library = ipex_library.library()
        library.set_fp32_math_mode(library.FP32MathMode.BF32)
    key = cache_key(
        engine="IPEX", precision=request.precision, isa_cap=request.isa_cap, ipex=ipex_library.version(),
        capability=torch.backends.cpu.get_cpu_capability(), saturates=str(PRECISIONS[request.precision].saturates),
        **code_key(example, __file__, str(_BUILD)), **inputs_key)
    recipe = request.cache_dir / f"{key}.qconf.json" if request.data_type == "int8" else None
    model, cache = cached(
        request.cache_dir, key, suffix=".pt",
        build=lambda: _build(request, make(), example, calibration(), recipe),
        save=lambda module, path: torch.jit.save(module, str(path)),
        load=lambda path: torch.jit.load(str(path)), beside=(recipe,) if recipe else ())
    return Prepared(model, cache, recipe)


def _build(request: ModelRequest, plain: torch.nn.Module, example: torch.Tensor, calibration: Iterable[torch.Tensor],
           recipe: Path | None) -> torch.jit.ScriptModule:
    from .ipex_build import build

    return build(request, plain, example, calibration, recipe)


ENGINE = IpexEngine()
