/* Functions that stand in front of libc's, so that the program cannot take SIGILL away, and so that the kernel seems to
 * grant the tiles. A program that makes these system calls by its own instructions is not served. */
#include "emulator.h"

#include <asm/prctl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#ifndef ARCH_GET_XCOMP_SUPP             /* Linux: Documentation/arch/x86/xstate.rst */
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif
enum { XTILECFG = 17, XTILEDATA = 18, TILE_STATE = 1 << XTILECFG | 1 << XTILEDATA };

struct sigaction programs_action;

int libc_sigaction(int number, const struct sigaction *new_action, struct sigaction *old_action) {
    static int (*next)(int, const struct sigaction *, struct sigaction *);
    if (!next) next = dlsym(RTLD_NEXT, "sigaction");
    return next(number, new_action, old_action);
}

EXPORT int sigaction(int number, const struct sigaction *new_action, struct sigaction *old_action) {
    if (number != SIGILL) return libc_sigaction(number, new_action, old_action);
    if (old_action) *old_action = programs_action;
    if (new_action) programs_action = *new_action;
    return 0;
}

EXPORT sighandler_t signal(int number, sighandler_t function) {
    struct sigaction new_action = {.sa_handler = function, .sa_flags = SA_RESTART}, old_action;
    if (sigaction(number, &new_action, &old_action)) return SIG_ERR;
    return old_action.sa_handler;
}

/* 0 or an error's number. SIGILL stays unblocked, and so do the two signals that glibc keeps for itself. */
static int set_mask(int how, const sigset_t *set, sigset_t *old) {
    sigset_t without;
    if (set && how != SIG_UNBLOCK) {
        without = *set;
        sigdelset(&without, SIGILL);
        *(unsigned long *)&without &= ~(3ul << 31);
        set = &without;
    }
    long result = system_call(SYS_rt_sigprocmask, how, (long)set, (long)old, 8, 0, 0);
    return result < 0 ? (int)-result : 0;
}

void unblock_sigill(void) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGILL);
    set_mask(SIG_UNBLOCK, &only, NULL);
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) { return set_mask(how, set, old); }

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    int error = set_mask(how, set, old);
    if (error) errno = error;
    return error ? -1 : 0;
}

/* As a kernel answers that grants the tiles. Nothing is really granted: on a CPU with AMX its instructions trap for just
 * that reason (extended feature disable, SDM Vol. 1, 13.14). The kernel is asked for a feature that does not exist: any
 * answer but EINVAL is a seccomp filter's, which refuses. */
static long asked_for_state(long code, long argument) {
    enum { NONE = 63 };
    static atomic_int granted;
    if (code == ARCH_REQ_XCOMP_PERM) {
        long refused = SYSTEM_CALL(SYS_arch_prctl, code, NONE, 0);
        if (refused != -EINVAL || (argument != XTILECFG && argument != XTILEDATA)) return refused;
        granted = 1;
        return 0;
    }
    long result = SYSTEM_CALL(SYS_arch_prctl, code, argument, 0);
    if (result == 0 && (code == ARCH_GET_XCOMP_SUPP || (code == ARCH_GET_XCOMP_PERM && granted)))
        *(uint64_t *)argument |= TILE_STATE;
    return result;
}

EXPORT long syscall(long number, ...) {
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long),
         d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
    va_end(arguments);
    long result = number == SYS_arch_prctl ? asked_for_state(a, b) : system_call(number, a, b, c, d, e, f);
    if (result < 0 && result > -4096) { errno = (int)-result; return -1; }
    return result;
}
