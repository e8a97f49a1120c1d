"""MLPerf's LoadGen in a process of its own. LoadGen alone makes the queries, measures their latency and judges.

It writes each query's id into a pipe that all instances read, and reads the answered ids from another pipe.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import Infrastructure
from ..protocol.messages import QUERY_BYTES, Channel, Enough, Issue, Order, Prepared, ServerSpec, decode
from ..signals import end_with_parent
from .instance import pin
from .measurement import failure

#: Number of images that LoadGen knows of. Instances use their own images, because no answer is checked.
_IMAGES = 1024
#: LoadGen stops after this multiple of the expected time plus these seconds: further queries would be late anyway.
_MOST_SHARE, _MOST_MORE_S = 1.5, 5.0


def main(argv: list[str]) -> int:
    """``loadgen SPEC_FILE CHANNEL_FD``."""
    end_with_parent(signal.SIGKILL)
    channel: Channel[Order] = Channel(socket.socket(fileno=int(argv[1])), Order)
    try:
        _run(decode(Path(argv[0]).read_bytes(), ServerSpec), channel)
    except Exception as error:
        channel.send(failure(error))
        raise
    while channel.receive():  # until then the launcher reads this process's counters
        pass
    return 0


def _run(spec: ServerSpec, channel: Channel[Order]) -> None:
    loadgen = _imported()
    pin(spec.cpus)
    # O_RDWR, so that neither open waits for an instance. The queries end when this process ends.
    queries, answers = (os.open(path, os.O_RDWR) for path in (spec.pipes.queries, spec.pipes.answers))
    channel.send(Prepared(None))
    orders = channel.receive()
    if not orders or not isinstance(orders[0], Issue):
        raise RuntimeError(f"the launcher sent {orders}, expected Issue")
    threading.Thread(target=_collect, args=(loadgen, answers), daemon=True).start()

    def issue(samples: Iterable[Any]) -> None:
        os.write(queries, b"".join(sample.id.to_bytes(QUERY_BYTES, sys.byteorder) for sample in samples))

    sut = loadgen.ConstructSUT(issue, lambda: None)
    images = loadgen.ConstructQSL(_IMAGES, _IMAGES, lambda indices: None, lambda indices: None)
    test = settings(loadgen, spec, orders[0].queries_per_s)
    loadgen.StartTestWithLogSettings(sut, images, test, _logs(loadgen, spec.folder))
    os.close(queries)
    channel.send(Enough(None))


def _imported() -> Any:
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise Infrastructure(f"MODE=server needs MLPerf's LoadGen (mlcommons-loadgen), which {sys.executable} does not "
                             f"have ({error}): scripts/setup.sh once installs it, with Python 3.10 to 3.13") from error
    return mlperf_loadgen


def _collect(loadgen: Any, answers: int) -> None:
    """A thread's body: pass answered queries to LoadGen as they arrive."""
    while ids := os.read(answers, 65536):
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query, 0, 0)
                                      for query in struct.unpack(f"={len(ids) // QUERY_BYTES}Q", ids)])


def settings(loadgen: Any, spec: ServerSpec, queries_per_s: float) -> Any:
    """LoadGen's TestSettings. Everything else, seeds included, is MLPerf's default."""
    made = loadgen.TestSettings()
    made.scenario, made.mode = getattr(loadgen.TestScenario, spec.scenario), loadgen.TestMode.PerformanceOnly
    made.server_target_qps = made.offline_expected_qps = queries_per_s
    made.single_stream_expected_latency_ns = round(1e9 / queries_per_s)
    made.server_target_latency_ns = round(spec.bound_ms * 1e6)
    made.server_target_latency_percentile = spec.percentile / 100
    made.min_duration_ms = round(spec.min_duration_s * 1e3)
    made.min_query_count = spec.min_queries
    expected_s = max(spec.min_duration_s, spec.min_queries / queries_per_s)
    made.max_duration_ms = round((_MOST_SHARE * expected_s + _MOST_MORE_S) * 1e3)
    return made


def _logs(loadgen: Any, folder: str) -> Any:
    made = loadgen.LogSettings()
    made.log_output.outdir = folder
    made.log_output.copy_summary_to_stdout = False
    made.enable_trace = False
    return made


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)  # LoadGen's own threads may still run
