"""OpenVINO's runtime model -> which convolution kernels it compiled to, as Evidence.

A runtime model has a node for each primitive; its ``primitiveType`` is kind, instruction set, variant and type in one
word: ``brgconv_avx2_1x1_f32``, ``jit_avx512_I8``, ``gemm_mlas_f32`` (OpenVINO's ``impl_desc_type`` and
``Node::getPrimitiveDescriptorType``). The instruction set's name ends at its width, but for AMX: neither ``vnni`` nor
``bf16`` is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..result.processes import Convolution
from .evidence import Evidence

_PRIMITIVE = re.compile(r"(?P<kind>[a-z]+)_(?P<isa>avx512_amx|avx512|avx2_vnni_2|avx2_vnni|avx2|avx|sse42|uni)"
                        r"(?P<variant>(?:_1x1|_dw)*)_(?P<type>[A-Za-z0-9]+)")
#: OpenVINO's names of types -> oneDNN's. Both ``I8`` and ``U8`` stand for 8 bits; the node's own precision says which.
_TYPES = {"i8": "s8"}


def parse(nodes: Iterable[Mapping[str, str]], times_ms: Mapping[str, float]) -> Evidence:
    """Every convolution among the nodes: the fields of a node's runtime information, with its ``name`` and the shapes
    of its ``source``, ``weights`` and ``output`` as OpenVINO writes them: ``[8,64,56,56]``.

    ``times_ms`` are by the node's name; one that has none shows 0. A kernel is named as oneDNN does, so that the same
    rule holds it: ``brgconv_1x1:avx2``. What cannot be read so keeps its name, and proves nothing.
    """
    return Evidence(tuple(_convolution(node, times_ms.get(node.get("name", ""), 0.0)) for node in _in_order(nodes)
                          if "Convolution" in node.get("layerType", "")))


def _in_order(nodes: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return sorted(nodes, key=lambda node: int(node.get("execOrder", "0")))


def _convolution(node: Mapping[str, str], time_ms: float) -> Convolution:
    primitive = node.get("primitiveType") or "unknown"
    read = _PRIMITIVE.fullmatch(primitive)
    of_node = node.get("runtimePrecision", "unknown").lower()
    if not read:
        return Convolution(primitive, _TYPES.get(of_node, of_node), _problem(node), time_ms)
    # Both must say 8 bits: one alone may be of the weights, or of what the node gives.
    of_primitive = read["type"].lower()
    source = of_node if of_primitive in ("i8", "u8") else of_primitive
    return Convolution(f"{read['kind']}{read['variant']}:{read['isa']}", _TYPES.get(source, source),
                       _problem(node), time_ms)


def _problem(node: Mapping[str, str]) -> str:
    """oneDNN's words for what is convolved: ``mb8_ic3oc64_ih224oh112kh7_iw224ow112kw7``, of NCHW and OIHW."""
    batch, channels, high, wide = _numbers(node["source"])
    kernels, _, kernel_high, kernel_wide = _numbers(node["weights"])
    _, _, out_high, out_wide = _numbers(node["output"])
    return (f"mb{batch}_ic{channels}oc{kernels}_ih{high}oh{out_high}kh{kernel_high}"
            f"_iw{wide}ow{out_wide}kw{kernel_wide}")


def _numbers(shape: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", shape)]
