"""The signals that end a run enter; one exception leaves."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP become Interrupted, once: a second one cannot stop the clean-up."""
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for each in watched:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signum, f"ended by {signal.Signals(signum).name}")

    before = {each: signal.signal(each, interrupt) for each in watched}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def shell_status(returncode: int) -> int:
    """What a shell would say of an ended child: 128 + N where signal N ended it, which subprocess gives as -N."""
    return 128 - returncode if returncode < 0 else returncode
