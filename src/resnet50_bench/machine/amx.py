"""Whether the kernel lets this process use AMX tiles, which a CPU's flags alone do not say."""

from __future__ import annotations

import ctypes
import os
import platform

_SYS_ARCH_PRCTL = 158  # arch/x86/entry/syscalls/syscall_64.tbl
_ARCH_REQ_XCOMP_PERM = 0x1023  # Documentation/arch/x86/xstate.rst
_XFEATURE_XTILEDATA = 18


def refusal() -> str:
    """Why this process may not use AMX tiles, in words; empty where it may. The CPU must have AMX."""
    if platform.machine() != "x86_64":
        return f"this is a {platform.machine()} process"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) != 0:
        return f"the kernel refuses the tile state ({os.strerror(ctypes.get_errno())})"
    return ""
