# Emerald Rapids
include("${CMAKE_CURRENT_LIST_DIR}/matrix.cmake")
add_resnet50_cases(avx_fp32 avx_int8 amx_int8 amx_bfloat16 amx_bfloat32)
