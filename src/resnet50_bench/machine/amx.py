"""Whether AMX is usable here, not only advertised: CPU flags, then the kernel's permission."""

from __future__ import annotations

import ctypes
import os
import platform

from .cpu import Cpu

_SYS_ARCH_PRCTL = 158  # arch/x86/entry/syscalls/syscall_64.tbl
_ARCH_REQ_XCOMP_PERM = 0x1023  # Documentation/arch/x86/xstate.rst
_XFEATURE_XTILEDATA = 18


def why_not(cpu: Cpu) -> str | None:
    """None where this process may use AMX tiles, else the reason in words."""
    if "amx_tile" not in cpu.flags:
        return "this CPU has no amx_tile flag"
    if platform.machine() != "x86_64":
        return f"this is a {platform.machine()} process"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) != 0:
        return f"the kernel refuses the tile state: {os.strerror(ctypes.get_errno())}"
    return None
