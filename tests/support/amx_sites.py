"""Where an ELF library asks cpuid and xgetbv: a list that the AMX emulator reads, kept in the user's cache folder.

Bytes that look like these instructions are often parts of others. Each is disassembled, by binutils' objdump, from the
beginning of its function, which the table of .eh_frame_hdr names. A list says where xbyak's Cpu class asks, from which
oneDNN learns what the CPU has: oneDNN's AMX kernels want AVX512_FP16 to be there, too.
"""

from __future__ import annotations

import bisect
import mmap
import re
import struct
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resnet50_bench.files import replacing

#: The libraries of torch, IPEX, OpenVINO, ONNX Runtime and zentorch that choose kernels, or threads, by the CPU.
LIBRARIES = ("libtorch_cpu.so", "libintel-ext-pt-cpu.so", "libc10.so", "libiomp5.so", "libopenvino.so*",
             "libopenvino_intel_cpu_plugin.so", "libtbb*.so*", "onnxruntime_pybind*.so", "libonnxruntime.so*",
             "libdnnl*.so*", "libzen*.so*")
_PT_LOAD, _PT_NOTE, _PT_GNU_EH_FRAME, _EXECUTABLE = 1, 4, 0x6474E550, 1
_NT_GNU_BUILD_ID = 3
_CANDIDATE = re.compile(rb"\x0f\xa2|\x0f\x01\xd0")
#: Between two functions in the disassembled file: no instruction is longer, so the next begins at its own.
_NOPS = b"\x90" * 16
_XBYAK = re.compile(r"^([0-9a-f]+) . _ZN\d+Xbyak\w*4util3Cpu", re.M)
#: A stripped library's function that asks cpuid at so many places and knows vendors' names is xbyak's: it was the only
#: one in OpenVINO 2026.4 and ONNX Runtime 1.32.
_XBYAK_PLACES = 30


@dataclass(frozen=True)
class _Segment:
    kind: int
    flags: int
    offset: int
    address: int
    size: int


class Library:
    """An ELF file for x86-64, mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is no 64-bit ELF file")
        offset, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        self.segments = [
            _Segment(kind, flags, begin, address, length) for kind, flags, begin, address, _, length, _, _
            in (struct.unpack_from("<IIQQQQQQ", self.data, offset + size * i) for i in range(count))]

    def key(self) -> str:
        """The build id, else the file's name and size: the emulator makes the same (libraries.c)."""
        for notes in (segment for segment in self.segments if segment.kind == _PT_NOTE):
            at, end = notes.offset, notes.offset + notes.size
            while at + 12 <= end:
                names, length, kind = struct.unpack_from("<III", self.data, at)
                text = at + 12 + (names + 3 & ~3)
                if kind == _NT_GNU_BUILD_ID and names == 4:
                    return self.data[text:text + length].hex()
                at = text + (length + 3 & ~3)
        return f"{self.path.name}-{len(self.data)}"

    def offset(self, address: int) -> int:
        """The place in the file of a virtual address."""
        return next(address - s.address + s.offset for s in self.segments
                    if s.kind == _PT_LOAD and s.address <= address < s.address + s.size)

    def functions(self) -> list[int]:
        """Virtual addresses at which functions begin, in order (.eh_frame_hdr: Linux Standard Base, Core, 10.6.2)."""
        for segment in self.segments:
            if segment.kind == _PT_GNU_EH_FRAME:
                version, pointers, counts, table = self.data[segment.offset:segment.offset + 4]
                if (version, counts, table) != (1, 0x03, 0x3B) or pointers & 0x0F != 0x0B:
                    raise ValueError(f"{self.path}: its .eh_frame_hdr has another form")
                count, = struct.unpack_from("<I", self.data, segment.offset + 8)
                pairs = struct.unpack_from(f"<{2 * count}i", self.data, segment.offset + 12)
                return [segment.address + relative for relative in pairs[::2]]
        raise ValueError(f"{self.path} has no .eh_frame_hdr, so its functions are not known")

    def candidates(self) -> Iterator[int]:
        """Virtual addresses of bytes that look like cpuid or xgetbv."""
        for s in self.segments:
            if s.kind == _PT_LOAD and s.flags & _EXECUTABLE:
                for found in _CANDIDATE.finditer(self.data, s.offset, s.offset + s.size):
                    yield s.address + found.start() - s.offset


def sites(library: Library) -> list[tuple[int, str, bool]]:
    """(virtual address, ``c`` or ``x``, whether xbyak asks) of each cpuid and xgetbv."""
    begins = library.functions()
    inside: dict[int, list[int]] = {}
    for address in library.candidates():
        place = bisect.bisect_right(begins, address) - 1
        if place >= 0:
            inside.setdefault(begins[place], []).append(address)
    true = _disassembled(library, inside) if inside else []
    xbyak = _xbyak(library, Counter(begin for begin, _, _ in true))
    return [(address, kind, begin in xbyak) for begin, address, kind in true]


def _xbyak(library: Library, asking: Counter[int]) -> set[int]:
    """Which functions are xbyak's: by their symbols, in a stripped library by what they look like."""
    symbols = subprocess.run(["nm", library.path], capture_output=True, text=True, check=True).stdout
    if symbols:
        return {int(address, 16) for address in _XBYAK.findall(symbols)}
    return {begin for begin, places in asking.items() if places >= _XBYAK_PLACES and _names_a_vendor(library, begin)}


def _names_a_vendor(library: Library, begin: int) -> bool:
    code = library.data[library.offset(begin):library.offset(begin) + 4000]
    return any(name in code for name in (b"Auth", b"cAMD", b"ntel"))


def _disassembled(library: Library, inside: dict[int, list[int]]) -> list[tuple[int, int, str]]:
    """(function, virtual address, kind) of the candidates that are instructions."""
    wanted: dict[int, tuple[int, int]] = {}
    with tempfile.NamedTemporaryFile() as file:
        place = 0
        for begin, addresses in inside.items():
            code = library.data[library.offset(begin):library.offset(addresses[-1]) + 3] + _NOPS
            wanted |= {place + address - begin: (begin, address) for address in addresses}
            place += file.write(code)
        file.flush()
        found = []
        with subprocess.Popen(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", file.name],
                              stdout=subprocess.PIPE, text=True) as objdump:
            for line in objdump.stdout or ():
                at, _, words = line.partition(":\t")
                kind = {"cpuid": "c", "xgetbv": "x"}.get(words.strip())
                if kind and int(at, 16) in wanted:
                    found.append((*wanted[int(at, 16)], kind))
        if objdump.returncode != 0:
            raise RuntimeError(f"objdump ended with {objdump.returncode}")
    return found


def write_lists(environment: Path, folder: Path) -> list[Path]:
    """A list for each of ``LIBRARIES`` below ``environment``, in ``folder``, where it is not there yet."""
    made = []
    for path in sorted({path.resolve() for path in environment.rglob("*.so*")
                        if any(path.match(name) for name in LIBRARIES)}):
        library = Library(path)
        target = folder / library.key()
        if not target.exists():
            lines = [f"{address:x} {kind} {'F' if xbyak else '-'}\n" for address, kind, xbyak in sites(library)]
            with replacing(target) as file:
                file.write_text("".join(lines))
        made.append(target)
    return made
