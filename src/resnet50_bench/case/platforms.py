"""CPU identification -> PLATFORM: the matrix of precisions that belongs to a CPU generation."""

from __future__ import annotations

from dataclasses import dataclass

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

#: What WSF and others know as a PLATFORM and this matrix does not, in upper case: what to know of it.
REFUSED = {
    "SRF": "Sierra Forest's cores have neither AVX-512 nor AMX",
    "BERGAMO": "it has no cases of its own; its cores (Zen 4c) run GENOA's",
} | dict.fromkeys(("ARM", "ARMV8", "ARMV9"), "it is no x86-64")

#: For a CPU of an unknown model: the first whose flag is present gives the matrix.
_BY_FLAG = (("amx_tile", "SPR"), ("avx512_bf16", "GENOA"), ("avx512_vnni", "ICX"), ("avx2", "MILAN"))


def detect(vendor: str, family: int, model: int, flags: frozenset[str]) -> tuple[str, str]:
    """(PLATFORM, why) for a CPU. An unknown model gets the platform whose ISA its flags match."""
    for platform in _ALL:
        if (vendor, family) == (platform.vendor, platform.family) and model in platform.models:
            return platform.name, f"CPU {vendor} family {family} model {model}"
    for flag, name in _BY_FLAG:
        if flag in flags:
            return name, f"unknown CPU {vendor} family {family} model {model}: taken for its {flag}"
    return "MILAN", f"unknown CPU {vendor} family {family} model {model} without AVX2"
