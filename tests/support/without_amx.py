#!/usr/bin/env python3
"""``without_amx.py COMMAND ...``: run it under a seccomp filter by which the kernel refuses the AMX tile state."""

import ctypes
import os
import struct
import sys

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_ARCH_PRCTL, _REQ_XCOMP_PERM = 158, 0x1023
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: LD|W|ABS, JMP|JEQ|K, RET|K
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
#: (code, jumps where true and where false, operand): offset 0 is the call's number, 16 its first argument.
_RULES = ((_LOAD, 0, 0, 0), (_IF_EQUAL, 0, 3, _ARCH_PRCTL), (_LOAD, 0, 0, 16), (_IF_EQUAL, 0, 1, _REQ_XCOMP_PERM),
          (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("rules", ctypes.c_void_p))


rules = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in _RULES))
program = _Program(len(_RULES), ctypes.addressof(rules))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program)):
    sys.exit(f"no seccomp filter: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
