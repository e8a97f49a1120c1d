/* cpuid and xgetbv of a library become UD2, which traps, when ld.so has mapped it and before its constructors run.
 * Which instructions these are is listed in sites/<key of the library> beside the emulator, where a list is there. Its
 * lines: virtual address in hex, c (cpuid) or x (xgetbv), F where AVX512_FP16 is claimed, too, or -. */
#include "emulator.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { MOST_SITES = 8192, MOST_LIBRARIES = 4096, LARGEST_LIST = 1 << 18, LARGEST_NOTE = 4096 };

static struct site sites[MOST_SITES];
static int site_count;

/* Libraries that were there at the last look. One that is unmapped and comes back is new. */
struct seen { uint64_t address; const void *dynamic; };
static struct seen seen[2][MOST_LIBRARIES];
static int seen_count, current;

static int by_address(const void *a, const void *b) {
    uint64_t x = ((const struct site *)a)->address, y = ((const struct site *)b)->address;
    return x < y ? -1 : x > y;
}

const struct site *site_at(uint64_t address) {
    struct site key = {.address = address};
    return bsearch(&key, sites, site_count, sizeof *sites, by_address);
}

/* The build id in the notes of an ELF file, as text: elf(5), NT_GNU_BUILD_ID. */
static int build_id(int file, const Elf64_Phdr *notes, char *text, size_t size) {
    char note[LARGEST_NOTE];
    long got = system_call(SYS_pread64, file, (long)note, notes->p_filesz < sizeof note ? notes->p_filesz : sizeof note,
                           notes->p_offset, 0, 0);
    for (long at = 0; at + (long)sizeof(Elf64_Nhdr) <= got;) {
        const Elf64_Nhdr *header = (const Elf64_Nhdr *)(note + at);
        const unsigned char *id = (unsigned char *)(header + 1) + ((header->n_namesz + 3) & ~3u);
        at = (char *)id - note + ((header->n_descsz + 3) & ~3u);
        if (header->n_type != NT_GNU_BUILD_ID || header->n_namesz != 4 || at > got || 2 * header->n_descsz >= size) continue;
        for (unsigned i = 0; i < header->n_descsz; i++) snprintf(text + 2 * i, 3, "%02x", id[i]);
        return 1;
    }
    return 0;
}

/* The name of a library's list: its build id, else its file's name and size. 0 where the file cannot be read. */
static int key_of(const char *path, char *text, size_t size) {
    Elf64_Ehdr header;
    Elf64_Phdr segments[64];
    struct stat status;
    int file = SYSTEM_CALL(SYS_open, path, O_RDONLY | O_CLOEXEC, 0), found = 0;
    if (file < 0) return 0;
    if (SYSTEM_CALL(SYS_read, file, &header, sizeof header) == sizeof header && header.e_phnum <= 64) {
        system_call(SYS_pread64, file, (long)segments, header.e_phnum * sizeof *segments, header.e_phoff, 0, 0);
        for (int i = 0; i < header.e_phnum && !found; i++)
            found = segments[i].p_type == PT_NOTE && build_id(file, &segments[i], text, size);
    }
    if (!found && SYSTEM_CALL(SYS_fstat, file, &status, 0) == 0) {
        const char *name = strrchr(path, '/');
        found = snprintf(text, size, "%s-%ld", name ? name + 1 : path, (long)status.st_size) < (int)size;
    }
    SYSTEM_CALL(SYS_close, file, 0, 0);
    return found;
}

static int patch(const struct site *site) {
    static const uint8_t cpuid[] = {0x0F, 0xA2}, xgetbv[] = {0x0F, 0x01, 0xD0}, ud2_nop[] = {0x0F, 0x0B, 0x90};
    uint8_t *code = (uint8_t *)site->address;
    int length = site->is_cpuid ? sizeof cpuid : sizeof xgetbv;
    if (memcmp(code, site->is_cpuid ? cpuid : xgetbv, length) || site_count == MOST_SITES) return 0;
    if (!make_writable(site->address, length)) return 0;
    if (!site_at(site->address)) {
        sites[site_count++] = *site;
        qsort(sites, site_count, sizeof *sites, by_address);
    }
    memcpy(code, ud2_nop, length);
    return 1;
}

static void patch_library(const struct link_map *library) {
    static char text[LARGEST_LIST];
    char key[128], name[160], path[700];
    if (!*library->l_name || !key_of(library->l_name, key, sizeof key)) return;
    snprintf(name, sizeof name, "sites/%s", key);
    long length = read_file(beside_library(name, path, sizeof path), text, sizeof text - 1);
    if (length < 0) return;
    text[length] = 0;
    int done = 0, failed = 0;
    for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        char *rest;
        uint64_t address = strtoull(line, &rest, 16);
        struct site site = {library->l_addr + address, rest[1] == 'c', rest[3] == 'F'};
        if (patch(&site)) done++;
        else failed++;
    }
    log_line("%s: %d cpuid and xgetbv instructions patched", library->l_name, done);
    if (failed) log_line("INVALID list %s: %d of its instructions are not there", path, failed);
}

void patch_new_libraries(void) {
    const struct seen *before = seen[current];
    struct seen *now = seen[!current];
    int count = 0;
    for (const struct link_map *library = _r_debug.r_map; library; library = library->l_next) {
        struct seen one = {library->l_addr, library->l_ld};
        int known = 0;
        for (int i = 0; i < seen_count && !known; i++)
            known = before[i].address == one.address && before[i].dynamic == one.dynamic;
        if (!known) patch_library(library);
        if (count < MOST_LIBRARIES) now[count++] = one;
    }
    seen_count = count;
    current = !current;
}
