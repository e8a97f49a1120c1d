/* The dot products of tiles by AVX-512: SDM Vol. 2, TDPBSSD/TDPBSUD/TDPBUSD/TDPBUUD and TDPBF16PS. */
#include "emulator.h"

#include <immintrin.h>

#define LOAD(row) _mm512_load_si512((const void *)(row))

/* A row of the left tile has `depth` groups of 4 bytes, each of which meets a row of the right tile. vpdpbusd
 * multiplies unsigned by signed bytes, so the other signs are made of it:
 *   signed * signed:      (a + 128) * b - 128 * b
 *   unsigned * unsigned:  a * (b - 128) + 2 * (a * 64) */
static inline __m512i meet(int operation, __m512i sum, __m512i a, __m512i b) {
    const __m512i flip = _mm512_set1_epi8((char)0x80), half = _mm512_set1_epi8(64);
    switch (operation) {
    case TDPBUSD: return _mm512_dpbusd_epi32(sum, a, b);
    case TDPBSUD: return _mm512_dpbusd_epi32(sum, b, a);
    case TDPBSSD:
        sum = _mm512_sub_epi32(sum, _mm512_dpbusd_epi32(_mm512_setzero_si512(), flip, b));
        return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, flip), b);
    default:
        sum = _mm512_dpbusd_epi32(sum, a, _mm512_xor_si512(b, flip));
        return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, a, half), a, half);
    }
}

/* Four rows at once: a product does not wait for the one before it. */
__attribute__((always_inline))
static inline void int8_rows(int operation, uint8_t (*to)[64], uint8_t (*left)[64], uint8_t (*right)[64], int rows,
                             int depth) {
    for (int row = 0; row < rows; row += 4) {
        __m512i sums[4];
        for (int i = 0; i < 4; i++) sums[i] = LOAD(to[row + i]);
        for (int k = 0; k < depth; k++) {
            __m512i b = LOAD(right[k]);
            _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
                sums[i] = meet(operation, sums[i], _mm512_set1_epi32(((const int32_t *)left[row + i])[k]), b);
        }
        for (int i = 0; i < 4; i++) _mm512_store_si512(to[row + i], sums[i]);
    }
}

void int8_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth) {
    uint8_t (*to)[64] = tiles->data[instruction->destination], (*left)[64] = tiles->data[instruction->left],
            (*right)[64] = tiles->data[instruction->right];
    switch (instruction->operation) {
    case TDPBUSD: int8_rows(TDPBUSD, to, left, right, rows, depth); break;
    case TDPBSUD: int8_rows(TDPBSUD, to, left, right, rows, depth); break;
    case TDPBSSD: int8_rows(TDPBSSD, to, left, right, rows, depth); break;
    case TDPBUUD: int8_rows(TDPBUUD, to, left, right, rows, depth); break;
    }
}

/* The even and the odd bf16 of each row, as fp32. */
struct halves { __m512 even[16], odd[16]; };

static void split(struct halves *out, uint8_t (*tile)[64], int rows) {
    for (int row = 0; row < rows; row++) {
        __m512i pairs = LOAD(tile[row]);
        out->even[row] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
        out->odd[row] = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000)));
    }
}

/* The products of even and of odd elements are summed apart by fp32 FMA, then added to each other and to the tile. Four
 * rows at once: an FMA does not wait for the one before it. */
static void bf16_rows(uint8_t (*to)[64], const struct halves *left, const struct halves *right, int row, int depth) {
    __m512 evens[4], odds[4];
    for (int i = 0; i < 4; i++) evens[i] = odds[i] = _mm512_setzero_ps();
    for (int k = 0; k < depth; k++) {
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
            evens[i] = _mm512_fmadd_ps(_mm512_set1_ps(left->even[row + i][k]), right->even[k], evens[i]);
            odds[i] = _mm512_fmadd_ps(_mm512_set1_ps(left->odd[row + i][k]), right->odd[k], odds[i]);
        }
    }
    for (int i = 0; i < 4; i++) {
        __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(LOAD(to[row + i])), _mm512_add_ps(evens[i], odds[i]));
        _mm512_store_ps((float *)to[row + i], sum);
    }
}

/* The instruction does not look at MXCSR: it flushes denormals on both sides and rounds to nearest even. */
void bf16_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth) {
    enum { FLUSH_TO_ZERO = 0x8000, ALL_MASKED = 0x1F80, DENORMALS_ARE_ZERO = 0x40 };
    uint8_t (*to)[64] = tiles->data[instruction->destination];
    struct halves left, right;
    unsigned before = _mm_getcsr();
    _mm_setcsr(FLUSH_TO_ZERO | ALL_MASKED | DENORMALS_ARE_ZERO);
    split(&left, tiles->data[instruction->left], 16);
    split(&right, tiles->data[instruction->right], depth);
    for (int row = 0; row < rows; row += 4) bf16_rows(to, &left, &right, row, depth);
    _mm_setcsr(before);
}
