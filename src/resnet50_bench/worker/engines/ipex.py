"""ResNet50 by Intel Extension for PyTorch: fp32, bf32, bf16 and statically quantised int8.

IPEX's Python package takes twice as long to import as the rest of a start. Its C++ library alone registers the
operators and fusions that a frozen module needs. Only making a module needs the package. oneDNN's log proves both.
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
    """Load the extension module once. Raises ModuleNotFoundError if IPEX is not installed.

    It is registered under the package's own name for it, so that the package finds the same one.
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
    """Import the whole Python package, to make a model."""
    if _PACKAGE not in sys.modules:
        # The import must find the library itself to make it an attribute of the package. It finds the loaded one.
        sys.modules.pop(_LIBRARY, None)
    with warnings.catch_warnings():
        # It warns about its end of life and about pkg_resources. Neither affects a result.
        warnings.simplefilter("ignore")
        return importlib.import_module(_PACKAGE)


library()  # if there is none, importing this module fails with the reason


class IpexEngine(Engine):
    """TORCH_TYPE=IPEX: optimise, trace, freeze. The frozen module is cached on disk."""

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
        """As the base class. IPEX has its own oneDNN. Raises RuntimeError if its log cannot be switched on."""
        if not library().mkldnn_set_verbose(1):
            raise RuntimeError("IPEX's oneDNN does not switch its verbose mode on")
        try:
            yield
        finally:
            library().mkldnn_set_verbose(0)


def _frozen(request: ModelRequest, plain: Plain, recipe: Path | None) -> torch.jit.ScriptModule:
    """Make the module for batches like ``plain.example``. int8 writes its scales to ``recipe``.

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
    # Imported only to make a model: both take longer to import than everything else.
    from torch.ao.quantization import HistogramObserver, PerChannelMinMaxObserver, QConfig, QConfigMapping

    quantization = package().quantization
    activation = HistogramObserver.with_args(reduce_range=saturates)
    weight = PerChannelMinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))
    model = quantization.prepare(plain.network(), mapping, example_inputs=plain.example[:1], inplace=True)
    if plain.qconf:
        try:
            model.load_qconf_summary(str(plain.qconf))
        except Exception as error:  # for a wrong file IPEX raises KeyError, AssertionError, ValueError ...
            why = (str(error).strip() or repr(error)).splitlines()[0][:200]
            raise BadInput(f"QCONF={plain.qconf} is not a qconf_summary of this model ({why})") from error
    else:
        for images in plain.calibration():
            model(images)
    model.save_qconf_summary(str(recipe))
    converted: torch.nn.Module = quantization.convert(model)
    return converted


ENGINE = IpexEngine()
