"""The signals that end a run enter; one exception leaves. A parent's end becomes such a signal."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .errors import Interrupted
from .files import read_text

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP become Interrupted, once: a second one cannot stop the clean-up."""
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for number in watched:
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted(signum, f"ended by {signal.Signals(signum).name}")

    before = {number: signal.signal(number, interrupt) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent(signum: int = signal.SIGTERM) -> None:
    """Have the kernel send this process ``signum`` as soon as its parent has ended, however that ended."""
    _libc.prctl(_PR_SET_PDEATHSIG, signum)


def end_with_ctest() -> None:
    """``end_with_parent`` for what ctest starts. Raises Interrupted where ctest has ended already."""
    end_with_parent()
    parent = read_text(Path(f"/proc/{os.getppid()}/comm"))
    if "DASHBOARD_TEST_FROM_CTEST" in os.environ and parent and "ctest" not in parent:
        raise Interrupted(signal.SIGTERM, "not started: ctest was ended")


def shell_status(returncode: int) -> int:
    """What a shell would say of an ended child: 128 + N where signal N ended it, which subprocess gives as -N."""
    return 128 - returncode if returncode < 0 else returncode
