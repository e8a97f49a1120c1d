"""Named jobs -> their exit statuses in order. All run at once, each in a process of its own."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ..errors import BadInput, BenchError, Infrastructure
from ..signals import end_with_parent, shell_status

Job = Callable[[], int]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Below this overlap the copies' numbers are partly those of fewer copies.
LEAST_OVERLAP = 0.9


def at_once(jobs: Sequence[tuple[str, Job]]) -> list[int]:
    """Run all jobs. Each line that a job prints is prefixed with its name.

    A job's BenchError is printed and becomes its status. Before anything is raised here, every job gets SIGTERM and is
    waited for.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    running: dict[int, tuple[str, int]] = {}
    try:
        # A signal between fork and the child's handling of it would send the child up the parent's stack.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for name, job in jobs:
            reading, pid = _start(job)
            running[reading] = name, pid
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _print_all(running)
    except BaseException:
        for _, pid in running.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        _print_all(running)  # what they say while they end; a closed pipe would disturb that
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for reading in running:
            os.close(reading)
        statuses = [shell_status(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) for _, pid in running.values()]
    return statuses


def _start(job: Job) -> tuple[int, int]:
    """Start a process. Return (its output's pipe, its id). Raises Infrastructure if the system has no room for it."""
    parent = os.getpid()
    try:
        reading, writing = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise Infrastructure(f"cannot start another run of the burst: {error.strerror}") from error
    if pid == 0:
        _child(job, parent, writing)
    os.close(writing)
    return reading, pid


def _child(job: Job, parent: int, writing: int) -> NoReturn:
    """The copy: never returns into the parent's code, and ends with its parent."""
    status = 1
    try:
        end_with_parent()
        if os.getppid() != parent:
            os._exit(status)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        status = job()
    except BenchError as error:
        print(f"error: {error}", flush=True)
        status = error.exit_status
    except BaseException:
        traceback.print_exc()
    finally:
        # Nobody may read any more where the parent is ending; the status counts all the same.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def _print_all(running: Mapping[int, tuple[str, int]]) -> None:
    """Print complete lines as they come, until every pipe has ended."""
    rest = dict.fromkeys(running, b"")
    with selectors.DefaultSelector() as selector:
        for reading in running:
            selector.register(reading, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                new = os.read(key.fd, 65536)
                *lines, rest[key.fd] = (rest[key.fd] + new).split(b"\n")
                if not new:
                    selector.unregister(key.fd)
                    lines += [rest[key.fd]] if rest[key.fd] else []
                for line in lines:
                    print(f"[{running[key.fd][0]}] {line.decode(errors='replace')}", flush=True)


def overlap(folders: Sequence[Path]) -> float | None:
    """The share of the longest run's window in which the runs of all ``folders`` measured. None without results.

    All processes and containers of a machine share the monotonic clock of the step times.
    """
    from ..result.result import read  # ctest.sh works without msgspec before the set-up

    begins, ends = [], []
    for folder in folders:
        try:
            runs = read(max(folder.glob("benchmark_*.json"))).runs()
            begins.append(max(run.starts_ns[0] for run in runs))
            ends.append(min(run.ends_ns[-1] for run in runs))
        except (BadInput, ValueError):  # it failed; kpi.sh says so
            return None
    longest = max((end - begin for begin, end in zip(begins, ends, strict=True)), default=0)
    return max(0, min(ends) - max(begins)) / longest if longest > 0 else None
