"""/proc/cpuinfo below a root folder -> what identifies the CPU and which instructions it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .topology import number


@dataclass(frozen=True)
class Cpu:
    """The first CPU of the machine; ``flags`` as /proc/cpuinfo spells them."""

    vendor: str
    family: int
    model: int
    stepping: int
    name: str
    microcode: str
    flags: frozenset[str]


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Read ``root``/proc/cpuinfo; what it does not say is empty or 0."""
    fields: dict[str, str] = {}
    for line in (root / "proc/cpuinfo").read_text().splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    return Cpu(
        vendor=fields.get("vendor_id", ""),
        family=number(fields.get("cpu family")) or 0,
        model=number(fields.get("model")) or 0,
        stepping=number(fields.get("stepping")) or 0,
        name=fields.get("model name", ""),
        microcode=fields.get("microcode", ""),
        flags=frozenset(fields.get("flags", "").split()),
    )
