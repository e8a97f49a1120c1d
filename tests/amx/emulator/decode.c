/* Bytes -> struct instruction. VEX encoding: SDM Vol. 2A, 2.3. Opcodes: the page of each instruction in SDM Vol. 2. */
#include "emulator.h"

#include <string.h>

const char *const operation_names[OPERATIONS] = {"ldtilecfg", "sttilecfg", "tileloadd", "tilestored", "tilezero",
                                                 "tilerelease", "tdpbssd", "tdpbsud", "tdpbusd", "tdpbuud", "tdpbf16ps"};

enum { NONE, P66, PF3, PF2 };             /* VEX.pp: the prefix that it stands for */

/* ModR/M, SIB and displacement after the opcode: SDM Vol. 2A, 2.1.3. x and b: the inverted bits of VEX. */
static void decode_memory(const uint8_t *modrm, int x, int b, struct instruction *out) {
    const uint8_t *next = modrm + 1;
    int mode = *modrm >> 6, rm = *modrm & 7;
    if (rm == 4) {
        int sib = *next++, index = (sib >> 3 & 7) | x << 3;
        out->scale = sib >> 6;
        if (index != 4) out->index = index;
        if ((sib & 7) == 5 && mode == 0) mode = 2;
        else out->base = (sib & 7) | b << 3;
    } else if (rm == 5 && mode == 0) {
        out->base = RIP;
        mode = 2;
    } else {
        out->base = rm | b << 3;
    }
    if (mode == 1) out->displacement = (int8_t)*next++;
    if (mode == 2) { memcpy(&out->displacement, next, 4); next += 4; }
    out->length = next - modrm + 4;
}

/* The operation of an AMX opcode (VEX.128, map 2, W0), or -1. */
static int amx_operation(int opcode, int prefix, int modrm) {
    int is_memory = modrm >> 6 != 3, rm = modrm & 7;
    switch (opcode) {
    case 0x49:
        if (is_memory) return prefix == NONE ? LDTILECFG : prefix == P66 ? STTILECFG : -1;
        if (prefix == NONE && modrm == 0xC0) return TILERELEASE;
        return prefix == PF2 && rm == 0 ? TILEZERO : -1;
    case 0x4B:                            /* needs a SIB byte; 66 is tileloaddt1, a hint only */
        if (!is_memory || rm != 4) return -1;
        return prefix == PF3 ? TILESTORED : prefix == NONE ? -1 : TILELOADD;
    case 0x5C:
        return !is_memory && prefix == PF3 ? TDPBF16PS : -1;
    case 0x5E:
        if (is_memory) return -1;
        return prefix == PF2 ? TDPBSSD : prefix == PF3 ? TDPBSUD : prefix == P66 ? TDPBUSD : TDPBUUD;
    }
    return -1;
}

int decode(const uint8_t *bytes, uint64_t rip, struct instruction *out) {
    memset(out, 0, sizeof *out);
    if (bytes[0] != 0xC4 || (bytes[1] & 31) != 2 || bytes[2] & 0x80) return 0;
    int x = !(bytes[1] & 0x40), b = !(bytes[1] & 0x20);
    int wide = bytes[2] >> 2 & 1, prefix = bytes[2] & 3, opcode = bytes[3], modrm = bytes[4];
    *out = (struct instruction){.rip = rip, .length = 5, .base = NO_REGISTER, .index = NO_REGISTER,
                                .destination = modrm >> 3 & 7, .left = modrm & 7, .right = ~(bytes[2] >> 3) & 7};
    if (modrm >> 6 != 3) decode_memory(bytes + 4, x, b, out);
    if (opcode >= 0x50 && opcode <= 0x53 && prefix == P66) {
        out->operation = AVX_VNNI;
        return 1;
    }
    int operation = wide ? -1 : amx_operation(opcode, prefix, modrm);
    out->operation = operation;
    return operation >= 0;
}
