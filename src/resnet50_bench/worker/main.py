"""The worker process: a spec file and a channel -> pinned instances, a measurement, a report file; then the next case.

``protocol.messages`` defines the course of a case. Afterwards the worker waits for Next with another spec of the same
precision and cpus, or for the channel's end.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ..protocol.messages import Channel, Next, Order, Spec, decode
from ..signals import end_with_parent
from .instance import give_back_memory
from .job import Job, MakeJob, Peaks, Say
from .measurement import Measurement, failure


def make_job(spec: Spec, say: Say, peaks: Peaks) -> Job:
    """Call ``preparation.make_job``. Its import imports torch, which the first instance's thread must do."""
    from . import preparation

    return preparation.make_job(spec, say, peaks)


def main(argv: list[str]) -> int:
    """``worker SPEC_FILE CHANNEL_FD``."""
    end_with_parent(signal.SIGKILL)
    work(Path(argv[0]), Channel(socket.socket(fileno=int(argv[1])), Order), make_job)
    return 0


def work(spec_file: Path, channel: Channel[Order], make: MakeJob) -> None:
    """Run case after case until the channel ends. An error is sent as Failed, and raised."""
    peaks: Peaks = {}
    try:
        Measurement(decode(spec_file.read_bytes(), Spec), channel, peaks, make).run()
        while orders := channel.receive():
            if not isinstance(orders[0], Next):
                raise RuntimeError(f"the launcher sent {orders[0]}, expected the next case")
            gc.collect()  # IPEX 2.8.0 keeps an int8 model's converted weights, 30 MB, until the process ends
            give_back_memory()
            spec: Spec = decode(Path(orders[0].spec).read_bytes(), Spec)
            _log_to(Path(spec.log))
            Measurement(spec, channel, peaks, make).run()
    except Exception as error:
        with suppress(BrokenPipeError):  # nobody may be there to hear it
            channel.send(failure(error))
        raise


def _log_to(path: Path) -> None:
    """Redirect this process's output to another file."""
    sys.stdout.flush()
    with path.open("wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)


def _end(status: int) -> NoReturn:
    """Exit at once. PyTorch's teardown takes 0.5 s, and 4 s if IPEX's Python package was used."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        _end(main(sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        _end(1)
