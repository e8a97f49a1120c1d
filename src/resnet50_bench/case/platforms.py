"""CPU identification -> PLATFORM: the precisions of a CPU generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import BadInput
from ..machine.cpu import Cpu
from .precision import PRECISIONS

_AMX = ("avx_fp32", "avx_int8", "amx_int8", "amx_bfloat16", "amx_bfloat32")
_EPYC_AVX512 = ("avx_fp32", "avx_int8", "avx_bfloat16")
_AVX2 = ("avx2_fp32", "avx2_int8")


@dataclass(frozen=True)
class Platform:
    """A PLATFORM value: its precisions and the CPUID (vendor, family, models) that select it.

    Model numbers: Linux ``arch/x86/include/asm/intel-family.h`` and AMD's Processor
    Programming References (family 17h Rome, 19h Milan and Genoa, 1Ah Turin).
    """

    name: str
    precisions: tuple[str, ...]
    vendor: str
    family: int
    models: tuple[int, ...]


_ALL = (
    Platform("SPR", _AMX, "GenuineIntel", 6, (0x8F,)),
    Platform("EMR", _AMX, "GenuineIntel", 6, (0xCF,)),
    Platform("GNR", _AMX, "GenuineIntel", 6, (0xAD, 0xAE)),
    Platform("ICX", ("avx_fp32", "avx_int8"), "GenuineIntel", 6, (0x6A, 0x6C)),
    Platform("GENOA", _EPYC_AVX512, "AuthenticAMD", 25, (*range(0x10, 0x20), *range(0xA0, 0xB0))),
    Platform("TURIN", _EPYC_AVX512, "AuthenticAMD", 26, (*range(0x00, 0x20),)),
    Platform("MILAN", _AVX2, "AuthenticAMD", 25, (*range(0x00, 0x10),)),
    Platform("ROME", _AVX2, "AuthenticAMD", 23, (*range(0x30, 0x40),)),
)
PLATFORMS: dict[str, Platform] = {platform.name: platform for platform in _ALL}

#: PLATFORM names of WSF and others that are unknown here, in upper case, with advice for each.
REFUSED = {
    "SRF": "Sierra Forest's cores have neither AVX-512 nor AMX",
    "BERGAMO": "its cores (Zen 4c) run the cases of PLATFORM=GENOA",
} | dict.fromkeys(("ARM", "ARMV8", "ARMV9"), "it is not x86-64")

#: For a CPU of an unknown model: the first entry whose flag is present gives the platform.
_BY_FLAG = (("amx_tile", "SPR"), ("avx512_bf16", "GENOA"), ("avx512_vnni", "ICX"), ("avx2", "MILAN"))


class Detected(NamedTuple):
    """The platform of a CPU. ``doubt`` is the reason why it may be wrong, "" for a known model."""

    name: str
    doubt: str = ""


def detect(cpu: Cpu) -> Detected:
    """Find the platform by CPUID. An unknown model gets the platform that its ISA flags match."""
    for platform in _ALL:
        if (cpu.vendor, cpu.family) == (platform.vendor, platform.family) and cpu.model in platform.models:
            return Detected(platform.name)
    unknown = f"unknown CPU {cpu.vendor} family {cpu.family} model {cpu.model}"
    return next((Detected(name, f"{unknown}: chosen by its flag {flag}") for flag, name in _BY_FLAG
                 if flag in cpu.flags),
                Detected("MILAN", f"{unknown} without AVX2"))


def precisions_of(platform: str) -> list[str]:
    """The precisions of a platform, the best first."""
    return [name for name in PRECISIONS if name in PLATFORMS[platform].precisions]


def runnable(asked: Sequence[str], cpu: Cpu) -> list[str]:
    """The precisions that the CPU can run, or those ``asked`` for. Raises BadInput for one that it cannot."""
    able = [name for name in precisions_of(detect(cpu).name) if not PRECISIONS[name].missing_flags(cpu.flags)]
    bad = [name for name in asked if name not in able]
    if bad:
        raise BadInput(f"PRECISION={' '.join(bad)} is not one that this CPU runs: {', '.join(able)}")
    return list(asked) or able
