"""oneDNN verbose lines -> the kernels that ran; what they prove."""

from __future__ import annotations

from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.worker.evidence import RESNET50_CONVOLUTIONS, parse

LINE = ("onednn_verbose,v1,primitive,exec,cpu,convolution,{kernel},forward_inference,"
        "src:{source}::blocked:acdb::f0 wei:{source}:a:blocked:Acdb16a::f0 dst:{source}::blocked:acdb::f0,"
        "attr-scratchpad:user,alg:convolution_direct,mb8_ic3oc64_ih224oh112kh7,16.481")
OTHERS = [
    "onednn_verbose,v1,info,cpu,isa:Intel AVX2",
    "onednn_verbose,v1,primitive,exec,cpu,matmul,gemm:jit,undef,src:s8::blocked:ab::f0,,,1x2048:2048x1000,0.1",
    "onednn_verbose,v1,graph,exec,cpu,100148,quantized_convolution_post_ops,conv,,,,,dnnl_backend,1.2",
    "images per second: 12", "",
]


def _ran(kernel: str, source: str, count: int = RESNET50_CONVOLUTIONS) -> list[str]:
    return OTHERS + [LINE.format(kernel=kernel, source=source)] * count


def test_convolutions_are_counted_by_kernel_and_input_type():
    found = parse(_ran("brgconv_1x1:avx10_1_512_amx", "u8", 36) + _ran("brg_conv_fwd:avx10_1_512_amx", "s8", 17))
    assert found.kernels() == {"brgconv_1x1:avx10_1_512_amx src:u8": 36,
                               "brg_conv_fwd:avx10_1_512_amx src:s8": 17}
    assert found.convolutions[0].time_ms == 16.481
    assert found.doubt(PRECISIONS["amx_int8"]) is None


def test_a_trainings_gradients_are_proven_by_the_last_of_two_kernels():
    """As a bf16 training ran on Emerald Rapids: gradients of inputs are two primitives in one."""
    found = parse(_ran("brg_conv_bwd:avx10_1_512_amx+brgconv_1x1:avx10_1_512_amx", "bf16"))
    assert found.doubt(PRECISIONS["amx_bfloat16"]) is None
    assert "53 of 53" in found.doubt(PRECISIONS["avx_bfloat16"])


def test_each_precision_is_proven_by_its_own_kernels_only():
    kernels = {"avx_fp32": ("avx512_core", "f32"), "avx_int8": ("avx512_core_vnni", "u8"),
               "avx_bfloat16": ("avx512_core_bf16", "bf16"), "amx_int8": ("avx10_1_512_amx", "u8"),
               "amx_bfloat16": ("avx10_1_512_amx", "bf16"), "amx_bfloat32": ("avx10_1_512_amx", "f32"),
               "avx2_fp32": ("avx2", "f32"), "avx2_int8": ("avx2", "u8")}
    assert set(kernels) == set(PRECISIONS)
    for name, (isa, source) in kernels.items():
        proven = {p.name for p in PRECISIONS.values() if not parse(_ran(f"brg:{isa}", source)).doubt(p)}
        # bf32 is bf16 arithmetic inside: its kernels cannot be told from bf16's where oneDNN
        # converts the input before the convolution.
        assert proven - ({"amx_bfloat32"} if name == "amx_bfloat16" else set()) == {name}


def test_emulated_bf16_is_found_out_and_the_kernels_are_named():
    doubt = parse(_ran("brgconv_1x1:avx512_core_vnni", "bf16")).doubt(PRECISIONS["amx_bfloat16"])
    assert "53 of 53" in doubt
    assert "brgconv_1x1:avx512_core_vnni src:bf16 53" in doubt


def test_missing_convolutions_are_found_out():
    assert "52 convolutions" in parse(_ran("brg:avx2", "f32", 52)).doubt(PRECISIONS["avx2_fp32"])
    assert "0 convolutions" in parse(OTHERS).doubt(PRECISIONS["avx2_fp32"])


def test_only_int8_without_vnni_saturates():
    assert [name for name, precision in PRECISIONS.items() if precision.saturates] == ["avx2_int8"]
