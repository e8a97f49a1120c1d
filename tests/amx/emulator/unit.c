/* unit FILE [ROUNDS]: every AMX instruction against plain C, on random data, in several threads at once.
 * It runs the same under the emulator and on a CPU with AMX. FILE receives the results of all products, for a comparison
 * bit by bit. Status 0: nothing differs from plain C. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 4, STRIDE = 192, ARCH_GET_XCOMP_PERM = 0x1022, ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
enum kind { SS, SU, US, UU, BF16, BF16_ANY_BITS, KINDS };
static const char *const kind_names[] = {"tdpbssd", "tdpbsud", "tdpbusd", "tdpbuud", "tdpbf16ps", "tdpbf16ps of any bits"};

struct configuration { uint8_t palette, start_row, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; };
typedef uint8_t matrix[16][STRIDE];
struct sizes { int rows, columns, depth; };       /* columns and depth in groups of 4 bytes */

static __thread uint64_t seed;
static long failures, rounds = 1000;
static int results;
static __thread matrix left, right, sum, got, expected;

static uint64_t any(void) { seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17; return seed; }

static void check(int fine, const char *what) {
    enum { SHOWN = 20 };
    if (!fine && __sync_fetch_and_add(&failures, 1) < SHOWN) fprintf(stderr, "differs: %s\n", what);
}

/* ---------------------------------------------------------------- the same in plain C */
static float fp32(const uint8_t *bf16) {
    uint32_t bits = (uint32_t)(bf16[0] | bf16[1] << 8) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static float flushed(float value) { return fabsf(value) < 0x1p-126f ? copysignf(0, value) : value; }

static uint32_t int8_element(enum kind kind, struct sizes size, int row, int column) {
    uint32_t total;
    memcpy(&total, &sum[row][4 * column], 4);
    for (int k = 0; k < size.depth; k++)
        for (int i = 0; i < 4; i++) {
            uint8_t a = left[row][4 * k + i], b = right[k][4 * column + i];
            total += (kind == SS || kind == SU ? (int8_t)a : a) * (kind == SS || kind == US ? (int8_t)b : b);
        }
    return total;
}

/* SDM Vol. 2, TDPBF16PS. */
static float bf16_element(struct sizes size, int row, int column) {
    float even = 0, odd = 0, before;
    memcpy(&before, &sum[row][4 * column], 4);
    for (int k = 0; k < size.depth; k++) {
        const uint8_t *a = &left[row][4 * k], *b = &right[k][4 * column];
        even = flushed(fmaf(flushed(fp32(a)), flushed(fp32(b)), even));
        odd = flushed(fmaf(flushed(fp32(a + 2)), flushed(fp32(b + 2)), odd));
    }
    return flushed(flushed(before) + flushed(even + odd));
}

static void check_product(enum kind kind, struct sizes size) {
    int wrong = 0;
    for (int row = 0; row < size.rows; row++)
        for (int column = 0; column < size.columns; column++) {
            uint32_t is, should;
            memcpy(&is, &got[row][4 * column], 4);
            if (kind < BF16) {
                should = int8_element(kind, size, row, column);
            } else {
                float value = bf16_element(size, row, column), real;
                memcpy(&should, &value, 4);
                memcpy(&real, &is, 4);
                if (isnan(value) && isnan(real)) continue;
            }
            wrong += is != should;
        }
    memset(expected, 0x55, sizeof expected);
    for (int row = 0; row < size.rows; row++) memcpy(expected[row], got[row], 4 * size.columns);
    check(!wrong, kind_names[kind]);
    check(!memcmp(got, expected, sizeof got), "tilestored wrote beside the tile");
}

/* ---------------------------------------------------------------- AMX */
static struct configuration configuration_of(struct sizes size) {
    struct configuration made = {.palette = 1};
    for (int i = 0; i < 8; i++) { made.rows[i] = size.rows; made.bytes[i] = 4 * size.columns; }
    made.bytes[1] = made.bytes[4] = 4 * size.depth;      /* left: tiles 1 and 4 */
    made.rows[2] = made.rows[7] = size.depth;            /* right: tiles 2 and 7 */
    return made;
}

static void fill(enum kind kind) {
    for (int row = 0; row < 16; row++)
        for (int i = 0; i < STRIDE; i++) { left[row][i] = any(); right[row][i] = any(); sum[row][i] = any(); }
    if (kind != BF16) return;
    for (int row = 0; row < 16; row++)                   /* finite values, some denormal */
        for (int i = 0; i < STRIDE; i += 4) {
            for (int half = 0; half < 4; half += 2) {
                uint16_t a = (any() & 0x807F) | (any() % 16 ? 96 + any() % 40 : 0) << 7;
                uint16_t b = (any() & 0x807F) | (any() % 16 ? 96 + any() % 40 : 0) << 7;
                memcpy(&left[row][i + half], &a, 2);
                memcpy(&right[row][i + half], &b, 2);
            }
            float value = (int)any() * 1e-6f;
            memcpy(&sum[row][i], &value, 4);
        }
}

/* Loads with a plain base, 8-bit and 32-bit displacements, r12 and r13, a scaled index, and the streaming form. */
static void load_all(void) {
    register uintptr_t base __asm__("r13") = (uintptr_t)sum - 4096;
    register long stride __asm__("r12") = STRIDE / 2;
    _tile_loadd(1, left, STRIDE);
    __asm__ volatile("tileloadd 64(%0,%1,1), %%tmm2" :: "r"((uintptr_t)right - 64), "r"((long)STRIDE) : "memory");
    __asm__ volatile("tileloadd 4096(%0,%1,2), %%tmm0" :: "r"(base), "r"(stride) : "memory");
    _tile_stream_loadd(4, left, STRIDE);
    _tile_loadd(7, right, STRIDE);
}

static void multiply(enum kind kind) {
    switch (kind) {
    case SS: _tile_dpbssd(0, 1, 2); break;
    case SU: _tile_dpbsud(0, 4, 7); break;
    case US: _tile_dpbusd(0, 1, 7); break;
    case UU: _tile_dpbuud(0, 4, 2); break;
    default: _tile_dpbf16ps(0, 1, 2);
    }
}

/* No instruction may change what is not its own: a vector register, a mask, the flags, the red zone. */
static void check_registers(long round) {
    uint8_t carry;
    long red_zone, mask;
    __m512i vector;
    __asm__ volatile("vpbroadcastq %4, %%zmm17\n kmovq %4, %%k5\n mov %4, -8(%%rsp)\n stc\n"
                     "tdpbssd %%tmm2, %%tmm1, %%tmm0\n"
                     "setc %0\n mov -8(%%rsp), %1\n kmovq %%k5, %2\n vmovdqa64 %%zmm17, %3"
                     : "=&r"(carry), "=&r"(red_zone), "=&r"(mask), "=&v"(vector) : "r"(round)
                     : "cc", "memory", "xmm17", "k5");
    check(carry == 1, "the carry flag was lost");
    check(red_zone == round, "the red zone was lost");
    check(mask == round, "k5 was lost");
    check(_mm512_cmpeq_epi64_mask(vector, _mm512_set1_epi64(round)) == 255, "zmm17 was lost");
}

static void check_zero_and_release(struct sizes size) {
    struct configuration seen;
    _tile_zero(0);
    memset(expected, 0x55, sizeof expected);
    memset(got, 0x55, sizeof got);
    _tile_stored(0, got, STRIDE);
    for (int row = 0; row < size.rows; row++) memset(expected[row], 0, 4 * size.columns);
    check(!memcmp(got, expected, sizeof got), "tilezero");
    _tile_release();
    _tile_storeconfig(&seen);
    check(seen.palette == 0 && seen.rows[0] == 0, "tilerelease");
}

static void one_round(long round, off_t place) {
    struct sizes size = {16, 16, 16};
    if (round % 3) size = (struct sizes){1 + any() % 16, 1 + any() % 16, 1 + any() % 16};
    struct configuration given = configuration_of(size), seen;
    enum kind kind = any() % KINDS;
    fill(kind);
    memset(got, 0x55, sizeof got);
    _tile_loadconfig(&given);
    _tile_storeconfig(&seen);
    check(!memcmp(&given, &seen, sizeof given), "ldtilecfg and sttilecfg");
    load_all();
    multiply(kind);
    _tile_stored(0, got, STRIDE);
    check_product(kind, size);
    for (int row = 0; row < 16; row++)
        if (pwrite(results, got[row], 64, place + 64 * row) != 64) check(0, "the results cannot be written");
    check_registers(round);
    check_zero_and_release(size);
}

static void *thread(void *number) {
    seed = 88172645463325252ull + 7919 * (long)number;
    for (long round = 0; round < rounds; round++) one_round(round, 1024 * ((long)number * rounds + round));
    return NULL;
}

/* The VEX form of vpdpbusd, with an 8-bit displacement, which the EVEX form would scale. */
static void check_avx_vnni(void) {
    static int32_t before[8], after[8];
    static uint8_t a[32], b[64];
    seed = 99;
    for (int i = 0; i < 32; i++) { a[i] = any(); b[i + 8] = any(); before[i / 4] = any(); }
    __asm__ volatile("vmovdqu (%0),%%ymm1\nvmovdqu (%1),%%ymm2\n%{vex%} vpdpbusd 8(%2),%%ymm2,%%ymm1\nvmovdqu %%ymm1,(%3)"
                     :: "r"(before), "r"(a), "r"(b), "r"(after) : "xmm1", "xmm2", "memory");
    for (int n = 0; n < 8; n++) {
        int32_t total = before[n];
        for (int i = 0; i < 4; i++) total += a[4 * n + i] * (int8_t)b[8 + 4 * n + i];
        check(total == after[n], "AVX-VNNI vpdpbusd");
    }
}

int main(int count, char **words) {
    unsigned long permitted = 0;
    pthread_t threads[THREADS];
    results = count > 1 ? open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (count > 2) rounds = atol(words[2]);
    if (results < 0 || rounds < 1) { fprintf(stderr, "usage: unit FILE [ROUNDS]\n"); return 2; }
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA)) { perror("the kernel refuses the tiles"); return 77; }
    check(!syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &permitted) && permitted >> 17 == 3, "permitted tiles");
    signal(SIGILL, SIG_DFL);                             /* must not take it from the emulator */
    check_avx_vnni();
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, thread, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("%ld rounds of %d threads, %ld differences\n", rounds, THREADS, failures);
    return failures != 0;
}
