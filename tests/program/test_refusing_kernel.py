"""A kernel that refuses what pinning needs, by a real seccomp filter as a container's profile makes it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from resnet50_bench.checkout import ROOT

#: By prctl(2) and seccomp(2) sched_setaffinity (203) and mbind, set_mempolicy, get_mempolicy (237 to 239) give EPERM.
REFUSING = """
import ctypes, struct
denied = (203, 237, 238, 239)
program = [(0x20, 0, 0, 0), *((0x15, len(denied) - i, 0, number) for i, number in enumerate(denied)),
           (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header, 0, 0) == 0
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the system calls are x86-64's")
def test_a_refused_pinning_is_said_as_such():
    code = f"""{REFUSING}
import os
from resnet50_bench.errors import Infrastructure
from resnet50_bench.worker.instance import pin
try:
    pin(os.sched_getaffinity(0))
except Infrastructure as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert "sched_setaffinity: Operation not permitted" in done.stdout and "seccomp" in done.stdout, done.stderr
