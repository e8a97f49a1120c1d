/* What the files of the AMX emulator share.
 *
 * The emulator is a library for LD_PRELOAD or /etc/ld.so.preload. A program under it sees a Xeon with AMX and runs its
 * AMX kernels; their instructions are computed in software. It serves functional tests only. Its speed means nothing.
 *
 *   decode.c      bytes of an instruction -> struct instruction
 *   tiles.c       one thread's tiles: configuration, load, store, zero, release
 *   products.c    the dot products of tiles
 *   stubs.c       an instruction is replaced, once, by a jump to a stub that emulates it; entry.S: from a stub to C
 *   claims.c      the answers of cpuid and xgetbv
 *   libraries.c   cpuid and xgetbv of listed libraries are patched as ld.so maps them
 *   libc.c        functions of libc that stand in front of libc's own: signals, arch_prctl
 *   emulator.c    the handler of SIGILL, and how it begins
 *   log.c         system calls without libc, the log
 *
 * "SDM" in comments is Intel's "64 and IA-32 Architectures Software Developer's Manual".
 */
#ifndef EMULATOR_H
#define EMULATOR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* ---------------------------------------------------------------- decode.c */
enum operation { LDTILECFG, STTILECFG, TILELOADD, TILESTORED, TILEZERO, TILERELEASE,
                 TDPBSSD, TDPBSUD, TDPBUSD, TDPBUUD, TDPBF16PS, OPERATIONS,
                 AVX_VNNI };              /* vpdpbusd, vpdpbusds, vpdpwssd, vpdpwssds in their VEX form */
extern const char *const operation_names[OPERATIONS];

enum { NO_REGISTER = 16, RIP = 17 };      /* of base and index */

struct instruction {
    uint64_t rip;                         /* where it is */
    int32_t displacement;
    uint8_t operation, length;
    uint8_t destination, left, right;     /* tiles: destination += left * right */
    uint8_t base, index, scale;           /* memory operand; the scale as a shift */
};
/* 1 where the bytes are an AMX or AVX-VNNI instruction that can be emulated, else 0. */
int decode(const uint8_t *bytes, uint64_t rip, struct instruction *out);

/* ---------------------------------------------------------------- tiles.c */
struct tiles {
    uint8_t data[8][16][64];
    uint8_t configuration[64];            /* as ldtilecfg reads it: SDM Vol. 1, 18.3 */
    uint8_t rows[8];
    uint16_t bytes[8];                    /* of a row */
} __attribute__((aligned(64)));

/* Emulate one instruction. registers: the 16 general ones, by number. configuration: what the CPU's own ldtilecfg has
 * loaded, on a CPU with AMX, else NULL. */
void execute(const struct instruction *instruction, const uint64_t *registers, const uint8_t *configuration);
void invalid(const struct instruction *instruction, const char *why) __attribute__((noreturn));

/* ---------------------------------------------------------------- products.c */
/* tiles->data[destination] += left * right, of `rows` rows of the left and `depth` rows of the right tile. What that
 * leaves beyond the rows and columns of the destination is never stored. */
void int8_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth);
void bf16_product(struct tiles *tiles, const struct instruction *instruction, int rows, int depth);

/* ---------------------------------------------------------------- stubs.c */
/* Replace the instruction at `code` by a jump to a stub. 0 where that cannot be done. Under the lock. */
int replace(uint8_t *code, const struct instruction *instruction);
int make_writable(uint64_t address, size_t bytes);
void from_stub(void);                     /* entry.S */

/* ---------------------------------------------------------------- claims.c */
struct answer { uint32_t eax, ebx, ecx, edx; };
struct answer claimed_cpuid(uint32_t leaf, uint32_t subleaf, int claims_fp16);
uint64_t claimed_xgetbv(uint32_t number);
int cpu_has_amx(void);

/* ---------------------------------------------------------------- libraries.c */
struct site { uint64_t address; uint8_t is_cpuid, claims_fp16; };
void patch_new_libraries(void);           /* under the lock */
const struct site *site_at(uint64_t address);

/* ---------------------------------------------------------------- libc.c */
extern struct sigaction programs_action;  /* what the program believes to have set for SIGILL */
int libc_sigaction(int number, const struct sigaction *new_action, struct sigaction *old_action);
void unblock_sigill(void);

/* ---------------------------------------------------------------- emulator.c */
void lock(void);
void unlock(void);
extern int in_handler;                    /* emulate in the handler each time: the file "in-handler" is there */
extern int without_amx;                   /* leave nothing to the CPU's own AMX: the file "without-amx" is there */

/* ---------------------------------------------------------------- log.c */
long system_call(long number, long a, long b, long c, long d, long e, long f);
#define SYSTEM_CALL(number, a, b, c) system_call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
/* Read a file from its beginning. The bytes read (at most size), or -1. */
long read_file(const char *path, void *buffer, size_t size);
/* The path of `name` in the folder that holds this library. */
const char *beside_library(const char *name, char *buffer, size_t size);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
