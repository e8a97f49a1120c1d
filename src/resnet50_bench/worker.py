"""Inside a process: a spec file and a channel -> pinned instances, a measurement, a report file.

Order: pin, read the pin back, import torch, prepare the model, prove the kernels, warm up every
instance, say ``ready``, wait for ``go``, measure until ``stop``, write the report. An instance is
a thread with cores of its own, so that several may share one copy of the weights.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import evidence
from .channel import Channel
from .precision import PRECISIONS
from .result import Run, write_json

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: list[str]) -> int:
    """``worker SPEC_FILE CHANNEL_FD``; what goes wrong is sent as ``failed`` and ends with 1."""
    spec = json.loads(Path(argv[0]).read_text())
    channel = Channel(socket.socket(fileno=int(argv[1])))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        _work(spec, channel)
    except MemoryError:
        channel.send(event="failed", why="out of memory")
        return 1
    except Exception as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        channel.send(event="failed", why=f"{type(error).__name__}: {first}")
        raise
    return 0


def _work(spec: dict[str, Any], channel: Channel) -> None:
    pin(spec["cpus"])
    began = time.monotonic()
    from .engines import load
    from .engines.base import ModelRequest, dummy_batch

    precision = PRECISIONS[spec["precision"]]
    request = ModelRequest(precision.name, precision.data_type, precision.isa_cap, spec["batch_size"],
                           Path(spec["cache_dir"]))
    channel.send(event="stage", stage="preparing the model")
    engine = load(spec["torch_type"])
    prepared = engine.prepare(request)
    prepare_s = time.monotonic() - began
    channel.send(event="stage", stage=f"model ready after {prepare_s:.1f} s (cache: {prepared.cache})")
    if spec["customer_env"]:
        seen = " ".join(f"{name}={os.environ.get(name, '')}" for name in spec["customer_env"])
        channel.send(event="stage", stage=f"CUSTOMER_ENV as seen inside: {seen}")
    batch = dummy_batch(spec["batch_size"], request.input_dtype)
    proof, spec["step_s"] = _prove(prepared.model, batch, engine)
    doubt = proof.doubt(precision)
    if doubt:
        channel.send(event="failed", why=doubt, kernels=proof.kernels())
        return
    instances = [Instance(part, prepared.model, batch, spec) for part in spec["instances"]]
    runs, usage = _measure(instances, channel)
    write_json(Path(spec["report"]), {
        "process": spec["process"], "pid": os.getpid(), "prepare_s": prepare_s,
        "model_cache": prepared.cache, "allocator": allocator(), "kernels": proof.kernels(),
        "runs": [vars(run) for run in runs],
        "facts": {"layers": [vars(c) for c in proof.convolutions], "usage": usage, **_versions()}})
    channel.send(event="reported")


def pin(cpus: list[int]) -> None:
    """Bind the calling thread to ``cpus`` and read the mask back. Raises RuntimeError if it differs."""
    os.sched_setaffinity(0, cpus)
    observed = os.sched_getaffinity(0)
    if observed != set(cpus):
        raise RuntimeError(f"pinning asked for cpus {sorted(cpus)}, the kernel gave {sorted(observed)}")


class Instance(threading.Thread):
    """One pinned set of cores that runs the model; its values are in ``run_values`` at the end."""

    def __init__(self, part: dict[str, Any], model: Callable[[Any], Any], batch: Any,
                 spec: dict[str, Any]) -> None:
        super().__init__(name=f"instance-{part['index']}", daemon=True)
        self.part, self.model, self.batch, self.spec = part, model, batch, spec
        self.ready, self.go, self.stop = threading.Event(), threading.Event(), threading.Event()
        self.on_enough: Callable[[int], None] = lambda index: None
        self.on_warm: Callable[[int, float], None] = lambda index, step_s: None
        self.failure: BaseException | None = None
        self.starts, self.ends = array("q"), array("q")
        self.warmup_s = 0.0
        self.observed: tuple[int, ...] = ()

    def run(self) -> None:
        """Pin, warm up, wait for ``go``, step until ``stop``."""
        try:
            import torch

            pin(self.part["cpus"])
            with torch.inference_mode():
                self._warm_up()
                self.go.wait()
                self._measure()
            self.observed = threads_cpus(set(self.part["cpus"]))
        except BaseException as error:
            self.failure = error
            self.on_enough(self.part["index"])

    def _warm_up(self) -> None:
        began = time.monotonic()
        step_s = self.spec["step_s"]
        for _ in range(self.spec["warmup_steps"]):
            step_began = time.monotonic()
            self.model(self.batch)
            step_s = time.monotonic() - step_began
        self.warmup_s = time.monotonic() - began
        self.on_warm(self.part["index"], step_s)

    def _measure(self) -> None:
        """Step at least ``steps`` times, then on until every instance of the case has enough.

        Going on keeps the load on the machine the same for those who are not done yet.
        """
        clock, model, batch, stopped = time.monotonic_ns, self.model, self.batch, self.stop.is_set
        starts, ends, enough = self.starts.append, self.ends.append, self.spec["steps"]
        done = 0
        while not stopped():
            begin = clock()
            model(batch)
            end = clock()
            starts(begin)
            ends(end)
            done += 1
            if done == enough:
                self.on_enough(self.part["index"])

    def values(self, process: int) -> Run:
        """The measured run."""
        return Run(self.part["index"], process, os.getpid(), tuple(self.part["cpus"]), self.observed,
                   self.part["memory_node"], self.spec["warmup_steps"], self.warmup_s,
                   tuple(self.starts), tuple(self.ends))


def _measure(instances: list[Instance], channel: Channel) -> tuple[list[Run], dict[str, float]]:
    """Drive the instances by the launcher's words ``go`` and ``stop``; re-raise what failed in one."""
    for instance in instances:
        instance.on_warm = lambda index, step_s: channel.send(event="ready", instance=index, step_s=step_s)
        instance.on_enough = lambda index: channel.send(event="enough", instance=index)
        instance.start()
    before = None
    for word in _words(channel):
        if word == "go":
            before = resource.getrusage(resource.RUSAGE_SELF)
            for instance in instances:
                instance.go.set()
        elif word == "stop":
            for instance in instances:
                instance.stop.set()
            break
    for instance in instances:
        instance.join()
        if instance.failure:
            raise instance.failure
    after = resource.getrusage(resource.RUSAGE_SELF)
    names = ("ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw", "ru_utime", "ru_stime")
    usage = {name: getattr(after, name) - getattr(before, name) for name in names}
    return [instance.values(instance.spec["process"]) for instance in instances], usage


def _words(channel: Channel) -> Iterator[str]:
    while messages := channel.receive():
        for message in messages:
            yield str(message["word"])
    raise RuntimeError("the launcher is gone")


def _prove(model: Callable[[Any], Any], batch: Any, engine: Any) -> tuple[evidence.Evidence, float]:
    """Run the model until it is compiled, then once under oneDNN verbose: (what ran, seconds)."""
    import torch

    with torch.inference_mode():
        for _ in range(2):  # TorchScript profiles in the first call and optimises in the second
            model(batch)
        began = time.monotonic()
        with captured_stdout() as lines, engine.onednn_verbose():
            model(batch)
    return evidence.parse(lines), time.monotonic() - began


@contextmanager
def captured_stdout() -> Iterator[list[str]]:
    """Collect what C code prints on file descriptor 1 into the list, which is filled at the end."""
    libc = ctypes.CDLL(None)
    lines: list[str] = []
    sys.stdout.flush()
    libc.fflush(None)
    kept = os.dup(1)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 1)
        try:
            yield lines
        finally:
            libc.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            sink.seek(0)
            lines += sink.read().decode(errors="replace").splitlines()


def threads_cpus(within: set[int]) -> tuple[int, ...]:
    """The cpus that this process's threads may run on, of the threads bound inside ``within``.

    OpenMP binds each thread of a team to its own cpu, so only the union shows the whole set.
    """
    masks = (os.sched_getaffinity(int(task.name)) for task in Path("/proc/self/task").iterdir())
    return tuple(sorted(set().union(*(mask for mask in masks if mask <= within))))


def allocator(root: Path = Path("/")) -> str:
    """Which memory allocator is truly mapped into this process."""
    maps = (root / "proc/self/maps").read_text()
    return next((name for name in ("jemalloc", "tcmalloc") if f"lib{name}" in maps), "default")


def _versions() -> dict[str, str]:
    import torch
    import torchvision

    found = {"Torch_Version": torch.__version__, "Torchvision_Version": torchvision.__version__}
    ipex = sys.modules.get("intel_extension_for_pytorch")
    return {**found, **({"IPEX_Version": ipex.__version__} if ipex else {})}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
