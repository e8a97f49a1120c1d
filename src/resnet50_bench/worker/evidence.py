"""oneDNN's log of one step, or OpenVINO's graph -> which convolution kernels ran, and whether they prove the ISA.

oneDNN's lines ("Verbose Mode", v1) are ``onednn_verbose,v1,primitive,exec,cpu,<kind>,<kernel>,<propagation>,
<memory descriptors>,<attributes>,<algorithm>,<shape>,<milliseconds>``.

A node's ``primitiveType`` in OpenVINO's runtime model joins kind, instruction set, variant and type:
``brgconv_avx2_1x1_f32``, ``jit_avx512_I8``, ``gemm_mlas_f32`` (OpenVINO's ``impl_desc_type`` and
``Node::getPrimitiveDescriptorType``). The name gives the instruction set's width and AMX, but neither ``vnni`` nor
``bf16``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..case.precision import Precision
from ..result.processes import Convolution

#: ResNet50 has 48 convolutions in its blocks, 4 in its down-sampling paths and the first (He et
#: al., 2015, table 1).
RESNET50_CONVOLUTIONS = 53
#: Training runs three for each: forward, the gradient of the weights, and the gradient of the input. The first
#: convolution needs no gradient of its input, the images.
TRAINING_CONVOLUTIONS = 3 * RESNET50_CONVOLUTIONS - 1
_PRIMITIVE = re.compile(r"(?P<kind>[a-z]+)_(?P<isa>avx512_amx|avx512|avx2_vnni_2|avx2_vnni|avx2|avx|sse42|uni)"
                        r"(?P<variant>(?:_1x1|_dw)*)_(?P<type>[A-Za-z0-9]+)")
#: OpenVINO's type names -> oneDNN's. ``I8`` and ``U8`` both mean 8 bits. The node's own precision gives the sign.
_TYPES = {"i8": "s8"}


@dataclass(frozen=True)
class Evidence:
    """The convolutions of one step, in order; or ``unproven``, the reason why they cannot be shown."""

    convolutions: tuple[Convolution, ...]
    unproven: str = ""

    def kernels(self) -> dict[str, int]:
        """``{"brgconv_1x1:avx10_1_512_amx src:u8": 36, ...}``, the most frequent first."""
        counts = Counter(f"{c.kernel} src:{c.source_type}" for c in self.convolutions)
        return dict(counts.most_common())

    def text(self) -> str:
        """The kernels in one line, for the log."""
        if self.unproven:
            return f"unproven: {self.unproven}"
        return ", ".join(f"{name} {count}" for name, count in self.kernels().items()) or "none"

    def doubt(self, precision: Precision, expected: int = RESNET50_CONVOLUTIONS) -> str | None:
        """The reason why this does not prove ``expected`` convolutions in ``precision``, or None if it does."""
        if self.unproven:
            return None
        wrong = [c for c in self.convolutions if not precision.is_proven_by(c.kernel, c.source_type)]
        if wrong:
            return (f"{len(wrong)} of {len(self.convolutions)} convolutions did not run "
                    f"{precision.name}'s kernels; what ran: {self.text()}")
        if len(self.convolutions) != expected:
            return f"{len(self.convolutions)} convolutions ran where ResNet50 has {expected}: {self.text()}"
        return None


def of_onednn(lines: Iterable[str]) -> Evidence:
    """Read the executed convolutions from oneDNN's verbose ``lines``. Ignores other lines."""
    convolutions = []
    for line in lines:
        fields = line.strip().split(",")
        if fields[0] not in ("onednn_verbose", "dnnl_verbose") or "exec" not in fields[:5]:
            continue
        after_exec = fields[fields.index("exec") + 1:]
        if len(after_exec) < 4 or after_exec[1] != "convolution":
            continue
        source = re.search(r"\bsrc[_:]([a-z0-9]+)", line)
        convolutions.append(Convolution(after_exec[2], source.group(1) if source else "unknown",
                                        after_exec[-2], float(after_exec[-1])))
    return Evidence(tuple(convolutions))


def of_openvino(nodes: Iterable[Mapping[str, str]], times_ms: Mapping[str, float]) -> Evidence:
    """Read the convolutions from ``nodes``. A node has the fields of its runtime information, its ``name``, and the
    shapes of its ``source``, ``weights`` and ``output`` as OpenVINO writes them: ``[8,64,56,56]``.

    ``times_ms`` are by node name; 0 if missing. Kernels get oneDNN's form of name, so that the same rules check them:
    ``brgconv_1x1:avx2``. A name that cannot be parsed is kept and proves nothing.
    """
    convolutions = (node for node in nodes if "Convolution" in node.get("layerType", ""))
    in_order = sorted(convolutions, key=lambda node: int(node.get("execOrder", "0")))
    return Evidence(tuple(_convolution(node, times_ms.get(node.get("name", ""), 0.0)) for node in in_order))


def _convolution(node: Mapping[str, str], time_ms: float) -> Convolution:
    primitive = node.get("primitiveType") or "unknown"
    read = _PRIMITIVE.fullmatch(primitive)
    of_node = node.get("runtimePrecision", "unknown").lower()
    if not read:
        return Convolution(primitive, _TYPES.get(of_node, of_node), _problem(node), time_ms)
    # Both must say 8 bits: one alone may describe the weights or the output.
    of_primitive = read["type"].lower()
    source = of_node if of_primitive in ("i8", "u8") else of_primitive
    return Convolution(f"{read['kind']}{read['variant']}:{read['isa']}", _TYPES.get(source, source),
                       _problem(node), time_ms)


def _problem(node: Mapping[str, str]) -> str:
    """The problem in oneDNN's notation, ``mb8_ic3oc64_ih224oh112kh7_iw224ow112kw7``, from NCHW and OIHW shapes."""
    batch, channels, high, wide = _numbers(node["source"])
    kernels, _, kernel_high, kernel_wide = _numbers(node["weights"])
    _, _, out_high, out_wide = _numbers(node["output"])
    return (f"mb{batch}_ic{channels}oc{kernels}_ih{high}oh{out_high}kh{kernel_high}"
            f"_iw{wide}ow{out_wide}kw{kernel_wide}")


def _numbers(shape: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", shape)]
