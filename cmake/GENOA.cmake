# EPYC of the Genoa generation (Zen 4)
include("${CMAKE_CURRENT_LIST_DIR}/matrix.cmake")
add_resnet50_cases(avx_fp32 avx_int8 avx_bfloat16)
