"""Inside a process: a spec file and a channel -> pinned instances, a measurement, a report file; then the next.

A case goes as ``protocol.messages`` has it. Then wait for Next with another spec of the same precision and cpus, or
for the channel's end.
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
    """As ``preparation.make_job``; importing that imports torch, which is for the first instance's thread to do."""
    from . import preparation

    return preparation.make_job(spec, say, peaks)


def main(argv: list[str]) -> int:
    """``worker SPEC_FILE CHANNEL_FD``."""
    end_with_parent(signal.SIGKILL)
    work(Path(argv[0]), Channel(socket.socket(fileno=int(argv[1])), Order), make_job)
    return 0


def work(spec_file: Path, channel: Channel[Order], make: MakeJob) -> None:
    """Do one case after the other until the channel ends; what goes wrong is sent as Failed, and raised."""
    peaks: Peaks = {}
    try:
        Measurement(decode(spec_file.read_bytes(), Spec), channel, peaks, make).run()
        while orders := channel.receive():
            if not isinstance(orders[0], Next):
                raise RuntimeError(f"the launcher said {orders[0]} where the next case comes")
            gc.collect()  # of an int8 model IPEX 2.8.0 keeps 30 MB, its converted weights, as long as the process lives
            give_back_memory()
            spec: Spec = decode(Path(orders[0].spec).read_bytes(), Spec)
            _log_to(Path(spec.log))
            Measurement(spec, channel, peaks, make).run()
    except Exception as error:
        with suppress(BrokenPipeError):  # nobody may be there to hear it
            channel.send(failure(error))
        raise


def _log_to(path: Path) -> None:
    """Let this process's output go to another file."""
    sys.stdout.flush()
    with path.open("wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)


def _end(status: int) -> NoReturn:
    """At once: PyTorch would take half a second for tearing itself down, and four where IPEX's Python side was used."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        _end(main(sys.argv[1:]))
    except Exception:
        traceback.print_exc()
        _end(1)
