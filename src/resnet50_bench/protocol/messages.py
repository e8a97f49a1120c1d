"""Everything that the launcher and its workers say to each other: a Spec in a file, then orders and events.

The launcher gives each of its orders to all processes at once, and waits for the events of all in between::

    launcher                       worker
    Spec (file)              ->
                             <-    Stage, Prepared of each instance
    Warm                     ->
                             <-    Ready of each instance
    Go                       ->
                             <-    Progress, Enough of each instance
    Stop                     ->
                             <-    Stopped
    Report                   ->
                             <-    Reported (the report's file is whole)
    Next, or the end of the channel
    at any time              <-    Failed

With MODE=server a process of MLPerf's LoadGen takes part: it has a ServerSpec and says Prepared, too. The queries come
through a named pipe that it writes and all instances read; the instances' answers come back through another::

    launcher                       worker                      LoadGen
    Go                       ->
                             <-    Serving of each instance
    Issue                                              ->
                             <-    Enough of each instance   <-
    Stop, and so on                                            (stays until its channel ends)

Floats that may be no number travel as text: JSON has no NaN. Paths may be any bytes: one that is not UTF-8 travels
in JSON's escapes (``caf\\udce9.png``) and arrives as it was. msgspec's own JSON refuses such text, so ``encode`` and
``decode`` use Python's.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

Received = TypeVar("Received", bound="Order | Event")


class Part(msgspec.Struct, frozen=True):
    """What one instance gets."""

    index: int
    cpus: tuple[int, ...]
    #: The single node that its memory shall lie on, and all of its cores' nodes; None and empty: nothing to bind to.
    memory_node: int | None
    memory_nodes: tuple[int, ...]
    #: Idle cpus that decode its images; empty: its own do.
    loader_cpus: tuple[int, ...] = ()
    #: Floats of the arrays by which it measures its bandwidth; 0: no figure; None: the worker's default.
    stream_floats: int | None = None


class Data(msgspec.Struct, frozen=True):
    """The files that a worker reads. An empty path: there is none, so seeded weights or dummy images."""

    weights: str = ""
    weights_sha256: str = ""
    qconf: str = ""
    checkpoint: str = ""
    dataset: str = ""
    #: Classes of the data set; None: as many as the weights have.
    classes: int | None = None
    #: Instances that share the data set.
    parts: int = 1
    #: Images of one pass over the data set; 0 where none is made.
    images: int = 0
    #: Images whose activations give the scales of int8, and those on which the model is compared with fp32.
    calibration: tuple[str, ...] = ()
    agreement: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """The nodes that train one model together: this one's ``index`` of ``count``, and the file where they meet."""

    index: int
    count: int
    rendezvous: str


class Pipes(msgspec.Struct, frozen=True):
    """Paths of the named pipes that carry query ids to the instances, and those of answered queries back.

    An id is QUERY_BYTES long. Reads and writes of up to PIPE_BUF (4096) bytes are whole, so no id is ever cut, and the
    kernel shares the work out: whichever instance is free reads next.
    """

    queries: str
    answers: str


#: LoadGen's ids are addresses.
QUERY_BYTES = 8


class Spec(msgspec.Struct, frozen=True):
    """One case for one process. ``report`` and ``log`` are the files that it writes."""

    process: int
    cpus: tuple[int, ...]
    instances: tuple[Part, ...]
    precision: str
    torch_type: str
    batch_size: int
    #: None: as many as the data set has.
    steps: int | None
    warmup_steps: int
    min_duration_s: float
    accuracy: bool
    training: bool
    data: Data
    group: Group
    cache_dir: str
    report: str
    log: str
    #: NUMA nodes of this machine that have memory.
    memory_nodes: int
    #: Names of the variables that CUSTOMER_ENV sets.
    customer_env: tuple[str, ...] = ()
    #: Every this many seconds Progress is sent; 0: never.
    progress_s: float = 0.0
    #: Other runs measure on the same cpus at once (a burst), so step times do not settle.
    disturbed: bool = False
    #: The named pipes of MODE=server; None: the instances step by themselves.
    pipes: Pipes | None = None


class ServerSpec(msgspec.Struct, frozen=True):
    """What LoadGen gets: ``percentile`` in percent of the queries, of which ``min_queries`` are made at least.

    ``folder`` gets its logs. It is pinned to ``cpus``.
    """

    cpus: tuple[int, ...]
    pipes: Pipes
    folder: str
    bound_ms: float
    percentile: float
    min_duration_s: float
    min_queries: int
    #: LoadGen's name for it; a case is Server, benchmarks/against_loadgen.py takes Offline and SingleStream, too.
    scenario: str = "Server"


class _Order(msgspec.Struct, frozen=True, tag_field="order", tag=str.lower):
    """What the launcher says."""


class Warm(_Order, frozen=True):
    """Measure the peaks, then warm up: all instances at once, so that none has the machine to itself."""


class Go(_Order, frozen=True):
    """Measure."""


class Issue(_Order, frozen=True):
    """Make ``queries_per_s``, at random times."""

    queries_per_s: float


class Stop(_Order, frozen=True):
    """End the measurement; until now the instances kept the load on the machine the same."""


class Report(_Order, frozen=True):
    """Write the report; the kernel's counters of the threads have been read."""


class Next(_Order, frozen=True):
    """Do another case of the same precision and cpus; ``spec`` is its file."""

    spec: str


class _Event(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    """What a worker says."""


class Stage(_Event, frozen=True):
    """One line for the log."""

    text: str


class Prepared(_Event, frozen=True):
    """The instance's model is ready and proven; None: LoadGen has its ends of the pipes."""

    instance: int | None


class Ready(_Event, frozen=True):
    """The instance is warm; a step takes ``step_s``."""

    instance: int
    step_s: float


class Progress(_Event, frozen=True):
    """Where a measuring instance stands.

    ``wanted`` steps (0: unknown), images ``counted`` and right ones among them; ``loss`` as text.
    """

    instance: int
    done: int
    wanted: int
    elapsed_s: float
    last_ms: float
    counted: int = 0
    right: int = 0
    loss: str = ""


class Serving(_Event, frozen=True):
    """The instance waits for queries."""

    instance: int


class Enough(_Event, frozen=True):
    """The instance has measured what it shall, and goes on until Stop; None: LoadGen has ended, with its verdict."""

    instance: int | None


class Stopped(_Event, frozen=True):
    """All instances of the process have ended their last step."""


class Reported(_Event, frozen=True):
    """The report is written."""


class Failed(_Event, frozen=True):
    """Why the process cannot go on, in words, and the exit status that this deserves."""

    why: str
    status: int = 1


Order: TypeAlias = Warm | Go | Issue | Stop | Report | Next
Event: TypeAlias = Stage | Prepared | Ready | Progress | Serving | Enough | Stopped | Reported | Failed


def encode(message: msgspec.Struct) -> bytes:
    """One line of JSON in ASCII, without its end."""
    return json.dumps(msgspec.to_builtins(message)).encode("ascii")


def decode(line: bytes, kind: Any) -> Any:
    """A Spec, an Order or an Event, as ``kind`` says, that ``encode`` wrote.

    Raises msgspec.ValidationError, which names the field, for what is none.
    """
    return msgspec.convert(json.loads(line), kind)


class Channel(Generic[Received]):
    """One end of a socket pair that carries messages, a line of JSON each; nothing here ever spins."""

    def __init__(self, end: socket.socket, peer_sends: Any) -> None:
        """``peer_sends`` is Order or Event."""
        self._socket, self._peer_sends = end, peer_sends
        self._rest = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send one message; may be called from several threads."""
        with self._sending:
            self._socket.sendall(encode(message) + b"\n")

    def receive(self) -> list[Received]:
        """Block until at least one whole message has come; an empty list means that the peer is gone.

        Raises msgspec.ValidationError, which names the field, for a message that is none of the protocol's.
        """
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return []
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [decode(line, self._peer_sends) for line in lines]

    def close(self) -> None:
        """Close this end; the peer's next ``receive`` gives the empty list."""
        self._socket.close()
