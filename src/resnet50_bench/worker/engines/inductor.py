"""ResNet50 by torch.compile with the Inductor: fp32, bf16 and statically quantised int8, without IPEX.

int8 is X86InductorQuantizer's default: static, 8-bit activations per tensor (7 where products saturate), 8-bit
weights per channel (PyTorch tutorial "PyTorch 2 Export Quantization with X86 Backend through Inductor").
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
import torch._dynamo.config as dynamo_config
import torch._inductor.config as inductor_config

from ...case.precision import INT8
from ...errors import RunFailed
from ..job import PreparedModel
from ..model_cache import cached
from .base import ModelRequest, Plain, PyTorchEngine, model_key, whole_batches

#: Modules with PyTorch 2 export quantisation: of torch 2.9 and later, and of earlier versions.
_PT2E_PACKAGES = ("torchao.quantization.pt2e", "torch.ao.quantization")


class InductorEngine(PyTorchEngine):
    """TORCH_TYPE=COMPILE-INDUCTOR: weights frozen into the graph. Inductor has its own cache."""

    def forget(self) -> None:
        # Each model of a process counts towards PyTorch's limit of recompilations and keeps its weights in memory.
        torch.compiler.reset()

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        if request.precision.dtype is INT8:
            return _int8(request, plain)
        return PreparedModel(compiled(plain.network().to(request.input_dtype), plain.example), "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        if request.precision.dtype is INT8:
            return _int8(request, request.peak())
        return super().prepare_peak(request)


def _int8(request: ModelRequest, plain: Plain) -> PreparedModel:
    """The int8 model. Our cache keeps the program with its scales, Inductor's cache the machine code."""
    program, cache = cached(
        request.cache_dir, model_key("COMPILE-INDUCTOR", request, plain, __file__), suffix=".pt2",
        build=lambda: _quantised(plain, request.precision.saturates), save=torch.export.save, load=_load)
    module = program.module()
    return PreparedModel(compiled(module, plain.example), cache, quantise_nodes=_quantise_nodes(module))


def compiled(model: torch.nn.Module, example: torch.Tensor,
             backend: str = "inductor") -> Callable[[torch.Tensor], torch.Tensor]:
    """Compile ``model`` for batches like ``example`` and the number of threads of the calling thread.

    The compiled code contains the number of threads. The key of Inductor's cache includes its configuration but not
    ``torch.get_num_threads()`` (torch 2.8, codecache.FxGraphHashDetails). The number is therefore set in the
    configuration. Otherwise the cache would return code for another size of instance.
    """
    inductor_config.freezing = True
    inductor_config.cpp.threads = torch.get_num_threads()
    dynamo_config.fail_on_recompile_limit_hit = True  # else it runs uncompiled, at another speed
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = torch.compile(model, dynamic=False, backend=backend)
        code(example)
    return code


def _quantised(plain: Plain, saturates: bool) -> torch.export.ExportedProgram:
    """The program with int8 convolutions. Raises RunFailed if nothing was quantised."""
    quantizers = _pt2e("quantizer.x86_inductor_quantizer")
    pt2e = _pt2e("quantize_pt2e")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it moves to torchao
        # Without strict the graph has no module stack, which the quantiser needs to find patterns.
        exported = torch.export.export(plain.network(), (plain.example,), strict=True).module()
        quantizer = quantizers.X86InductorQuantizer()
        quantizer.set_global(quantizers.get_default_x86_inductor_quantization_config(reduce_range=saturates))
        prepared = pt2e.prepare_pt2e(exported, quantizer)
        for images in whole_batches(plain.calibration(), len(plain.example)):
            prepared(images)
        converted = pt2e.convert_pt2e(prepared)
        if not _quantise_nodes(converted):
            raise RunFailed("the quantiser changed nothing, so the model would run in fp32: X86InductorQuantizer "
                            "does not know the exported graph of this PyTorch version. Use another TORCH_TYPE")
        return torch.export.export(converted, (plain.example,), strict=True)


def _load(path: Path) -> torch.export.ExportedProgram:
    # Importing them registers the program's operators and, with torchao, Inductor's int8 patterns. Otherwise fp32 runs.
    _pt2e("quantize_pt2e")
    _pt2e("quantizer.x86_inductor_quantizer")
    return torch.export.load(path)


def _quantise_nodes(graph_module: torch.nn.Module) -> int:
    """The number of nodes that quantise to 8 bits or dequantise."""
    graph: torch.fx.Graph = graph_module.graph  # type: ignore[assignment]  # an exported program's module has one
    return sum("quantize_per" in str(node.target) for node in graph.nodes)


def _pt2e(name: str) -> ModuleType:
    """Import a module of PyTorch 2 export quantisation. Raises RunFailed if this PyTorch has none."""
    for package in _PT2E_PACKAGES:
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError:
            continue
    raise RunFailed(f"int8 with TORCH_TYPE=COMPILE-INDUCTOR needs torchao beside torch {torch.__version__}: "
                    "RESNET50_BENCH_STACK=current scripts/setup.sh sets both up")


ENGINE = InductorEngine()
