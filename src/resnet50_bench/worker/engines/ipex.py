"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from ...case.precision import BF16, INT8
from ...errors import BadInput
from ..job import PreparedModel
from ..model_cache import cached
from . import ipex_library
from .base import Engine, ModelRequest, Plain, model_key

ipex_library.library()  # where there is none, importing this module says so


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        if request.precision.products_in_bf16:
            library = ipex_library.library()
            library.set_fp32_math_mode(library.FP32MathMode.BF32)
        key = model_key("IPEX", request, plain, __file__, isa_cap=request.isa_cap,
                        capability=torch.backends.cpu.get_cpu_capability())
        recipe = request.cache_dir / f"{key}.qconf.json" if request.precision.dtype is INT8 else None
        model, cache = cached(
            request.cache_dir, key, suffix=".pt", build=lambda: _frozen(request, plain, recipe),
            save=lambda module, path: torch.jit.save(module, str(path)),
            load=lambda path: torch.jit.load(str(path)), beside=(recipe,) if recipe else ())
        return PreparedModel(model, cache, recipe)

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return ipex_library.verbose()


def _frozen(request: ModelRequest, plain: Plain, recipe: Path | None) -> torch.jit.ScriptModule:
    """The module for batches like ``plain.example``; int8 writes its scales to ``recipe``.

    Raises BadInput for a wrong QCONF.
    """
    ipex = ipex_library.package()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if recipe:
            model = _quantised(plain, request.precision.saturates, recipe)
        else:
            model = ipex.optimize(plain.network(), dtype=request.input_dtype, inplace=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=request.precision.dtype is BF16):
            traced = torch.jit.trace(model, plain.example)
        frozen: torch.jit.ScriptModule = torch.jit.freeze(traced)
        return frozen


def _quantised(plain: Plain, saturates: bool, recipe: Path) -> torch.nn.Module:
    """Static int8: 8-bit activations (7 where products saturate) by calibration or a given recipe, 8-bit weights per
    channel.
    """
    # Only where a model is made: both take longer to import than all the rest.
    from torch.ao.quantization import HistogramObserver, PerChannelMinMaxObserver, QConfig, QConfigMapping

    quantization = ipex_library.package().quantization
    activation = HistogramObserver.with_args(reduce_range=saturates)
    weight = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    model = quantization.prepare(plain.network(), mapping, example_inputs=plain.example[:1], inplace=True)
    if plain.qconf:
        try:
            model.load_qconf_summary(str(plain.qconf))
        except Exception as error:  # IPEX raises what its reader meets first: KeyError, AssertionError, ValueError ...
            why = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise BadInput(f"QCONF={plain.qconf} is no qconf_summary of this model ({why})") from error
    else:
        for images in plain.calibration():
            model(images)
    model.save_qconf_summary(str(recipe))
    converted: torch.nn.Module = quantization.convert(model)
    return converted


ENGINE = IpexEngine()
