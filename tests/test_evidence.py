"""oneDNN verbose lines -> the kernels that ran; what they prove."""

from __future__ import annotations

from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.worker.evidence import RESNET50_CONVOLUTIONS, of_onednn

LINE = ("onednn_verbose,v1,primitive,exec,cpu,convolution,{kernel},forward_inference,"
        "src:{source}::blocked:acdb::f0 wei:{source}:a:blocked:Acdb16a::f0 dst:{source}::blocked:acdb::f0,"
        "attr-scratchpad:user,alg:convolution_direct,mb8_ic3oc64_ih224oh112kh7,16.481")
#: As IPEX 2.8.0 (oneDNN 3.7.2) wrote them on Emerald Rapids: the first convolution and a 1x1, int8 and bf16.
AMX_INT8 = (
    "onednn_verbose,v1,primitive,exec,cpu,convolution,brg_conv_fwd:avx10_1_512_amx,forward_inference,src:u8::blocked:acdb"
    "::f0 wei:s8:a:blocked:Adcb16a::f8:zpm1 bia:f32:a:blocked:a::f0 dst:u8::blocked:acdb::f0,attr-scratchpad:user "
    "attr-scales:src0:0:f32+dst:0:f32+wei:1:f32 attr-zero-points:src0:0:s32 attr-post-ops:eltwise_relu,"
    "alg:convolution_direct,mb1_ic3oc64_ih224oh112kh7sh2dh0ph3_iw224ow112kw7sw2dw0pw3,3.1189",
    "onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv_1x1:avx10_1_512_amx,forward_inference,src:u8::blocked:acdb"
    "::f0 wei:s8:a:blocked:AcdB64a4b::f0 bia:f32:a:blocked:a::f0 dst:u8::blocked:acdb::f0,attr-scratchpad:user "
    "attr-scales:src0:0:f32+dst:0:f32+wei:1:f32 attr-post-ops:eltwise_relu,alg:convolution_direct,"
    "mb1_ic64oc64_ih56oh56kh1sh1dh0ph0_iw56ow56kw1sw1dw0pw0,0.14209")
AMX_BF16 = (
    "onednn_verbose,v1,primitive,exec,cpu,convolution,brg_conv_fwd:avx10_1_512_amx,forward_inference,src:bf16::blocked:"
    "acdb::f0 wei:bf16:a:blocked:Adcb16a::f0 bia:bf16:a:blocked:a::f0 dst:bf16::blocked:acdb::f0,attr-scratchpad:user "
    "attr-post-ops:eltwise_relu,alg:convolution_direct,mb1_ic3oc64_ih224oh112kh7sh2dh0ph3_iw224ow112kw7sw2dw0pw3,14.8811",
    "onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv_1x1:avx10_1_512_amx,forward_inference,src:bf16::blocked:"
    "acdb::f0 wei:bf16:a:blocked:AcdB16b64a2b::f0 bia:bf16:a:blocked:a::f0 dst:bf16::blocked:acdb::f0,"
    "attr-scratchpad:user attr-post-ops:eltwise_relu,alg:convolution_direct,"
    "mb1_ic64oc64_ih56oh56kh1sh1dh0ph0_iw56ow56kw1sw1dw0pw0,0.14917")
OTHERS = [
    "onednn_verbose,v1,info,cpu,isa:Intel AVX2",
    "onednn_verbose,v1,primitive,exec,cpu,matmul,gemm:jit,undef,src:s8::blocked:ab::f0,,,1x2048:2048x1000,0.1",
    "onednn_verbose,v1,graph,exec,cpu,100148,quantized_convolution_post_ops,conv,,,,,dnnl_backend,1.2",
    "images per second: 12", "",
]


def _ran(kernel: str, source: str, count: int = RESNET50_CONVOLUTIONS) -> list[str]:
    return OTHERS + [LINE.format(kernel=kernel, source=source)] * count


def test_convolutions_are_counted_by_kernel_and_input_type():
    found = of_onednn(_ran("brgconv_1x1:avx10_1_512_amx", "u8", 36) + _ran("brg_conv_fwd:avx10_1_512_amx", "s8", 17))
    assert found.kernels() == {"brgconv_1x1:avx10_1_512_amx src:u8": 36,
                               "brg_conv_fwd:avx10_1_512_amx src:s8": 17}
    assert found.convolutions[0].time_ms == 16.481
    assert found.doubt(PRECISIONS["amx_int8"]) is None


def test_real_lines_of_amx_prove_their_precision_only():
    for lines, source, name in ((AMX_INT8, "u8", "amx_int8"), (AMX_BF16, "bf16", "amx_bfloat16")):
        found = of_onednn(lines)
        assert found.kernels() == {f"brg_conv_fwd:avx10_1_512_amx src:{source}": 1,
                                   f"brgconv_1x1:avx10_1_512_amx src:{source}": 1}
        proven = {p.name for p in PRECISIONS.values() if not found.doubt(p, expected=2)}
        assert proven - {"amx_bfloat32"} == {name}


def test_a_trainings_gradients_are_proven_by_the_last_of_two_kernels():
    """As a bf16 training ran on Emerald Rapids: gradients of inputs are two primitives in one."""
    found = of_onednn(_ran("brg_conv_bwd:avx10_1_512_amx+brgconv_1x1:avx10_1_512_amx", "bf16"))
    assert found.doubt(PRECISIONS["amx_bfloat16"]) is None
    assert "53 of 53" in found.doubt(PRECISIONS["avx_bfloat16"])


def test_each_precision_is_proven_by_its_own_kernels_only():
    kernels = {"avx_fp32": ("avx512_core", "f32"), "avx_int8": ("avx512_core_vnni", "u8"),
               "avx_bfloat16": ("avx512_core_bf16", "bf16"), "amx_int8": ("avx10_1_512_amx", "u8"),
               "amx_bfloat16": ("avx10_1_512_amx", "bf16"), "amx_bfloat32": ("avx10_1_512_amx", "f32"),
               "avx2_fp32": ("avx2", "f32"), "avx2_int8": ("avx2", "u8")}
    assert set(kernels) == set(PRECISIONS)
    for name, (isa, source) in kernels.items():
        proven = {p.name for p in PRECISIONS.values() if not of_onednn(_ran(f"brg:{isa}", source)).doubt(p)}
        # bf32 is bf16 arithmetic inside: its kernels cannot be told from bf16's where oneDNN
        # converts the input before the convolution.
        assert proven - ({"amx_bfloat32"} if name == "amx_bfloat16" else set()) == {name}


def test_emulated_bf16_is_found_out_and_the_kernels_are_named():
    doubt = of_onednn(_ran("brgconv_1x1:avx512_core_vnni", "bf16")).doubt(PRECISIONS["amx_bfloat16"])
    assert "53 of 53" in doubt
    assert "brgconv_1x1:avx512_core_vnni src:bf16 53" in doubt


def test_missing_convolutions_are_found_out():
    assert "52 convolutions" in of_onednn(_ran("brg:avx2", "f32", 52)).doubt(PRECISIONS["avx2_fp32"])
    assert "0 convolutions" in of_onednn(OTHERS).doubt(PRECISIONS["avx2_fp32"])


def test_only_int8_without_vnni_saturates():
    assert [name for name, precision in PRECISIONS.items() if precision.saturates] == ["avx2_int8"]
