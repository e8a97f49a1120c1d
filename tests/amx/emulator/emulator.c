/* The handler of SIGILL, and how the emulator begins in each process. */
#include "emulator.h"

#include <dlfcn.h>
#include <errno.h>
#include <immintrin.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

int in_handler, without_amx;

static atomic_int locked;
void lock(void) { while (atomic_exchange(&locked, 1)) _mm_pause(); }
void unlock(void) { atomic_store(&locked, 0); }

/* Called by entry.S. */
__attribute__((used, visibility("hidden")))
void execute_from_stub(const struct instruction *instruction, const uint64_t *registers) {
    static int has_amx = -1;
    uint8_t configuration[64] __attribute__((aligned(64)));
    if (has_amx < 0) has_amx = cpu_has_amx();
    if (has_amx) _tile_storeconfig(configuration);
    execute(instruction, registers, has_amx ? configuration : NULL);
}

/* The tile configuration that the kernel has saved with the signal's frame: SDM Vol. 1, 13.4; sigcontext.h. */
static const uint8_t *saved_configuration(const ucontext_t *context) {
    enum { XSTATE_BV = 512, XTILECFG = 17, XTILECFG_OFFSET = 0xAC0 };
    static const uint8_t none[64];
    const uint8_t *state = (const uint8_t *)context->uc_mcontext.fpregs;
    uint64_t present;
    memcpy(&present, state + XSTATE_BV, 8);
    return present >> XTILECFG & 1 ? state + XTILECFG_OFFSET : none;
}

static void emulate_here(const struct instruction *instruction, const ucontext_t *context, greg_t *saved) {
    static const int numbers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    uint64_t registers[16];
    for (int i = 0; i < 16; i++) registers[i] = saved[numbers[i]];
    execute(instruction, registers, cpu_has_amx() ? saved_configuration(context) : NULL);
    saved[REG_RIP] += instruction->length;
}

static void answer(const struct site *site, greg_t *saved) {
    if (site->is_cpuid) {
        struct answer is = claimed_cpuid(saved[REG_RAX], saved[REG_RCX], site->claims_fp16);
        saved[REG_RAX] = is.eax;
        saved[REG_RBX] = is.ebx;
        saved[REG_RCX] = is.ecx;
        saved[REG_RDX] = is.edx;
        saved[REG_RIP] += 2;
    } else {
        uint64_t is = claimed_xgetbv(saved[REG_RCX]);
        saved[REG_RAX] = (uint32_t)is;
        saved[REG_RDX] = is >> 32;
        saved[REG_RIP] += 3;
    }
}

/* What the program would have got without the emulator. */
static void pass_on(int number, siginfo_t *info, void *context, const uint8_t *code) {
    Dl_info where = {0};
    dladdr(code, &where);
    log_line("INVALID instruction, not AMX, at %p (%s): %02x %02x %02x %02x %02x %02x", (const void *)code,
             where.dli_fname ? where.dli_fname : "made at run time", code[0], code[1], code[2], code[3], code[4], code[5]);
    if (programs_action.sa_flags & SA_SIGINFO) programs_action.sa_sigaction(number, info, context);
    else if (programs_action.sa_handler != SIG_DFL && programs_action.sa_handler != SIG_IGN)
        programs_action.sa_handler(number);
    else libc_sigaction(SIGILL, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);    /* it traps again */
}

static void on_illegal_instruction(const uint8_t *code, int number, siginfo_t *info, ucontext_t *context) {
    greg_t *saved = context->uc_mcontext.gregs;
    struct instruction instruction;
    lock();
    const struct site *found = site_at((uint64_t)code);
    struct site site = found ? *found : (struct site){0};
    int is_replaced = code[0] == 0xE9;     /* by another thread meanwhile */
    int is_ours = !found && !is_replaced && decode(code, (uint64_t)code, &instruction);
    if (is_ours && (!in_handler || instruction.operation == AVX_VNNI)) is_replaced = replace((uint8_t *)code, &instruction);
    unlock();
    if (found) answer(&site, saved);
    else if (is_replaced) return;
    else if (is_ours && instruction.operation < OPERATIONS) emulate_here(&instruction, context, saved);
    else pass_on(number, info, context, code);
}

/* ld.so calls the function at r_brk when it has mapped or unmapped libraries, for debuggers: link.h. Its first byte
 * has become 06, which traps; the handler returns from the function, which is empty. */
static void on_new_libraries(greg_t *saved) {
    if (_r_debug.r_state == RT_CONSISTENT) {
        lock();
        patch_new_libraries();
        unlock();
    }
    saved[REG_RIP] = *(greg_t *)saved[REG_RSP];
    saved[REG_RSP] += 8;
}

static void handler(int number, siginfo_t *info, void *context) {
    int before = errno;
    greg_t *saved = ((ucontext_t *)context)->uc_mcontext.gregs;
    if ((uint64_t)saved[REG_RIP] == _r_debug.r_brk) on_new_libraries(saved);
    else on_illegal_instruction((const uint8_t *)saved[REG_RIP], number, info, context);
    errno = before;
}

/* A CPU with AMX runs ldtilecfg, sttilecfg and AVX-VNNI itself. So that a test on it sees them emulated, all that can be
 * emulated in the program's own file is replaced beforehand. Kernels that are made at run time are not. */
static int replace_in_program(struct dl_phdr_info *program, size_t size, void *unused) {
    (void)size, (void)unused;
    int count = 0;
    lock();
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        uint8_t *code = (uint8_t *)(program->dlpi_addr + segment->p_vaddr), *end = code + segment->p_memsz - 16;
        struct instruction instruction;
        while (code < end) {
            int is_ours = decode(code, (uint64_t)code, &instruction) && replace(code, &instruction);
            code += is_ours ? instruction.length : 1;
            count += is_ours;
        }
    }
    unlock();
    log_line("%d instructions of the program replaced", count);
    return 1;                              /* the program is the first; its libraries follow */
}

static int is_beside_library(const char *name) {
    char path[600];
    return access(beside_library(name, path, sizeof path), F_OK) == 0;
}

__attribute__((constructor)) static void begin(void) {
    in_handler = is_beside_library("in-handler");
    without_amx = is_beside_library("without-amx");
    if (without_amx) dl_iterate_phdr(replace_in_program, NULL);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    sigfillset(&action.sa_mask);
    for (const int *unblocked = (const int[]){SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT, 0}; *unblocked; unblocked++)
        sigdelset(&action.sa_mask, *unblocked);
    libc_sigaction(SIGILL, &action, &programs_action);
    unblock_sigill();
    pthread_atfork(lock, unlock, unlock);  /* a child must not find it held */
    patch_new_libraries();
    if (_r_debug.r_brk && make_writable(_r_debug.r_brk, 1)) *(volatile uint8_t *)_r_debug.r_brk = 0x06;
    else log_line("INVALID: ld.so has no hook; libraries that are loaded later do not see AMX");
}
