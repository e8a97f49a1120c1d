"""/proc/cpuinfo below a root folder -> what identifies the CPU and which instructions it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from . import amx
from .topology import number

#: What helps where the kernel refuses AMX.
AMX_REMEDY = "use a kernel of 5.16 or later, and a container or VM that passes AMX on"


@dataclass(frozen=True)
class Cpu:
    """The first CPU of the machine; ``flags`` as /proc/cpuinfo spells them, without those that the kernel refuses.

    ``amx_refused``: why the kernel does not let this process use the CPU's AMX; empty where it does, or there is none.
    """

    vendor: str
    family: int
    model: int
    stepping: int
    name: str
    microcode: str
    flags: frozenset[str]
    amx_refused: str = ""


def is_emulated(name: str | None) -> bool:
    """Whether a CPU of this name computes AMX in software. Our functional tests name it so (``tests/amx``)."""
    return "EMULATED" in (name or "")


def require_real(cpu: Cpu) -> None:
    """Raises BadInput for a CPU whose AMX is emulated: its speed says nothing about any CPU."""
    if is_emulated(cpu.name):
        raise BadInput(f"{cpu.name} computes AMX in software, so no speeds are compared on it; use a CPU with AMX")


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Read ``root``/proc/cpuinfo; what it does not say is empty or 0. Of another ``root`` the kernel is not asked."""
    fields: dict[str, str] = {}
    for line in (root / "proc/cpuinfo").read_text().splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    flags = frozenset(fields.get("flags", "").split())
    refused = amx.refusal() if root == Path("/") and "amx_tile" in flags else ""
    return Cpu(
        vendor=fields.get("vendor_id", ""),
        family=number(fields.get("cpu family")) or 0,
        model=number(fields.get("model")) or 0,
        stepping=number(fields.get("stepping")) or 0,
        name=fields.get("model name", ""),
        microcode=fields.get("microcode", ""),
        flags=frozenset(flag for flag in flags if not (refused and flag.startswith("amx_"))),
        amx_refused=refused,
    )
