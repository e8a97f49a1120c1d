"""Inside a process: a spec file and a channel -> pinned instances, a measurement, a report file; then the next.

Order, of which the launcher gives each step's word to all processes at once: prepare the model and prove its kernels
(``prepared``), measure the peaks together and warm up (``ready``), measure (``enough``, ``stopped``), report. Then wait
for ``next`` with another spec of the same precision and cpus, or for the channel's end. This thread only talks: what
computes does so in the threads of the instances.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import BenchError
from ..files import write_json
from ..machine import process_facts
from ..protocol.channel import Channel
from ..protocol.messages import (
    ORDERS,
    SPEC,
    Event,
    Failed,
    Go,
    Next,
    Order,
    Report,
    Reported,
    Spec,
    Stage,
    Stop,
    Stopped,
    Warm,
)
from .instance import Instance, Signals, give_back_memory, pin

if TYPE_CHECKING:
    from .preparation import Job

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_USAGE = ("ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw", "ru_utime", "ru_stime")


@dataclass
class Kept:
    """What holds for every case of this process: what each instance's cpus reach, and the weights' denormals."""

    peaks: dict[tuple[int, ...], dict[str, float]] = field(default_factory=dict)
    denormal_shares: dict[str, float] = field(default_factory=dict)


def main(argv: list[str]) -> int:
    """``worker SPEC_FILE CHANNEL_FD``; what goes wrong is sent as ``failed`` and ends with 1."""
    spec = SPEC.decode(Path(argv[0]).read_bytes())
    channel = Channel(socket.socket(fileno=int(argv[1])), ORDERS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    kept = Kept()
    try:
        _Work(spec, channel, kept).run()
        while orders := channel.receive():
            gc.collect()  # of an int8 model IPEX 2.8.0 keeps 30 MB, its converted weights, as long as the process lives
            give_back_memory()
            if not isinstance(orders[0], Next):
                raise RuntimeError(f"the launcher said {orders[0]} where the next case comes")
            spec = SPEC.decode(Path(orders[0].spec).read_bytes())
            _log_to(Path(spec.log))
            _Work(spec, channel, kept).run()
    except Exception as error:
        channel.send(Failed(_in_words(error), _status(error)))
        raise
    return 0


def _log_to(path: Path) -> None:
    """Let this process's output go to another file."""
    sys.stdout.flush()
    with path.open("wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)


def _in_words(error: BaseException) -> str:
    first = (str(error).strip() or repr(error)).splitlines()[0]
    # torch's allocator raises RuntimeError where malloc gives nothing.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) or "can't allocate memory" in str(error):
        return f"out of memory: use fewer instances or a smaller BATCH_SIZE ({first[:200]})"
    return str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {first}"


def _status(error: BaseException) -> int:
    """The exit status that the failure deserves: 3 for a full disk, say."""
    return error.exit_status if isinstance(error, BenchError) else 3 if isinstance(error, OSError) else 1


class _Work:
    """One case of this process: its instances, and the launcher's words handed on to them."""

    def __init__(self, spec: Spec, channel: Channel[Order], kept: Kept) -> None:
        self._spec, self._channel, self._kept = spec, channel, kept
        self._signals = Signals()
        self._made = threading.Event()
        self._job: Job | None = None
        self._usage: dict[str, float] = {}
        first, *others = spec.instances
        self._instances = [Instance(first, spec, self._signals, self._make_job, self._say, self._fail,
                                    self._report)]
        self._instances += [Instance(part, spec, self._signals, self._get_job, self._say, self._fail)
                            for part in others]

    def run(self) -> None:
        """Drive the instances by the launcher's words; re-raise what failed in one."""
        pin(self._spec.cpus)
        for instance in self._instances:
            instance.start()
        words = self._words()
        self._expect(Warm(), words)
        self._signals.warm.set()
        self._expect(Go(), words)
        before = resource.getrusage(resource.RUSAGE_SELF)
        self._signals.go.set()
        every_s = self._spec.progress_s
        while every_s and not select.select([self._channel], [], [], every_s)[0]:
            for instance in self._instances:
                self._say(instance.progress())
        self._expect(Stop(), words)
        self._signals.stop.set()
        for instance in self._instances:
            instance.measured.wait()
        self._raise_failure()
        after = resource.getrusage(resource.RUSAGE_SELF)
        self._usage = {name: getattr(after, name) - getattr(before, name) for name in _USAGE}
        self._say(Stopped())
        self._expect(Report(), words)
        self._signals.report.set()
        for instance in self._instances:
            instance.join()
        self._raise_failure()
        self._say(Reported())

    def _raise_failure(self) -> None:
        for instance in self._instances:
            if instance.failure:
                raise instance.failure

    def _say(self, event: Event) -> None:
        self._channel.send(event)

    def _fail(self, error: BaseException) -> None:
        self._say(Failed(_in_words(error), _status(error)))

    def _words(self) -> Iterator[Order]:
        while orders := self._channel.receive():
            yield from orders
        raise RuntimeError("the launcher is gone")

    def _expect(self, word: Order, words: Iterator[Order]) -> None:
        said = next(words)
        if said != word:
            raise RuntimeError(f"the launcher said {said} where {word} comes next")

    def _make_job(self) -> Job:
        """In the first instance's thread: import torch, prepare, prove."""
        try:
            self._say(Stage("preparing the model"))
            from .preparation import make_job

            if self._spec.customer_env:
                seen = " ".join(f"{name}={os.environ.get(name, '')}" for name in self._spec.customer_env)
                self._say(Stage(f"CUSTOMER_ENV as seen inside: {seen}"))
            self._job = make_job(self._spec, lambda text: self._say(Stage(text)), self._kept.peaks)
            return self._job
        finally:
            self._made.set()

    def _get_job(self) -> Job | None:
        """In the other instances' threads; None where there will be none, which the first has said."""
        self._made.wait()
        return self._job

    def _report(self) -> None:
        """In the first instance's thread, once all have measured."""
        spec, job = self._spec, self._job
        work = job.work
        facts: dict[str, Any] = {
            "layers": [vars(c) for c in job.proof.convolutions], "usage": self._usage, "agreement": job.agreement,
            "data": {str(i.part.index): job.feed(i.part.index).record() for i in self._instances},
            "omp_threads": {str(i.part.index): i.omp_threads for i in self._instances},
            "memory": process_facts.memory(), **_versions()}
        if work.quantise_nodes is not None:
            facts["quantise_nodes"] = work.quantise_nodes
        local = process_facts.local_memory(node for part in spec.instances for node in part.memory_nodes)
        if local is not None and spec.memory_nodes > 1:
            facts["local_memory"] = local
        if spec.process == 0:
            facts["denormal_share"] = self._denormals(job)
            if work.recipe:
                shutil.copyfile(work.recipe, Path(spec.report).with_name("qconf_summary.json"))
        runs = [instance.values() for instance in self._instances]
        write_json(Path(spec.report), {
            "process": spec.process, "pid": os.getpid(), "prepare_s": job.prepare_s,
            "model_cache": work.cache, "allocator": process_facts.allocator(), "kernels": job.proof.kernels(),
            "runs": [msgspec.structs.asdict(run) for run in runs], "facts": facts})

    def _denormals(self, job: Job) -> float:
        from .denormals import denormal_share

        shares, weights = self._kept.denormal_shares, job.request.weights_sha256
        if weights not in shares:
            shares[weights] = denormal_share(job.request)
        return shares[weights]


def _versions() -> dict[str, str]:
    """Of what is imported; the distributions' own words, as importing torchvision takes a second."""
    found = {}
    for name, package, module in (("Torch_Version", "torch", "torch"),
                                  ("Torchvision_Version", "torchvision", None),
                                  ("IPEX_Version", "intel-extension-for-pytorch", "intel_extension_for_pytorch._C")):
        if module is None or module in sys.modules:
            found[name] = metadata.version(package)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
