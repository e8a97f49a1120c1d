"""Logical CPUs -> a machine-wide lock on them, or one line that names the process that measures on them.

Each CPU is one byte of one file, locked by fcntl's record locks. The kernel knows a byte's holder, and frees the byte
when that process ends for any reason. Runs on disjoint CPUs lock disjoint bytes and do not wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Infrastructure
from .process_facts import start_ticks, stat_fields
from .topology import format_cpulist, spans

#: The variable that names another folder for the file.
FOLDER = "RESNET50_BENCH_LOCK_FOLDER"
_NAME = "resnet50-bench.lock"
_FLOCK = "hhqqi4x"  # struct flock of fcntl(2): type, whence, start, length, holder's process id
_held_here = False


@contextmanager
def held(cpus: Sequence[int] | None = None) -> Iterator[None]:
    """A context that locks the CPUs (default: all that this process may use). An empty list locks nothing.

    CPUs locked by this process or an ancestor are free for it: the runs of ``--burst``, and a case and its runner.
    Raises Infrastructure with the holder if another process has them.
    """
    global _held_here
    wanted = sorted(os.sched_getaffinity(0)) if cpus is None else list(cpus)
    file = _open() if wanted and not _held_here else None
    if file is None:
        yield
        return
    try:
        _held_here = _take(file, wanted)
        yield
    finally:
        _held_here = False
        os.close(file)  # unlocks


def _take(file: int, cpus: Iterable[int]) -> bool:
    """Lock the CPUs. Returns False if an ancestor has them."""
    for first, last in spans(cpus):
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, last - first + 1, first)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise Infrastructure(f"the lock on the machine's cores cannot be taken: {error.strerror}") from error
            holder, held_cpus = _holder(file, first, last)
            if holder in _ancestors():
                return False
            raise Infrastructure(f"another measurement uses cpus {held_cpus}: {_describe(holder)}. Wait until it ends, "
                                 "or use other cores (taskset, --cpuset-cpus)") from error
    return True


def _describe(pid: int) -> str:
    """``process 12, running since 2026-11-24 21:40:05: ctest.sh ...``."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        up_s = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        words, up_s = [], 0.0
    ticks = start_ticks(pid)
    if not words or ticks is None:
        return "a process of another container or user" if pid <= 0 else f"process {pid}"
    began = time.localtime(time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK"))
    return (f"process {pid}, running since {time.strftime('%Y-%m-%d %H:%M:%S', began)}: "
            + shlex.join(word for word in words if word))


def _holder(file: int, first: int, last: int) -> tuple[int, str]:
    """Return (process id, its CPUs) of a holder in the range. The id is 0 if the kernel does not give it."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, first, last - first + 1, 0)
    kind, _, start, length, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    if kind == fcntl.F_UNLCK:  # the holder has just ended
        return 0, format_cpulist(range(first, last + 1))
    return pid, format_cpulist(range(start, start + length))


def _ancestors() -> set[int]:
    """The process ids of all ancestors."""
    ancestors: set[int] = set()
    pid = os.getppid()
    while pid > 0 and pid not in ancestors:
        ancestors.add(pid)
        fields = stat_fields(Path(f"/proc/{pid}"))
        pid = int(fields[1]) if fields else 0
    return ancestors


def _open() -> int | None:
    """Open the file, whoever made it. None with a notice if that fails: the run continues without the lock."""
    folder = os.environ.get(FOLDER) or ("/run/lock" if os.access("/run/lock", os.W_OK) else "/tmp")  # noqa: S108
    path = Path(folder) / _NAME
    try:
        file = _open_shared(path)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is no plain file")
        return file
    except OSError as error:
        print(f"NOTICE: {path} cannot be used ({error.strerror}): another run could use these cores at the same time",
              file=sys.stderr, flush=True)
        return None


def _open_shared(path: Path) -> int:
    """Open without O_CREAT first: in /tmp the kernel refuses O_CREAT for another user's file (protected_regular)."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL)
            os.fchmod(file, 0o666)  # regardless of the umask: every user's runs lock it
            return file
