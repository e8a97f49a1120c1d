"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8.

IPEX's Python package takes twice as long to import as all the rest of a start. Its library registers the operators and
fusions that a frozen module needs; the package is for making one. What ran is proven by oneDNN's log either way.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import torch

from ...case.precision import BF16, INT8
from ...errors import BadInput
from ..job import PreparedModel
from ..model_cache import cached
from .base import Engine, ModelRequest, Plain, model_key

_PACKAGE = "intel_extension_for_pytorch"
_LIBRARY = f"{_PACKAGE}._C"


def library() -> ModuleType:
    """The extension module, loaded once. Raises ModuleNotFoundError where IPEX is not installed.

    It stands where the package will look for it, so that both have the same one.
    """
    if _LIBRARY not in sys.modules:
        package = Path(torch.__file__).parents[1] / _PACKAGE
        file = next((path for suffix in EXTENSION_SUFFIXES if (path := package / f"_C{suffix}").exists()), None)
        spec = importlib.util.spec_from_file_location(_LIBRARY, file) if file else None
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"no module named {_PACKAGE!r}", name=_PACKAGE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_LIBRARY] = module
    return sys.modules[_LIBRARY]


def package() -> ModuleType:
    """The whole Python package, for making a model."""
    if _PACKAGE not in sys.modules:
        # Its import has to find the library by itself, to hang it into the package; it finds the one that is loaded.
        sys.modules.pop(_LIBRARY, None)
    with warnings.catch_warnings():
        # It warns about its end of life and about pkg_resources; neither concerns a result.
        warnings.simplefilter("ignore")
        return importlib.import_module(_PACKAGE)


library()  # where there is none, importing this module says so


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze; the frozen module is cached on disk."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        if request.precision.products_in_bf16:
            library().set_fp32_math_mode(library().FP32MathMode.BF32)
        key = model_key("IPEX", request, plain, __file__, isa_cap=request.isa_cap,
                        capability=torch.backends.cpu.get_cpu_capability())
        recipe = request.cache_dir / f"{key}.qconf.json" if request.precision.dtype is INT8 else None
        model, cache = cached(
            request.cache_dir, key, suffix=".pt", build=lambda: _frozen(request, plain, recipe),
            save=lambda module, path: torch.jit.save(module, str(path)),
            load=lambda path: torch.jit.load(str(path)), beside=(recipe,) if recipe else ())
        return PreparedModel(model, cache, recipe)

    @contextmanager
    def onednn_verbose(self) -> Iterator[None]:
        """IPEX has its own oneDNN. Raises RuntimeError where that does not switch."""
        if not library().mkldnn_set_verbose(1):
            raise RuntimeError("IPEX's oneDNN does not switch its verbose mode on")
        try:
            yield
        finally:
            library().mkldnn_set_verbose(0)


def _frozen(request: ModelRequest, plain: Plain, recipe: Path | None) -> torch.jit.ScriptModule:
    """The module for batches like ``plain.example``; int8 writes its scales to ``recipe``.

    Raises BadInput for a wrong QCONF.
    """
    ipex = package()
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

    quantization = package().quantization
    activation = HistogramObserver.with_args(reduce_range=saturates)
    weight = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    model = quantization.prepare(plain.network(), mapping, example_inputs=plain.example[:1], inplace=True)
    if plain.qconf:
        try:
            model.load_qconf_summary(str(plain.qconf))
        except Exception as error:  # IPEX raises what its reader meets first: KeyError, AssertionError, ValueError ...
            why = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise BadInput(f"QCONF={plain.qconf} is not a qconf_summary of this model ({why})") from error
    else:
        for images in plain.calibration():
            model(images)
    model.save_qconf_summary(str(recipe))
    converted: torch.nn.Module = quantization.convert(model)
    return converted


ENGINE = IpexEngine()
