"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch

from ...case.precision import INT8
from ..model_cache import cache_key, cached
from . import ipex_library
from .base import Engine, ModelRequest, Plain, PreparedModel, code_key

ipex_library.library()  # where there is none, importing this module says so
#: The module that is imported only where a model is made.
_BUILD = Path(__file__).with_name("ipex_build.py")


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest) -> PreparedModel:
        return _prepare(request, request.model())

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        without = replace(request, qconf=None)
        return _prepare(without, without.peak())

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return ipex_library.verbose()


def _prepare(request: ModelRequest, plain: Plain) -> PreparedModel:
    if request.precision.products_in_bf16:
        library = ipex_library.library()
        library.set_fp32_math_mode(library.FP32MathMode.BF32)
    key = cache_key(
        engine="IPEX", precision=request.precision.name, isa_cap=request.isa_cap,
        capability=torch.backends.cpu.get_cpu_capability(), saturates=str(request.precision.saturates),
        **code_key(plain.example, __file__, str(_BUILD)), **plain.key)
    recipe = request.cache_dir / f"{key}.qconf.json" if request.precision.dtype is INT8 else None
    model, cache = cached(
        request.cache_dir, key, suffix=".pt",
        build=lambda: _build(request, plain, recipe),
        save=lambda module, path: torch.jit.save(module, str(path)),
        load=lambda path: torch.jit.load(str(path)), beside=(recipe,) if recipe else ())
    return PreparedModel(model, cache, recipe)


def _build(request: ModelRequest, plain: Plain, recipe: Path | None) -> torch.jit.ScriptModule:
    from .ipex_build import build

    return build(request, plain.network(), plain.example, plain.calibration(), recipe)


ENGINE = IpexEngine()
