"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch
from torch.ao.quantization import HistogramObserver, PerChannelMinMaxObserver, QConfig, QConfigMapping

with warnings.catch_warnings():
    # Its import warns about its end of life and about pkg_resources; neither concerns a result.
    warnings.simplefilter("ignore")
    import intel_extension_for_pytorch as ipex

from ..errors import BadInput
from ..model_cache import cache_key, cached
from ..precision import PRECISIONS
from . import peak
from .base import Engine, ModelRequest, Prepared, code_key, dummy_batch


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest) -> Prepared:
        example = dummy_batch(request.batch_size, request.input_dtype)
        return _prepare(request, request.inputs_key(), request.network, example, request.calibration_images)

    def prepare_peak(self, request: ModelRequest) -> Prepared:
        example = peak.images(request.input_dtype)
        without = replace(request, qconf=None)
        return _prepare(without, {"weights": "peak"}, peak.product, example, lambda: [example])

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return ipex.verbose(1)


def _prepare(request: ModelRequest, inputs_key: Mapping[str, str], make: Callable[[], torch.nn.Module],
             example: torch.Tensor, calibration: Callable[[], Iterable[torch.Tensor]]) -> Prepared:
    if request.data_type == "bfloat32":
        ipex.set_fp32_math_mode(mode=ipex.FP32MathMode.BF32, device="cpu")
    key = cache_key(
        engine="IPEX", precision=request.precision, isa_cap=request.isa_cap, ipex=ipex.__version__,
        capability=torch.backends.cpu.get_cpu_capability(), saturates=str(PRECISIONS[request.precision].saturates),
        **code_key(example, __file__), **inputs_key)
    recipe = request.cache_dir / f"{key}.qconf.json" if request.data_type == "int8" else None
    model, cache = cached(
        request.cache_dir, key, suffix=".pt",
        build=lambda: _build(request, make(), example, calibration(), recipe),
        save=lambda module, path: torch.jit.save(module, str(path)),
        load=lambda path: torch.jit.load(str(path)), beside=(recipe,) if recipe else ())
    return Prepared(model, cache, recipe)


def _build(request: ModelRequest, plain: torch.nn.Module, example: torch.Tensor,
           calibration: Iterable[torch.Tensor], recipe: Path | None) -> torch.jit.ScriptModule:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if recipe:
            model = _quantised(plain, example[:1], calibration, request, recipe)
        else:
            model = ipex.optimize(plain, dtype=request.input_dtype, inplace=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=request.data_type == "bfloat16"):
            traced = torch.jit.trace(model, example)
        return torch.jit.freeze(traced)


def _quantised(plain: torch.nn.Module, example: torch.Tensor, calibration: Iterable[torch.Tensor],
               request: ModelRequest, recipe: Path) -> torch.nn.Module:
    """Static int8: 8-bit activations (7 where products saturate) by calibration or a given recipe, 8-bit weights per
    channel.
    """
    given = request.qconf
    activation = HistogramObserver.with_args(reduce_range=PRECISIONS[request.precision].saturates)
    weight = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    model = ipex.quantization.prepare(plain, mapping, example_inputs=example, inplace=True)
    if given:
        try:
            model.load_qconf_summary(str(given))
        except Exception as error:  # IPEX raises what its reader meets first: KeyError, AssertionError, ValueError ...
            why = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise BadInput(f"QCONF={given} is no qconf_summary of this model ({why})") from error
    else:
        for images in calibration:
            model(images)
    model.save_qconf_summary(str(recipe))
    return ipex.quantization.convert(model)


ENGINE = IpexEngine()
