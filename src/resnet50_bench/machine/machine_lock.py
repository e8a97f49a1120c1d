"""Logical CPUs -> a lock on them over the whole machine, or one line that says who measures on them already.

Each CPU is one byte of one file, locked by fcntl's record locks: the kernel knows who holds a byte and frees it when
that process ends, however it ends. Runs on disjoint CPUs hold disjoint bytes and pass each other by.
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

#: Names another folder for the file than the machine's.
FOLDER = "RESNET50_BENCH_LOCK_FOLDER"
_NAME = "resnet50-bench.lock"
_FLOCK = "hhqqi4x"  # struct flock of fcntl(2): type, whence, start, length, holder's process id
_held_here = False


@contextmanager
def held(cpus: Sequence[int] | None = None) -> Iterator[None]:
    """Hold the CPUs (default: all that this process may use) while the body runs; nothing for an empty list.

    Held already by this process or one that it descends from, they are its own: the runs of ``--burst``, a case and
    the runner that it starts. Raises Infrastructure, with who holds them, where somebody else does.
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
        os.close(file)  # frees them


def _take(file: int, cpus: Iterable[int]) -> bool:
    """Whether they were taken; not where an ancestor holds them."""
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
    """(process id, the CPUs that it holds) of who holds some of the range; 0 where the kernel does not say."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, first, last - first + 1, 0)
    kind, _, start, length, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    if kind == fcntl.F_UNLCK:  # it has just ended
        return 0, format_cpulist(range(first, last + 1))
    return pid, format_cpulist(range(start, start + length))


def _ancestors() -> set[int]:
    """The processes that this one descends from."""
    ancestors: set[int] = set()
    pid = os.getppid()
    while pid > 0 and pid not in ancestors:
        ancestors.add(pid)
        fields = stat_fields(Path(f"/proc/{pid}"))
        pid = int(fields[1]) if fields else 0
    return ancestors


def _open() -> int | None:
    """The file, whoever made it first; None, with a notice, where it cannot be used: measuring goes on without."""
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
    """In a folder such as /tmp the kernel lets nobody open with O_CREAT what another user made (protected_regular)."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL)
            os.fchmod(file, 0o666)  # whatever the umask: every user's runs lock it
            return file
