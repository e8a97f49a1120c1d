"""OpenVINO's runtime model -> the kernels that it compiled to; the nodes are OpenVINO 2026.4.1's own, on AVX2."""

from __future__ import annotations

from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.result.limits import parse_shape, sizes
from resnet50_bench.worker.evidence import Evidence, of_openvino

INT8 = {"execOrder": "7", "execTimeMcs": "not_executed", "layerType": "Convolution",
        "originalLayersNames": "Multiply_9858,__module.layer1.0.relu/aten::relu_/Relu/fq_output_0",
        "outputLayouts": "acdb", "outputPrecisions": "u8", "primitiveType": "jit_avx2_1x1_I8",
        "runtimePrecision": "u8", "name": "Multiply_9858", "source": "[8,64,56,56]",
        "weights": "[64,64,1,1]", "output": "[8,64,56,56]"}
FIRST_INT8 = INT8 | {"execOrder": "4", "primitiveType": "jit_avx2_I8", "name": "Multiply_9851",
                     "source": "[8,3,224,224]", "weights": "[64,3,7,7]", "output": "[8,64,112,112]"}
FP32_1X1 = INT8 | {"outputPrecisions": "f32", "primitiveType": "brgconv_avx2_1x1_f32", "runtimePrecision": "f32"}
FP32 = FP32_1X1 | {"primitiveType": "brgconv_avx2_f32"}
OTHERS = [
    {"layerType": "FullyConnected", "primitiveType": "gemm_mlas_f32", "runtimePrecision": "f32", "name": "fc"},
    {"layerType": "Reorder", "primitiveType": "reorder_I8", "runtimePrecision": "u8", "name": "reorder"},
    {"layerType": "Const", "primitiveType": "unknown_i8", "runtimePrecision": "i8", "name": "weights"}]


def model(*counted: tuple[dict[str, str], int]) -> Evidence:
    return of_openvino([*OTHERS, *(node for node, count in counted for _ in range(count))], {})


def test_convolutions_are_named_as_onednn_names_them_and_counted():
    fp32 = model((FP32, 17), (FP32_1X1, 36))
    assert fp32.kernels() == {"brgconv_1x1:avx2 src:f32": 36, "brgconv:avx2 src:f32": 17}
    assert fp32.doubt(PRECISIONS["avx2_fp32"]) is None
    int8 = model((FIRST_INT8, 17), (INT8, 36))
    assert int8.kernels() == {"jit_1x1:avx2 src:u8": 36, "jit:avx2 src:u8": 17}
    assert int8.doubt(PRECISIONS["avx2_int8"]) is None


def test_they_come_in_the_order_of_execution_with_their_times():
    ran = of_openvino([INT8, FIRST_INT8], {"Multiply_9858": 1.5, "Multiply_9851": 22.137})
    assert [(c.kernel, c.shape, c.time_ms) for c in ran.convolutions] == [
        ("jit:avx2", "mb8_ic3oc64_ih224oh112kh7_iw224ow112kw7", 22.137),
        ("jit_1x1:avx2", "mb8_ic64oc64_ih56oh56kh1_iw56ow56kw1", 1.5)]
    assert sizes(parse_shape(ran.convolutions[0].shape)) == (8 * 3 * 224**2, 64 * 3 * 49, 8 * 64 * 112**2)


def test_a_convolution_that_fell_back_to_fp32_is_found_out():
    doubt = model((INT8, 52), (FP32, 1)).doubt(PRECISIONS["avx2_int8"])
    assert doubt is not None and "1 of 53 convolutions did not run avx2_int8's kernels" in doubt
    assert "brgconv:avx2 src:f32 1" in doubt


def test_weights_of_8_bits_alone_are_no_int8_convolution():
    """The primitive's word says 8 bits, the node that it computes in fp32: what it reads decides."""
    mixed = INT8 | {"runtimePrecision": "f32"}
    assert model((mixed, 53)).doubt(PRECISIONS["avx2_int8"])


def test_another_instruction_set_and_a_reference_kernel_prove_nothing():
    for primitive in ("brgconv_avx512_1x1_f32", "brgconv_avx512_amx_f32", "ref_any_f32", "gemm_mlas_f32", ""):
        assert model((FP32 | {"primitiveType": primitive}, 53)).doubt(PRECISIONS["avx2_fp32"]), primitive


def test_a_convolution_too_few_is_found_out():
    assert "52 convolutions ran where ResNet50 has 53" in str(model((FP32, 52)).doubt(PRECISIONS["avx2_fp32"]))


def test_what_cannot_be_shown_is_no_doubt_but_called_unproven():
    ran = Evidence((), "ONNX Runtime names operators")
    assert ran.doubt(PRECISIONS["avx2_fp32"]) is None
    assert ran.text() == "unproven: ONNX Runtime names operators"
