"""The emulator itself: every instruction against plain C and against the CPU's own, and which cpuid it answers."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.machine.cpu import read_cpu
from support import amx_emulator, amx_sites
from support.amx_emulator import Emulator

ROUNDS = "1000"


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    (tmp_path / "emulator").mkdir()
    try:
        return amx_emulator.emulator(tmp_path / "emulator", [])
    except amx_emulator.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def unit(emulator: Emulator, tmp_path: Path) -> Path:
    return Path(shutil.copy(amx_emulator.build() / "unit", tmp_path))


def results(words: list[str | Path], file: Path) -> bytes:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 differences" in done.stdout, done.stdout + done.stderr
    return file.read_bytes()


def test_every_instruction_computes_what_plain_c_does(emulator, unit, tmp_path):
    file = tmp_path / "emulated"
    replaced = results(emulator.command([unit, file, ROUNDS]), file)
    for name in ("tdpbssd", "tdpbsud", "tdpbusd", "tdpbuud", "tdpbf16ps"):
        assert f": first {name}" in emulator.log
    assert "INVALID" not in emulator.log
    (emulator.folder / "in-handler").touch()
    assert results(emulator.command([unit, file, ROUNDS]), file) == replaced


def test_what_a_cpu_with_amx_would_run_itself_is_computed_too(emulator, unit, tmp_path):
    """ldtilecfg, sttilecfg, tilerelease and AVX-VNNI trap only on a CPU that lacks them: here they are replaced before.

    Their results are the same, and without the emulated configuration no product could be computed.
    """
    file = tmp_path / "emulated"
    with_the_cpus = results(emulator.command([unit, file, ROUNDS]), file)
    (emulator.folder / "without-amx").touch()
    assert results(emulator.command([unit, file, ROUNDS]), file) == with_the_cpus
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", unit], capture_output=True, text=True, check=True)
    count = len(re.findall(r"\t(?:ldtilecfg|sttilecfg|tile\w+|tdp\w+|\{vex\} vpdp\w+)\b", code.stdout))
    assert count and f": {count} instructions of the program replaced" in emulator.log
    assert "INVALID" not in emulator.log


@pytest.mark.skipif("amx_tile" not in read_cpu().flags, reason="this CPU has no AMX, or may not use it")
def test_every_instruction_computes_what_the_cpu_does(emulator, unit, tmp_path):
    """To the bit, but for the sign and payload of what is not a number, where the order of operands decides."""
    real = results([unit, tmp_path / "real", ROUNDS], tmp_path / "real")
    emulated = results(emulator.command([unit, tmp_path / "emulated", ROUNDS]), tmp_path / "emulated")
    assert len(real) == len(emulated) == 4 * int(ROUNDS) * 1024
    for a, b in zip(struct.iter_unpack("<I", real), struct.iter_unpack("<I", emulated), strict=True):
        assert a == b or all(value & 0x7FFFFFFF > 0x7F800000 for value in (*a, *b))


_LIBRARY = """
#include <cpuid.h>
unsigned not_cpuid(void) { return 0xa20f; }
void brand(unsigned *out) {
    for (int i = 0; i < 3; i++, out += 4) __cpuid(0x80000002u + i, out[0], out[1], out[2], out[3]);
}
unsigned long xcr0(void) { unsigned a, d; __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0)); return a; }
"""
_PROGRAM = """
#include <stdio.h>
#include <dlfcn.h>
int main(int count, char **words) {
    char text[49] = {0};
    void *library = dlopen(words[count - 1], RTLD_NOW);
    ((void (*)(unsigned *))dlsym(library, "brand"))((unsigned *)text);
    printf("%s %lu %x\\n", text, ((unsigned long (*)(void))dlsym(library, "xcr0"))() >> 17 & 3,
           ((unsigned (*)(void))dlsym(library, "not_cpuid"))());
}
"""


@pytest.mark.parametrize("link", [(), ("-Wl,--build-id=none",)], ids=["build id", "no build id"])
def test_a_listed_library_sees_the_emulated_cpu_and_others_the_real_one(emulator, tmp_path, link):
    compiled = {"libasks.so": (_LIBRARY, ("-shared", "-fPIC", *link)), "program": (_PROGRAM, ("-ldl",))}
    for name, (text, words) in compiled.items():
        (tmp_path / f"{name}.c").write_text(text)
        subprocess.run(["gcc", "-O1", tmp_path / f"{name}.c", "-o", tmp_path / name, *words], check=True)
    library = amx_sites.Library(tmp_path / "libasks.so")
    listed = amx_sites.sites(library)
    assert len(list(library.candidates())) >= 3 and sorted(kind for _, kind, _ in listed) in (["c", "x"],
                                                                                             ["c", "c", "c", "x"])
    words = emulator.command([tmp_path / "program", tmp_path / "libasks.so"])
    assert amx_emulator.NAME not in subprocess.run(words, capture_output=True, text=True, check=True).stdout
    (emulator.folder / "sites" / library.key()).write_text("".join(f"{a:x} {k} -\n" for a, k, _ in listed))
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert shown == f"{amx_emulator.NAME} 3 a20f\n"
