/* System calls that work inside a signal handler, and the log: one line for each thing worth knowing. */
#include "emulator.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

long system_call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

long read_file(const char *path, void *buffer, size_t size) {
    int file = SYSTEM_CALL(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return -1;
    size_t have = 0;
    long got;
    while (have < size && (got = SYSTEM_CALL(SYS_read, file, (char *)buffer + have, size - have)) > 0) have += got;
    SYSTEM_CALL(SYS_close, file, 0, 0);
    return have;
}

const char *beside_library(const char *name, char *buffer, size_t size) {
    static char folder[512];
    if (!*folder) {
        Dl_info found;
        if (!dladdr((void *)beside_library, &found)) return NULL;
        const char *end = strrchr(found.dli_fname, '/');
        snprintf(folder, sizeof folder, "%.*s", end ? (int)(end - found.dli_fname) : 1, end ? found.dli_fname : ".");
    }
    snprintf(buffer, size, "%s/%s", folder, name);
    return buffer;
}

void log_line(const char *format, ...) {
    char text[1024], path[600];
    int length = snprintf(text, sizeof text, "amx-emulator[%d]: ", getpid());
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(text + length, sizeof text - length, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 1) length = sizeof text - 1;
    text[length++] = '\n';
    int file = SYSTEM_CALL(SYS_open, beside_library("log", path, sizeof path),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return;
    SYSTEM_CALL(SYS_write, file, text, length);
    SYSTEM_CALL(SYS_close, file, 0, 0);
}
