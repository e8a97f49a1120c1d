/* The dot products of tiles by AVX-512: SDM Vol. 2, TDPBSSD/TDPBSUD/TDPBUSD/TDPBUUD and TDPBF16PS. */
#include "emulator.h"

#include <immintrin.h>

#define LOAD(row) _mm512_load_si512((const void *)(row))

/* A row of the left tile has `depth` groups of 4 bytes, each of which meets a row of the right tile. vpdpbusd
 * multiplies unsigned by signed bytes, so the other signs are made of it:
 *   signed * signed:      (a + 128) * b - 128 * b
 *   unsigned * unsigned:  a * (b - 128) + 2 * (a * 64) */
static __m512i int8_row(int operation, __m512i sum, const int32_t *left, uint8_t (*right)[64], int depth) {
    const __m512i flip = _mm512_set1_epi8((char)0x80), half = _mm512_set1_epi8(64);
    for (int k = 0; k < depth; k++) {
        __m512i a = _mm512_set1_epi32(left[k]), b = LOAD(right[k]);
        switch (operation) {
        case TDPBUSD: sum = _mm512_dpbusd_epi32(sum, a, b); break;
        case TDPBSUD: sum = _mm512_dpbusd_epi32(sum, b, a); break;
        case TDPBSSD:
            sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, flip), b);
            sum = _mm512_sub_epi32(sum, _mm512_dpbusd_epi32(_mm512_setzero_si512(), flip, b));
            break;
        case TDPBUUD:
            sum = _mm512_dpbusd_epi32(sum, a, _mm512_xor_si512(b, flip));
            sum = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, a, half), a, half);
            break;
        }
    }
    return sum;
}

void int8_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth) {
    uint8_t (*to)[64] = tiles->data[instruction->destination], (*left)[64] = tiles->data[instruction->left];
    __mmask16 columns = (1u << tiles->bytes[instruction->destination] / 4) - 1;
    for (int row = 0; row < rows; row++) {
        __m512i sum = int8_row(instruction->operation, LOAD(to[row]), (const int32_t *)left[row],
                               tiles->data[instruction->right], depth);
        _mm512_store_si512(to[row], _mm512_maskz_mov_epi32(columns, sum));
    }
}

/* Two bf16 in 32 bits, as two fp32 vectors. */
static __m512 even(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }
static __m512 odd(__m512i pairs) {
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000)));
}

/* The products of even and of odd elements are summed apart by fp32 FMA, then added to each other and to the tile. The
 * instruction does not look at MXCSR: it flushes denormals on both sides and rounds to nearest even. */
void bf16_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth) {
    enum { FLUSH_TO_ZERO = 0x8000, ALL_MASKED = 0x1F80, DENORMALS_ARE_ZERO = 0x40 };
    uint8_t (*to)[64] = tiles->data[instruction->destination], (*left)[64] = tiles->data[instruction->left];
    uint8_t (*right)[64] = tiles->data[instruction->right];
    __mmask16 columns = (1u << tiles->bytes[instruction->destination] / 4) - 1;
    unsigned before = _mm_getcsr();
    _mm_setcsr(FLUSH_TO_ZERO | ALL_MASKED | DENORMALS_ARE_ZERO);
    for (int row = 0; row < rows; row++) {
        const int32_t *pairs = (const int32_t *)left[row];
        __m512 evens = _mm512_setzero_ps(), odds = _mm512_setzero_ps();
        for (int k = 0; k < depth; k++) {
            __m512i a = _mm512_set1_epi32(pairs[k]), b = LOAD(right[k]);
            evens = _mm512_fmadd_ps(even(a), even(b), evens);
            odds = _mm512_fmadd_ps(odd(a), odd(b), odds);
        }
        __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(LOAD(to[row])), _mm512_add_ps(evens, odds));
        _mm512_store_ps((float *)to[row], _mm512_maskz_mov_ps(columns, sum));
    }
    _mm_setcsr(before);
}
