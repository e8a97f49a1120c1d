"""The precisions: data type, ISA cap, CPU requirements and proof of kernels.

Source of the caps and kernel names: oneDNN's verbose log of IPEX 2.8.0 (oneDNN 3.7.2) on a CPU with AMX. The two
``avx2_*`` precisions are for CPUs without AVX-512; their kernels (``brgconv_1x1:avx2``, ``jit_uni_int8:avx2``) were
read from that log on an EPYC of family 25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")


@dataclass(frozen=True)
class DType:
    """The type of a model's weights and activations: ``bytes`` of a value, and its name elsewhere.

    ``tensors`` is torch's name for the type of the model's input and output. ``openvino`` is OpenVINO's inference
    precision. ``trains``: a model can be trained in it.
    """

    name: str
    bytes: int
    tensors: str
    openvino: str
    trains: bool = True


FP32 = DType("fp32", 4, "float32", "f32")
BF16 = DType("bf16", 2, "bfloat16", "bf16")
#: Quantised inside the model: images and answers stay fp32.
INT8 = DType("int8", 1, "float32", "f32", trains=False)


@dataclass(frozen=True)
class Precision:
    """One precision.

    ``products_in_bf16``: fp32 numbers are multiplied in bf16 (IPEX calls it bf32);
    ``isa_cap` goes to ``ONEDNN_MAX_CPU_ISA``; ``cpu_flags`` are names of /proc/cpuinfo;
    ``kernel_isa`` is a pattern for what follows the colon in oneDNN's kernel names, and
    ``source_types`` are the convolution input types that oneDNN verbose must show.
    """

    name: str
    dtype: DType
    isa_cap: str
    cpu_flags: tuple[str, ...]
    kernel_isa: str
    source_types: tuple[str, ...]
    weight_sharing: bool = True
    products_in_bf16: bool = False

    @property
    def saturates(self) -> bool:
        """Whether int8 products are summed in 16 bits: without VNNI two products of 255 x 127 overflow (vpmaddubsw).

        7-bit activations avoid the overflow. With 8 bits a trained ResNet50 agreed with fp32 on only 27 % of images.
        """
        return self.dtype is INT8 and "avx2" in self.cpu_flags

    @property
    def needs_amx(self) -> bool:
        """Whether it uses AMX tiles."""
        return "amx_tile" in self.cpu_flags

    @property
    def training(self) -> bool:
        """Whether a model can be trained in it with all convolutions by its kernels.

        False for int8, and for bfloat32: oneDNN 3.7.2 has no AMX kernel for gradients of fp32 weights. 59 of a step's
158 convolutions ran AVX-512 (53 weight gradients, 6 strided input gradients).
        """
        return self.dtype.trains and not self.products_in_bf16

    def missing_flags(self, flags: frozenset[str]) -> tuple[str, ...]:
        """The needed CPU flags that ``flags`` lacks, in the order of ``cpu_flags``."""
        return tuple(flag for flag in self.cpu_flags if flag not in flags)

    def is_proven_by(self, kernel: str, source_type: str) -> bool:
        """Whether a convolution ``kernel`` (``brgconv_1x1:avx512_core``) is this precision's."""
        isa = kernel.rpartition(":")[2]
        return bool(re.fullmatch(self.kernel_isa, isa)) and source_type in self.source_types


def _isa(name: str) -> str:
    """The pattern of one of oneDNN's AVX-512 names, or ``avx512``, because OpenVINO does not name the extension. oneDNN
    uses the extension's kernels on every CPU that has its flag, and the flag is checked before the run.
    """
    return f"{name}|avx512"


_ALL = (
    Precision("amx_int8", INT8, "avx512_core_amx", (*_AVX512, "amx_tile", "amx_int8"),
              r"avx\w*_amx\w*", ("u8", "s8")),
    Precision("amx_bfloat16", BF16, "avx512_core_amx", (*_AVX512, "amx_tile", "amx_bf16"),
              r"avx\w*_amx\w*", ("bf16",)),
    Precision("amx_bfloat32", FP32, "avx512_core_amx", (*_AVX512, "amx_tile", "amx_bf16"),
              r"avx\w*_amx\w*", ("f32", "bf16"), weight_sharing=False, products_in_bf16=True),
    Precision("avx_int8", INT8, "avx512_core_vnni", (*_AVX512, "avx512_vnni"),
              _isa("avx512_core_vnni"), ("u8", "s8")),
    Precision("avx_bfloat16", BF16, "avx512_core_bf16", (*_AVX512, "avx512_bf16"),
              _isa("avx512_core_bf16"), ("bf16",)),
    Precision("avx_fp32", FP32, "avx512_core_vnni", _AVX512,
              _isa("avx512_core"), ("f32",), weight_sharing=False),
    Precision("avx2_int8", INT8, "avx2", ("avx2", "fma"), r"avx2", ("u8", "s8")),
    Precision("avx2_fp32", FP32, "avx2", ("avx2", "fma"), r"avx2", ("f32",),
              weight_sharing=False),
)

#: By name, the fastest first where a CPU can run several.
PRECISIONS: dict[str, Precision] = {precision.name: precision for precision in _ALL}
