"""A CPU's vendor, family, model and name + a precision -> operations per core and cycle; pure.

A multiply-add is two operations. The rate depends on the microarchitecture, not only on the instruction: Zen 4
takes two cycles for a 512-bit instruction. A value without a source or a measurement gets no figure.

Where the figures are from:
- Pipes that multiply, and cycles a pipe is busy: LLVM's scheduling models (``llvm/lib/Target/X86``, X86SchedHaswell,
  Broadwell, SkylakeServer, X86ScheduleZnver2 to 5; those of Zen 3 to 5 name AMD's optimization guides 56665, 57647
  and 58455 as their source). fp32: two pipes everywhere, 512 bits wide in Intel's servers, 256 bits in Zen 4 (each
  512-bit instruction occupies one for two cycles). Integers: one pipe in Haswell, Broadwell and Zen 2, three in
  Zen 5, else two; VNNI on two pipes of Zen 5.
- Zen 5 has 512-bit pipes, but not in its mobile parts: A. Yee, numberworld.org/blogs/2024_8_7_zen5_avx512_teardown.
- AMX 2048 (int8) and 1024 (bf16), VNNI 256, fp32 64: PyTorch's recipe "Leverage Intel Advanced Matrix Extensions",
  which quotes Intel for the 3rd and 4th generation; the 5th and 6th are taken to be as the 4th.
- One 512-bit port in Bronze, Silver and Gold 5xxx except 5122: RPTU's AVX tutorial (hpc.rz.rptu.de) and Intel's forum
  (td-p/1160952) for the first generation; the later ones of the same model number are taken to be alike, 5222 as 5122.
- Zen 4 with bf16 and VNNI: measured, ``engines/peak.py`` reaches 227 GOP/s in fp32, 454 in bf16 and 880 in int8 on
  two cores, which is 32, 64 and 128 at the same 3.4 to 3.6 GHz. AVX512_BF16 on other CPUs: no source, no figure.
- Models: Linux ``arch/x86/include/asm/intel-family.h``, ``arch/x86/kernel/cpu/amd.c``; that Zen 5's models below 0x20
  are servers: ``legacy_hsmp_support`` of its ``amd_hsmp`` driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .host import SystemRecord

#: Two ports of 8 fp32 lanes. Without VNNI, int8 needs three instructions instead of one: vpmaddubsw and
#: vpmaddwd on the ports that multiply integers (32 operations a cycle each), vpaddd elsewhere.
_AVX2 = {"avx2_fp32": 32, "avx2_int8": 64}
_AVX2_ONE_MULTIPLIER = {"avx2_fp32": 32, "avx2_int8": 32}
#: Two ports of 16 fp32 lanes.
_AVX512 = {**_AVX2, "avx_fp32": 64, "avx_int8": 256}
_AMX = {**_AVX512, "amx_int8": 2048, "amx_bfloat16": 1024, "amx_bfloat32": 1024}


def _halved(figures: Mapping[str, int]) -> dict[str, int]:
    return {name: value // 2 if name.startswith("avx_") else value for name, value in figures.items()}


_ZEN4 = {**_halved(_AVX512), "avx_bfloat16": 64}
#: (vendor, family, first model, last model) -> operations per core and cycle, by precision.
_CORES: tuple[tuple[str, int, int, int, Mapping[str, int]], ...] = (
    ("GenuineIntel", 6, 0x3F, 0x3F, _AVX2_ONE_MULTIPLIER),  # Haswell server
    ("GenuineIntel", 6, 0x4F, 0x4F, _AVX2_ONE_MULTIPLIER),  # Broadwell server
    ("GenuineIntel", 6, 0x56, 0x56, _AVX2_ONE_MULTIPLIER),  # Broadwell D
    ("GenuineIntel", 6, 0x55, 0x55, _AVX512),  # Skylake, Cascade Lake, Cooper Lake server
    ("GenuineIntel", 6, 0x6A, 0x6A, _AVX512),  # Ice Lake server
    ("GenuineIntel", 6, 0x6C, 0x6C, _AVX512),  # Ice Lake D
    ("GenuineIntel", 6, 0x8F, 0x8F, _AMX),  # Sapphire Rapids
    ("GenuineIntel", 6, 0xCF, 0xCF, _AMX),  # Emerald Rapids
    ("GenuineIntel", 6, 0xAD, 0xAE, _AMX),  # Granite Rapids
    ("AuthenticAMD", 23, 0x30, 0xAF, _AVX2_ONE_MULTIPLIER),  # Zen 2
    ("AuthenticAMD", 25, 0x00, 0x0F, _AVX2),  # Zen 3 (Milan)
    ("AuthenticAMD", 25, 0x20, 0x5F, _AVX2),  # Zen 3
    ("AuthenticAMD", 25, 0x10, 0x1F, _ZEN4),  # Zen 4 (Genoa)
    ("AuthenticAMD", 25, 0x60, 0xAF, _ZEN4),  # Zen 4 (Raphael, Phoenix, Bergamo, Siena)
    ("AuthenticAMD", 26, 0x00, 0x1F, {**_AVX512, "avx2_int8": 96}),  # Zen 5 server (Turin)
)
_ONE_PORT = re.compile(r"Bronze|Silver|Gold 5(?!122|222)\d\d\d", re.IGNORECASE)


def operations_per_cycle(system: SystemRecord, precision: str) -> int | None:
    """Operations per cycle of one core of the machine ``system``. None if unknown."""
    for vendor, family, first, last, figures in _CORES:
        if (system.cpu_vendor, system.cpu_family) != (vendor, family):
            continue
        model = system.cpu_model
        if model is not None and first <= model <= last:
            one_port = model == 0x55 and vendor == "GenuineIntel" and _ONE_PORT.search(system.cpu or "")
            return (_halved(figures) if one_port else figures).get(precision)
    return None
