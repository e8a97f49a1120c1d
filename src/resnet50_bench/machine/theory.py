"""A CPU's vendor, family, model and name + a precision -> operations a core can do in a cycle; pure.

A multiply-add is two operations. What a core executes is its microarchitecture's, not the instruction's: Zen 4
takes two cycles for a 512-bit instruction. A CPU that is not in the table gets no figure.

Sources: Intel 64 and IA-32 Architectures Optimization Reference Manual (server cores: two 512-bit FMA ports; VNNI
four times the operations of fp32, AVX512_BF16 twice; AMX: 16x16 tiles of 64 bytes in 16 cycles) and Intel's product
pages ("# of AVX-512 FMA Units": one on Xeon Bronze, Silver and Gold 5xxx of the first two generations); AMD
Software Optimization Guide for family 19h models 10h (publication 57647: 512-bit operations take two passes through
the 256-bit data path) and for Zen 5 (publication 58455: 512-bit data path on the server parts, two FMA pipes);
AMD publications 56305 (family 17h models 30h) and 56665 (family 19h) for Zen 2 and Zen 3: two 256-bit FMA pipes,
integer multiplications on one pipe of Zen 2 and on two of Zen 3. Instruction throughputs can be looked up at uops.info.
Models: Linux ``arch/x86/include/asm/intel-family.h`` and ``arch/x86/kernel/cpu/amd.c``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Two ports of 8 fp32 lanes. int8 without VNNI takes three instructions for what one does with it: vpmaddubsw and
#: vpmaddwd on the two multiplying ports, vpaddd elsewhere.
_AVX2 = {"avx2_fp32": 32, "avx2_int8": 64}
#: Two ports of 16 fp32 lanes.
_AVX512 = {**_AVX2, "avx_fp32": 64, "avx_int8": 256, "avx_bfloat16": 128}
_AMX = {**_AVX512, "amx_int8": 2048, "amx_bfloat16": 1024, "amx_bfloat32": 1024}


def _halved(figures: Mapping[str, int]) -> dict[str, int]:
    return {name: value // 2 if name.startswith("avx_") else value for name, value in figures.items()}


#: (vendor, family, first model, last model) -> operations a core and cycle by precision.
_CORES: tuple[tuple[str, int, int, int, Mapping[str, int]], ...] = (
    ("GenuineIntel", 6, 0x3F, 0x3F, _AVX2),  # Haswell server
    ("GenuineIntel", 6, 0x4F, 0x4F, _AVX2),  # Broadwell server
    ("GenuineIntel", 6, 0x56, 0x56, _AVX2),  # Broadwell D
    ("GenuineIntel", 6, 0x55, 0x55, _AVX512),  # Skylake, Cascade Lake, Cooper Lake server
    ("GenuineIntel", 6, 0x6A, 0x6A, _AVX512),  # Ice Lake server
    ("GenuineIntel", 6, 0x6C, 0x6C, _AVX512),  # Ice Lake D
    ("GenuineIntel", 6, 0x8F, 0x8F, _AMX),  # Sapphire Rapids
    ("GenuineIntel", 6, 0xCF, 0xCF, _AMX),  # Emerald Rapids
    ("GenuineIntel", 6, 0xAD, 0xAE, _AMX),  # Granite Rapids
    ("AuthenticAMD", 23, 0x30, 0xAF, {"avx2_fp32": 32, "avx2_int8": 32}),  # Zen 2
    ("AuthenticAMD", 25, 0x00, 0x0F, _AVX2),  # Zen 3 (Milan)
    ("AuthenticAMD", 25, 0x20, 0x5F, _AVX2),  # Zen 3
    ("AuthenticAMD", 25, 0x10, 0x1F, _halved(_AVX512)),  # Zen 4 (Genoa)
    ("AuthenticAMD", 25, 0x60, 0xAF, _halved(_AVX512)),  # Zen 4 (Raphael, Phoenix, Bergamo, Siena)
    ("AuthenticAMD", 26, 0x00, 0x1F, _AVX512),  # Zen 5 server (Turin)
)
_ONE_PORT = re.compile(r"Bronze|Silver|Gold 5(?!122|222)\d\d\d", re.IGNORECASE)


def operations_per_cycle(system: Mapping[str, object], precision: str) -> int | None:
    """For one core of the machine that ``system`` (host.system_record()'s) describes; None where it is not known."""
    for vendor, family, first, last, figures in _CORES:
        if (system.get("cpu_vendor"), system.get("cpu_family")) != (vendor, family):
            continue
        model = system.get("cpu_model")
        if isinstance(model, int) and first <= model <= last:
            one_port = model == 0x55 and vendor == "GenuineIntel" and _ONE_PORT.search(str(system.get("cpu", "")))
            return (_halved(figures) if one_port else figures).get(precision)
    return None
