/* The tiles of a thread, and every instruction but the products. Configuration, faults: SDM Vol. 1, chapter 18. */
#include "emulator.h"

#include <immintrin.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread struct tiles own __attribute__((tls_model("initial-exec")));

/* What the hardware would fault on ends the program: the emulator has no use for a wrong program. */
void invalid(const struct instruction *instruction, const char *why) {
    static const char text[] = "amx-emulator: an AMX instruction that a CPU would fault on, see the log\n";
    log_line("INVALID %s at %lx: %s", operation_names[instruction->operation], instruction->rip, why);
    for (int i = 0; i < 8; i++) log_line("  tile %d: %d rows of %d bytes", i, own.rows[i], own.bytes[i]);
    SYSTEM_CALL(SYS_write, 2, text, sizeof text - 1);
    abort();
}

/* SDM Vol. 2, LDTILECFG. All tiles become zero. */
static void configure(const struct instruction *instruction, const uint8_t *given) {
    memset(own.data, 0, sizeof own.data);
    memset(own.rows, 0, sizeof own.rows);
    memset(own.bytes, 0, sizeof own.bytes);
    memcpy(own.configuration, given, sizeof own.configuration);
    if (given[0] == 0) {
        memset(own.configuration, 0, sizeof own.configuration);
        return;
    }
    if (given[0] != 1) invalid(instruction, "#GP: the palette is not 1");
    for (int i = 2; i < 16; i++)
        if (given[i]) invalid(instruction, "#GP: a reserved byte is not zero");
    for (int i = 0; i < 16; i++) {
        int bytes = given[16 + 2 * i] | given[17 + 2 * i] << 8, rows = given[48 + i];
        if (i >= 8 && (bytes || rows)) invalid(instruction, "#GP: a tile beyond the eighth");
        if (bytes > 64 || rows > 16 || !bytes != !rows) invalid(instruction, "#GP: a tile's size");
        if (i < 8) { own.bytes[i] = bytes; own.rows[i] = rows; }
    }
}

static __mmask64 columns(int bytes) { return bytes == 64 ? ~0ull : (1ull << bytes) - 1; }

static void load(int tile, const uint8_t *from, int64_t stride) {
    for (int row = own.configuration[1]; row < 16; row++)
        _mm512_store_si512(own.data[tile][row], row < own.rows[tile]
            ? _mm512_maskz_loadu_epi8(columns(own.bytes[tile]), from + row * stride) : _mm512_setzero_si512());
}

static void store(int tile, uint8_t *to, int64_t stride) {
    for (int row = own.configuration[1]; row < own.rows[tile]; row++)
        _mm512_mask_storeu_epi8(to + row * stride, columns(own.bytes[tile]), _mm512_load_si512(own.data[tile][row]));
}

static void multiply(const struct instruction *instruction) {
    int to = instruction->destination, left = instruction->left, right = instruction->right;
    if (to == left || to == right || left == right) invalid(instruction, "#UD: one tile twice");
    if (own.rows[left] != own.rows[to] || own.bytes[right] != own.bytes[to] || own.bytes[to] % 4
        || own.bytes[left] != 4 * own.rows[right]) invalid(instruction, "#UD: the sizes of the tiles do not fit");
    if (instruction->operation == TDPBF16PS) bf16_product(&own, instruction, own.rows[to], own.rows[right]);
    else int8_product(&own, instruction, own.rows[to], own.rows[right]);
}

static void log_first_product(const struct instruction *instruction) {
    static atomic_int logged[OPERATIONS];
    if (instruction->operation >= TDPBSSD && !atomic_exchange(&logged[instruction->operation], 1))
        log_line("first %s", operation_names[instruction->operation]);
}

void execute(const struct instruction *instruction, const uint64_t *registers, const uint8_t *configuration) {
    uint64_t address = (int64_t)instruction->displacement;
    int64_t stride = instruction->index == NO_REGISTER ? 0 : registers[instruction->index] << instruction->scale;
    if (instruction->base < NO_REGISTER) address += registers[instruction->base];
    else if (instruction->base == RIP) address += instruction->rip + instruction->length;
    /* A CPU with AMX runs ldtilecfg itself and traps at what follows. Tiles keep their data where it loads the same
     * configuration again; a CPU would clear them. */
    if (configuration && memcmp(configuration, own.configuration, 64)) configure(instruction, configuration);
    log_first_product(instruction);
    switch (instruction->operation) {
    case LDTILECFG:
        configure(instruction, (const uint8_t *)(address + stride));
        return;
    case STTILECFG:
        memcpy((void *)(address + stride), own.configuration, 64);
        return;
    case TILERELEASE:
        configure(instruction, (const uint8_t[64]){0});
        return;
    }
    int tile = instruction->destination;
    if (!own.configuration[0] || !own.rows[tile]) invalid(instruction, "#UD: the tile is not configured");
    switch (instruction->operation) {
    case TILELOADD: load(tile, (const uint8_t *)address, stride); break;
    case TILESTORED: store(tile, (uint8_t *)address, stride); break;
    case TILEZERO: memset(own.data[tile], 0, sizeof own.data[tile]); break;
    default: multiply(instruction);
    }
    if (!configuration) own.configuration[1] = 0;      /* start_row, of a load or store that was interrupted */
}
