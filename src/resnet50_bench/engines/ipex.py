"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

with warnings.catch_warnings():
    # Its import warns about its end of life and about pkg_resources; neither concerns a result.
    warnings.simplefilter("ignore")
    import intel_extension_for_pytorch as ipex

from ..model_cache import cache_key, cached
from . import peak
from .base import SEED, Engine, ModelRequest, Prepared, dummy_batch, resnet50

#: Batches of one image for the activations' histograms of dummy runs.
CALIBRATION_BATCHES = 4


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest) -> Prepared:
        example = dummy_batch(request.batch_size, request.input_dtype)
        calibration = [dummy_batch(1, torch.float32, SEED + i) for i in range(CALIBRATION_BATCHES)]
        return _prepare(request, f"seed {SEED}", resnet50, example, calibration)

    def prepare_peak(self, request: ModelRequest) -> Prepared:
        example = peak.images(request.input_dtype)
        return _prepare(request, "peak", peak.product, example, [example])

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return ipex.verbose(1)


def _prepare(request: ModelRequest, weights: str, make: Callable[[], torch.nn.Module], example: torch.Tensor,
             calibration: list[torch.Tensor]) -> Prepared:
    if request.data_type == "bfloat32":
        ipex.set_fp32_math_mode(mode=ipex.FP32MathMode.BF32, device="cpu")
    key = cache_key(
        engine="IPEX", precision=request.precision, batch_size=str(example.shape[0]), isa_cap=request.isa_cap,
        weights=weights, torch=torch.__version__, ipex=ipex.__version__,
        capability=torch.backends.cpu.get_cpu_capability())
    model, cache = cached(
        request.cache_dir, key, suffix=".pt",
        build=lambda: _build(request, make(), example, calibration),
        save=lambda module, path: torch.jit.save(module, str(path)),
        load=lambda path: torch.jit.load(str(path)))
    return Prepared(model, cache)


def _build(request: ModelRequest, plain: torch.nn.Module, example: torch.Tensor,
           calibration: list[torch.Tensor]) -> torch.jit.ScriptModule:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.data_type == "int8":
            model = _quantised(plain, calibration)
        else:
            model = ipex.optimize(plain, dtype=request.input_dtype, inplace=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=request.data_type == "bfloat16"):
            traced = torch.jit.trace(model, example)
        return torch.jit.freeze(traced)


def _quantised(plain: torch.nn.Module, calibration: list[torch.Tensor]) -> torch.nn.Module:
    """Static int8: 8-bit activations from calibration, per-channel 8-bit weights."""
    model = ipex.quantization.prepare(plain, ipex.quantization.default_static_qconfig_mapping,
                                      example_inputs=calibration[0], inplace=True)
    for images in calibration:
        model(images)
    return ipex.quantization.convert(model)


ENGINE = IpexEngine()
