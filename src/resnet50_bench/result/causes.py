"""The output of a failed process -> the cause in words, the remedy, and the exit status."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from ..errors import Infrastructure, RunFailed

_LONGEST = 300


@dataclass(frozen=True)
class Cause:
    """A known cause. ``says`` is the pattern of its text."""

    says: str
    what: str
    remedy: str
    status: int = Infrastructure.exit_status


#: The first match applies.
_KNOWN = (
    Cause(r"DefaultCPUAllocator|can't allocate memory|Cannot allocate memory|bad_alloc|MemoryError", "out of memory",
          "use fewer instances or a smaller BATCH_SIZE", RunFailed.exit_status),
    Cause(r"(?s)inductor.*failed to map segment", "compiled code may not be loaded from a folder that "
          "is mounted noexec", "set TMPDIR, or TORCHINDUCTOR_CACHE_DIR in CUSTOMER_ENV, to a folder without noexec"),
    Cause(r"failed to map segment from shared object", "a library does not fit into the address space, or its folder "
          "is mounted noexec", "raise ulimit -v (unlimited is usual), or mount that folder without noexec"),
    Cause(r"InvalidCxxCompiler|No working C\+\+ compiler", "torch.compile finds no C++ compiler",
          "install one (Debian, Ubuntu: apt-get install g++), or set CXX in CUSTOMER_ENV"),
    Cause(r"Python\.h: No such file", "torch.compile finds no headers of Python",
          "install them (Debian, Ubuntu: apt-get install python3-dev)"),
    Cause(r"C\+\+ compile error|CppCompileError", "the C++ compiler failed on torch.compile's code",
          "update the compiler, or name another by CXX in CUSTOMER_ENV"),
    Cause(r"can't start new thread|Thread creation failed|pthread_create|Resource temporarily unavailable",
          "no more threads may be started", "raise ulimit -u, or the container's --pids-limit"),
    Cause(r"Too many open files", "no more files may be opened", "raise ulimit -n"),
    Cause(r"DataLoader worker .*(?:exited unexpectedly|killed by signal)|shared memory|Bus error",
          "a process that decodes images died or had no shared memory",
          "free memory and /dev/shm (docker: --shm-size=8g)"),
    Cause(r"No space left on device|Disk quota exceeded", "the disk is full", "free space, or set TMPDIR"),
    Cause(r"Read-only file system|Permission denied", "a file or folder cannot be written or read",
          "correct its permissions; TMPDIR and RESNET50_BENCH_CACHE name other folders"),
)

_OF_SIGNALS = {
    signal.SIGILL: "an instruction that this CPU lacks: check ONEDNN_MAX_CPU_ISA and LD_PRELOAD in CUSTOMER_ENV",
    signal.SIGBUS: "no space left for a memory-mapped file: free space in /dev/shm (docker: --shm-size=8g) and on "
                   "the disk",
    signal.SIGSEGV: "a crash in native code: check LD_PRELOAD in CUSTOMER_ENV, or use another TORCH_TYPE",
    signal.SIGABRT: "native code aborted: check LD_PRELOAD in CUSTOMER_ENV, or use another TORCH_TYPE",
    signal.SIGKILL: "another process or the kernel (out of memory) ended it: see dmesg",
    signal.SIGTERM: "somebody ended it: run it again",
}


def known(text: str) -> Cause | None:
    """The known cause in the text, or None."""
    return next((cause for cause in _KNOWN if re.search(cause.says, text)), None)


def explained(text: str, said: str) -> str:
    """``said``, after the cause and the remedy if ``text`` has a known cause."""
    cause = known(text)
    return f"{cause.what}: {cause.remedy} ({said})" if cause else said


def first_words(text: str) -> str:
    """The first line of an error, with the next ones if it only announces them (``... raised:``)."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]
    said = lines[:1]
    while len(said) < len(lines) and said[-1].endswith(":"):
        said.append(lines[len(said)])
    return " ".join(said)[:_LONGEST]


def of_signal(signum: int) -> str:
    """The usual cause of a death by this signal, "" if unknown."""
    return _OF_SIGNALS.get(signal.Signals(signum), "")
