"""/proc/cpuinfo below a root folder -> the CPU's identity and the instructions that this process may use."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .topology import number

_SYS_ARCH_PRCTL = 158  # arch/x86/entry/syscalls/syscall_64.tbl
_ARCH_REQ_XCOMP_PERM = 0x1023  # Documentation/arch/x86/xstate.rst
_XFEATURE_XTILEDATA = 18

#: The remedy if the kernel refuses AMX.
AMX_REMEDY = "use a kernel of 5.16 or later, and a container or VM that passes AMX on"


@dataclass(frozen=True)
class Cpu:
    """The first CPU of the machine. ``flags`` are those of /proc/cpuinfo without those that the kernel refuses.

    ``amx_refused``: the reason why the kernel refuses AMX to this process, "" if it does not or the CPU has none.
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
    """Whether a CPU of this name emulates AMX in software, as in our functional tests (``tests/amx``)."""
    return "EMULATED" in (name or "")


def require_real(cpu: Cpu) -> None:
    """Raises BadInput for a CPU with emulated AMX, because its speed is meaningless."""
    if is_emulated(cpu.name):
        raise BadInput(f"{cpu.name} computes AMX in software, so no speeds are compared on it; use a CPU with AMX")


def _amx_refusal() -> str:
    """The reason why this process may not use the CPU's AMX tiles, "" if it may. The flags do not tell it."""
    if platform.machine() != "x86_64":
        return f"this is a {platform.machine()} process"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) != 0:
        return f"the kernel refuses the tile state ({os.strerror(ctypes.get_errno())})"
    return ""


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Read ``root``/proc/cpuinfo. Missing fields are "" or 0. Asks the kernel about AMX only if ``root`` is /."""
    first, _, _ = (root / "proc/cpuinfo").read_text().partition("\n\n")
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    flags = frozenset(fields.get("flags", "").split())
    refused = _amx_refusal() if root == Path("/") and "amx_tile" in flags else ""
    family, model, stepping = (number(fields.get(name)) or 0 for name in ("cpu family", "model", "stepping"))
    return Cpu(fields.get("vendor_id", ""), family, model, stepping, fields.get("model name", ""),
               fields.get("microcode", ""), amx_refused=refused,
               flags=frozenset(flag for flag in flags if not (refused and flag.startswith("amx_"))))
