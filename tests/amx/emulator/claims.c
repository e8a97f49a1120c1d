/* What cpuid and xgetbv answer: this machine's, with the identity, caches and AMX of a Xeon Platinum 8480+.
 * Leaves: SDM Vol. 2A, CPUID. XCR0: SDM Vol. 1, 13.1 and 13.3. The figures are those of Sapphire Rapids. */
#include "emulator.h"

#include <cpuid.h>
#include <string.h>

enum { XTILECFG = 1 << 17, XTILEDATA = 1 << 18 };

static const char brand[49] = "Intel(R) Xeon(R) Platinum 8480+ EMULATED";

static struct answer real_cpuid(uint32_t leaf, uint32_t subleaf) {
    struct answer is;
    __cpuid_count(leaf, subleaf, is.eax, is.ebx, is.ecx, is.edx);
    return is;
}

int cpu_has_amx(void) { return !without_amx && real_cpuid(7, 0).edx >> 24 & 1; }

static struct answer features(uint32_t subleaf, int claims_fp16, struct answer is) {
    if (subleaf == 0) is.edx |= 1u << 22 | 1u << 24 | 1u << 25;     /* AMX-BF16, AMX-TILE, AMX-INT8 */
    if (subleaf == 0 && claims_fp16) is.edx |= 1u << 23;            /* AVX512_FP16 */
    if (subleaf == 1 && claims_fp16) is.eax |= 1u << 4;             /* AVX_VNNI */
    return is;
}

static struct answer extended_state(uint32_t subleaf, struct answer is) {
    switch (subleaf) {
    case 0:
        is.eax |= XTILECFG | XTILEDATA;
        is.ebx = is.ecx = 0x2B00;
        return is;
    case 1:
        is.eax |= 1u << 4;                                           /* extended feature disable */
        return is;
    case 17: return (struct answer){64, 0xAC0, 2, 0};
    case 18: return (struct answer){8192, 0xB00, 6, 0};
    }
    return is;
}

static struct answer caches(uint32_t subleaf) {
    static const struct { uint32_t type, level, sharers, ways, sets; } all[] = {
        {1, 1, 2, 12, 64}, {2, 1, 2, 8, 64}, {3, 2, 2, 16, 2048}, {3, 3, 128, 15, 114688}};
    if (subleaf >= sizeof all / sizeof *all) return (struct answer){0, 0, 0, 0};
    uint32_t first = all[subleaf].type | all[subleaf].level << 5 | 1 << 8 | (all[subleaf].sharers - 1) << 14;
    return (struct answer){first, 63 | (all[subleaf].ways - 1) << 22, all[subleaf].sets - 1, 0};
}

static struct answer vendor(struct answer is) {
    if (is.eax < 0x20) is.eax = 0x20;                                /* the highest leaf */
    memcpy(&is.ebx, "Genu", 4);
    memcpy(&is.edx, "ineI", 4);
    memcpy(&is.ecx, "ntel", 4);
    return is;
}

static struct answer extended(uint32_t leaf, struct answer is) {
    switch (leaf) {
    case 0x80000000u: return (struct answer){0x80000008u, 0, 0, 0};
    case 0x80000001u: return (struct answer){0, 0, is.ecx & 0x121, is.edx & 0x2C100800};    /* none of AMD's own */
    case 0x80000002u: case 0x80000003u: case 0x80000004u: memcpy(&is, brand + 16 * (leaf - 0x80000002u), 16); return is;
    case 0x80000006u: return (struct answer){0, 0, 0x08008040, 0};   /* 2 MiB */
    case 0x80000007u: case 0x80000008u: return is;
    }
    return (struct answer){0, 0, 0, 0};
}

struct answer claimed_cpuid(uint32_t leaf, uint32_t subleaf, int claims_fp16) {
    if (leaf == 0x1F) leaf = 0xB;                                    /* the topology stays the machine's */
    struct answer is = real_cpuid(leaf, subleaf);
    if (leaf >= 0x80000000u) return extended(leaf, is);
    switch (leaf) {
    case 0: return vendor(is);
    case 1: is.eax = 0x000806F8; return is;                          /* family 6, model 143, stepping 8 */
    case 2: return (struct answer){0x00FEFF01, 0xF0, 0, 0};          /* see leaf 4 */
    case 4: return caches(subleaf);
    case 7: return features(subleaf, claims_fp16, is);
    case 0xD: return extended_state(subleaf, is);
    case 0x1D:                                                       /* the sizes of tiles: SDM Vol. 1, 18.2 */
        if (subleaf == 0) return (struct answer){1, 0, 0, 0};
        return subleaf == 1 ? (struct answer){8192 | 1024u << 16, 64 | 8u << 16, 16, 0} : (struct answer){0, 0, 0, 0};
    case 0x1E: return subleaf == 0 ? (struct answer){0, 16 | 64 << 8, 0, 0} : (struct answer){0, 0, 0, 0};
    }
    return is;
}

uint64_t claimed_xgetbv(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(number));
    if (number == 0) low |= XTILECFG | XTILEDATA;
    return (uint64_t)high << 32 | low;
}
