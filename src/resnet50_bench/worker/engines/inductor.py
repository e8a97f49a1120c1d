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

#: Where torch 2.9 and later have PyTorch 2 export quantisation, and where torch had it until then.
_PT2E_PACKAGES = ("torchao.quantization.pt2e", "torch.ao.quantization")


class InductorEngine(PyTorchEngine):
    """TORCH_TYPE=COMPILE-INDUCTOR: weights frozen into the graph; Inductor keeps its own cache."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        # PyTorch counts the models of a process against its limit of recompilations, and keeps each one's weights.
        torch.compiler.reset()
        if request.precision.dtype is INT8:
            return _int8(request, plain)
        return PreparedModel(compiled(plain.network().to(request.input_dtype), plain.example), "Inductor's own")

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        if request.precision.dtype is INT8:
            return _int8(request, request.peak())
        return super().prepare_peak(request)


def _int8(request: ModelRequest, plain: Plain) -> PreparedModel:
    """The program with its scales comes from the cache; the machine code for it is Inductor's to keep."""
    program, cache = cached(
        request.cache_dir, model_key("COMPILE-INDUCTOR", request, plain, __file__), suffix=".pt2",
        build=lambda: _quantised(plain, request.precision.saturates), save=torch.export.save, load=_load)
    module = program.module()
    return PreparedModel(compiled(module, plain.example), cache, quantise_nodes=_quantise_nodes(module))


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


def _quantised(plain: Plain, saturates: bool) -> torch.export.ExportedProgram:
    """The program with int8 convolutions. Raises RunFailed where nothing was quantised."""
    quantizers = _pt2e("quantizer.x86_inductor_quantizer")
    pt2e = _pt2e("quantize_pt2e")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own move to torchao
        # Without strict the graph has no module stack, by which the quantiser finds what belongs together.
        exported = torch.export.export(plain.network(), (plain.example,), strict=True).module()
        quantizer = quantizers.X86InductorQuantizer()
        quantizer.set_global(quantizers.get_default_x86_inductor_quantization_config(reduce_range=saturates))
        prepared = pt2e.prepare_pt2e(exported, quantizer)
        for images in whole_batches(plain.calibration(), len(plain.example)):
            prepared(images)
        converted = pt2e.convert_pt2e(prepared)
        if not _quantise_nodes(converted):
            raise RunFailed("the quantiser annotated nothing, so the model would run in fp32: this PyTorch's export "
                            "gives a graph that X86InductorQuantizer does not know")
        return torch.export.export(converted, (plain.example,), strict=True)


def _load(path: Path) -> torch.export.ExportedProgram:
    # Importing them registers the program's operators, and with torchao Inductor's int8 patterns: fp32 would run else.
    _pt2e("quantize_pt2e")
    _pt2e("quantizer.x86_inductor_quantizer")
    return torch.export.load(path)


def _quantise_nodes(graph_module: torch.nn.Module) -> int:
    """How many nodes turn numbers into 8 bits, or back."""
    graph: torch.fx.Graph = graph_module.graph  # type: ignore[assignment]  # an exported program's module has one
    return sum("quantize_per" in str(node.target) for node in graph.nodes)


def _pt2e(name: str) -> ModuleType:
    """A module of PyTorch 2 export quantisation, wherever this PyTorch has it. Raises RunFailed: nowhere."""
    for package in _PT2E_PACKAGES:
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError:
            continue
    raise RunFailed(f"int8 with TORCH_TYPE=COMPILE-INDUCTOR needs torchao beside torch {torch.__version__}: "
                    "RESNET50_BENCH_STACK=current scripts/setup.sh sets both up")


ENGINE = InductorEngine()
