# EPYC of the Rome generation (Zen 2): no AVX-512
include("${CMAKE_CURRENT_LIST_DIR}/matrix.cmake")
add_resnet50_cases(avx2_fp32 avx2_int8)
