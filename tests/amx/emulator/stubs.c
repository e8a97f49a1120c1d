/* An instruction that trapped is replaced, once, by a jump to a stub. So each place costs one signal only.
 * Every AMX instruction has at least the 5 bytes of a jump with a 32-bit distance. */
#include "emulator.h"

#include <fcntl.h>
#include <immintrin.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, LARGEST_ARENA = 1 << 20, STUB = 96, REMEMBERED = 65536, REACH = 2000000000 };

/* A mapping that holds stubs, within reach of what jumps to them. */
struct arena { struct arena *next; void (*entry)(void); size_t used, size; };
static struct arena *arenas;

/* Code is freed and made again at its address, often with the same bytes: then its old stub serves. */
static struct { uint64_t rip; uint8_t bytes[16]; uint8_t *stub; } remembered[REMEMBERED];

static int is_near(uint64_t a, uint64_t b) { int64_t d = a - b; return -REACH < d && d < REACH; }

/* The end of a free gap of `size` bytes and a margin on both sides that is the nearest to rip; 0 where there is none. */
static uint64_t nearest_gap(uint64_t rip, uint64_t size, uint64_t margin) {
    static char text[1 << 20];
    long length = read_file("/proc/self/maps", text, sizeof text - 1);
    if (length < 0) return 0;
    text[length] = 0;
    uint64_t end = 0x10000, best = 0;
    for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        char *rest;
        uint64_t from = strtoull(line, &rest, 16), to = strtoull(rest + 1, NULL, 16);
        if (from > end && from - end >= size + 2 * margin) {
            uint64_t at = end > rip ? end + margin : from - size - margin;
            at = (at + PAGE - 1) & ~(uint64_t)(PAGE - 1);
            if (llabs((long long)(at - rip)) < llabs((long long)(best - rip))) best = at;
        }
        end = to;
    }
    return best && is_near(best, rip) ? best : 0;
}

static struct arena *map_arena(uint64_t rip, uint64_t size) {
    /* A large one leaves room for what malloc and ld.so may append to their mappings. */
    uint64_t at = nearest_gap(rip, size, size == LARGEST_ARENA ? 8 * PAGE : 0);
    if (!at) return NULL;
    long got = system_call(SYS_mmap, at, size, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got < 0 || (uint64_t)got != at) return NULL;
    struct arena *made = (struct arena *)got;
    *made = (struct arena){arenas, from_stub, 64, size};
    arenas = made;
    return made;
}

/* Between big libraries there may be no gap of a MiB within reach, but a smaller one. */
static struct arena *new_arena(uint64_t rip) {
    static uint64_t none_at;
    static int pause;
    if (pause > 0 && is_near(none_at, rip)) { pause--; return NULL; }
    for (uint64_t size = LARGEST_ARENA; size >= PAGE; size >>= 4) {
        struct arena *made = map_arena(rip, size);
        if (made) return made;
    }
    log_line("no room for a stub within 2 GiB of %lx: each use there costs a signal", rip);
    none_at = rip;
    pause = 100000;                       /* do not read /proc/self/maps at each signal */
    return NULL;
}

/* The EVEX form (AVX512_VNNI with AVX512VL) of an AVX_VNNI instruction: SDM Vol. 2A, 2.7.1. NULL for a rip-relative. */
static uint8_t *write_evex(uint8_t *to, const uint8_t *code, const struct instruction *instruction) {
    int modrm = code[4], is_256 = code[2] >> 2 & 1;
    if (instruction->base == RIP) return NULL;
    *to++ = 0x62;
    *to++ = (code[1] & 0xE0) | 0x12;      /* R X B R' 0 m m m */
    *to++ = (code[2] & 0x78) | 0x05;      /* W vvvv 1 pp */
    *to++ = is_256 << 5 | 0x08;           /* z L'L b V' aaa */
    *to++ = code[3];
    if (modrm >> 6 != 1) {
        memcpy(to, code + 4, instruction->length - 4);
        return to + instruction->length - 4;
    }
    *to++ = (modrm & 0x3F) | 0x80;        /* EVEX scales an 8-bit displacement: a 32-bit one instead */
    if ((modrm & 7) == 4) *to++ = code[5];
    memcpy(to, &instruction->displacement, 4);
    return to + 4;
}

/* The call of entry.S. The instruction is kept in the stub's second half. */
static uint8_t *write_call(uint8_t *stub, const struct arena *arena, const struct instruction *instruction) {
    struct instruction *copy = (struct instruction *)(stub + 64);
    *copy = *instruction;
    uint8_t *to = stub;
    memcpy(to, "\x48\x8D\x64\x24\x80" "\x50" "\x48\xB8", 8);     /* lea -128(%rsp),%rsp; push %rax; mov ...,%rax */
    memcpy(to + 8, &copy, 8);
    int32_t distance = (int32_t)((uint8_t *)&arena->entry - (to + 22));
    memcpy(to + 16, "\xFF\x15", 2);                                 /* call *entry(%rip) */
    memcpy(to + 18, &distance, 4);
    memcpy(to + 22, "\x58" "\x48\x8D\xA4\x24\x80\x00\x00\x00", 9); /* pop %rax; lea 128(%rsp),%rsp */
    return to + 31;
}

static uint8_t *new_stub(const uint8_t *code, const struct instruction *instruction) {
    struct arena *arena = arenas;
    while (arena && !(is_near((uint64_t)arena, instruction->rip) && arena->used + STUB <= arena->size))
        arena = arena->next;
    if (!arena && !(arena = new_arena(instruction->rip))) return NULL;
    uint8_t *stub = (uint8_t *)arena + arena->used;
    uint8_t *end = instruction->operation == AVX_VNNI ? write_evex(stub, code, instruction)
                                                      : write_call(stub, arena, instruction);
    if (!end) return NULL;
    int32_t back = (int32_t)(instruction->rip + instruction->length - (uint64_t)(end + 5));
    *end = 0xE9;
    memcpy(end + 1, &back, 4);
    arena->used += STUB;
    return stub;
}

static uint8_t *stub_of(const uint8_t *code, const struct instruction *instruction) {
    uint64_t rip = instruction->rip;
    unsigned slot = (rip ^ rip >> 16) % REMEMBERED;
    if (remembered[slot].rip == rip && !memcmp(remembered[slot].bytes, code, instruction->length))
        return remembered[slot].stub;
    uint8_t *stub = new_stub(code, instruction);
    if (!stub) return NULL;
    remembered[slot].rip = rip;
    remembered[slot].stub = stub;
    memcpy(remembered[slot].bytes, code, instruction->length);
    return stub;
}

/* Every core sees the bytes written before: membarrier(2). */
static void synchronise_cores(void) {
    static int registered;
    if (!registered) {
        SYSTEM_CALL(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
        registered = 1;
    }
    SYSTEM_CALL(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
}

int make_writable(uint64_t address, size_t bytes) {
    uint64_t from = address & ~(uint64_t)(PAGE - 1), to = (address + bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    return SYSTEM_CALL(SYS_mprotect, from, to - from, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
}

/* Other threads may be at these bytes. Meanwhile they begin with 06, which is no instruction in 64-bit mode: a thread
 * that comes by traps, and waits for the lock. */
int replace(uint8_t *code, const struct instruction *instruction) {
    uint8_t *stub = stub_of(code, instruction);
    if (!stub || !make_writable(instruction->rip, 5)) return 0;
    int32_t distance = (int32_t)((uint64_t)stub - (instruction->rip + 5));
    *(volatile uint8_t *)code = 0x06;
    synchronise_cores();
    memcpy(code + 1, &distance, 4);
    synchronise_cores();
    *(volatile uint8_t *)code = 0xE9;
    return 1;
}
