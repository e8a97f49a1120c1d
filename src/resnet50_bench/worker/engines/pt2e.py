"""A plain network and calibration batches -> an exported program with int8 convolutions, by PyTorch 2 export.

Recipe: X86InductorQuantizer's default: static, 8-bit activations per tensor (7 where products saturate), 8-bit
weights per channel (PyTorch tutorial "PyTorch 2 Export Quantization with X86 Backend through Inductor").
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import torch

from ...errors import RunFailed
from .base import whole_batches

#: Where torch 2.9 and later have it, and where torch had it until then.
_HOMES = ("torchao.quantization.pt2e", "torch.ao.quantization")


def quantised(plain: torch.nn.Module, example: torch.Tensor, calibration: Iterable[torch.Tensor],
              saturates: bool) -> torch.export.ExportedProgram:
    """The int8 program for batches like ``example``. Raises RunFailed where nothing was quantised."""
    quantizers = _home("quantizer.x86_inductor_quantizer")
    pt2e = _home("quantize_pt2e")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own move to torchao
        # Without strict the graph has no module stack, by which the quantiser finds what belongs together.
        exported = torch.export.export(plain, (example,), strict=True).module()
        quantizer = quantizers.X86InductorQuantizer()
        quantizer.set_global(quantizers.get_default_x86_inductor_quantization_config(reduce_range=saturates))
        prepared = pt2e.prepare_pt2e(exported, quantizer)
        for images in whole_batches(calibration, len(example)):
            prepared(images)
        converted = pt2e.convert_pt2e(prepared)
        if not quantise_nodes(converted):
            raise RunFailed("the quantiser annotated nothing, so the model would run in fp32: this PyTorch's export "
                            "gives a graph that X86InductorQuantizer does not know")
        return torch.export.export(converted, (example,), strict=True)


def load(path: Path) -> torch.export.ExportedProgram:
    """A program that ``torch.export.save`` wrote."""
    # Importing them registers the program's operators, and with torchao Inductor's int8 patterns: fp32 would run else.
    _home("quantize_pt2e")
    _home("quantizer.x86_inductor_quantizer")
    return torch.export.load(path)


def quantise_nodes(graph_module: torch.nn.Module) -> int:
    """How many nodes turn numbers into 8 bits, or back."""
    graph: torch.fx.Graph = graph_module.graph  # type: ignore[assignment]  # an exported program's module has one
    return sum("quantize_per" in str(node.target) for node in graph.nodes)


def _home(name: str) -> ModuleType:
    """The module of PyTorch 2 export quantisation, wherever this PyTorch has it. Raises RunFailed: nowhere."""
    for home in _HOMES:
        try:
            return importlib.import_module(f"{home}.{name}")
        except ModuleNotFoundError:
            continue
    raise RunFailed(f"int8 with TORCH_TYPE=COMPILE-INDUCTOR needs torchao beside torch {torch.__version__}: "
                    "RESNET50_BENCH_STACK=current scripts/setup.sh sets both up")
