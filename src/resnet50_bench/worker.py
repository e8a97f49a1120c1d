"""Inside a process: a spec file and a channel -> pinned instances, a measurement, a report file; then the next.

Order: pin, read the pin back, import torch, prepare the model, prove the kernels, measure the
peak and warm up in every instance, say ``ready``, wait for ``go``, measure until ``stop``, report.
Then wait for ``next`` with another spec of the same precision and cpus, or for the channel's end.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import evidence, process_facts
from .channel import Channel
from .errors import BenchError
from .instance import Instance, pin
from .precision import PRECISIONS
from .result import Run, write_json

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Kept:
    """What holds for every case of this process: what each instance's cpus reach, and the weights' denormals."""

    peaks: dict[tuple[int, ...], dict[str, float]] = field(default_factory=dict)
    denormal_shares: dict[str, float] = field(default_factory=dict)


def main(argv: list[str]) -> int:
    """``worker SPEC_FILE CHANNEL_FD``; what goes wrong is sent as ``failed`` and ends with 1."""
    spec = json.loads(Path(argv[0]).read_text())
    channel = Channel(socket.socket(fileno=int(argv[1])))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    kept = Kept()
    try:
        _work(spec, channel, kept)
        while messages := channel.receive():
            _tidy_up()
            spec = json.loads(Path(str(messages[0]["spec"])).read_text())
            _log_to(Path(spec["log"]))
            _work(spec, channel, kept)
    except Exception as error:
        channel.send(event="failed", why=_in_words(error), status=_status(error))
        raise
    return 0


def _log_to(path: Path) -> None:
    """Let this process's output go to another file."""
    sys.stdout.flush()
    with path.open("wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)


def _tidy_up() -> None:
    """Give the last case's memory back to the system, so that the next begins as in a process of its own.

    Of an int8 model IPEX 2.8.0 keeps 30 MB, its converted weights, as long as the process lives.
    """
    gc.collect()
    with suppress(AttributeError):  # only jemalloc has mallctl; its manual gives 4096 for all arenas
        ctypes.CDLL(None).mallctl(b"arena.4096.purge", None, None, None, ctypes.c_size_t(0))


def _in_words(error: BaseException) -> str:
    first = (str(error).strip() or repr(error)).splitlines()[0]
    # torch's allocator raises RuntimeError where malloc gives nothing.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) or "can't allocate memory" in str(error):
        return f"out of memory: use fewer instances or a smaller BATCH_SIZE ({first[:200]})"
    return str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {first}"


def _status(error: BaseException) -> int:
    """The exit status that the failure deserves: 3 for a full disk, say."""
    return error.exit_status if isinstance(error, BenchError) else 3 if isinstance(error, OSError) else 1


def _work(spec: dict[str, Any], channel: Channel, kept: Kept) -> None:
    pin(spec["cpus"])
    began = time.monotonic()
    from .engines import load, peak
    from .engines.base import denormal_share
    from .preparation import agreement_of, model_request, work_of

    request = model_request(spec)
    channel.send(event="stage", stage="preparing the model")
    engine = load(spec["torch_type"])
    work = work_of(spec, request, engine)
    product = None if kept.peaks else engine.prepare_peak(request)
    prepare_s = time.monotonic() - began
    channel.send(event="stage", stage=f"model ready after {prepare_s:.1f} s (cache: {work.cache})")
    if spec["customer_env"]:
        seen = " ".join(f"{name}={os.environ.get(name, '')}" for name in spec["customer_env"])
        channel.send(event="stage", stage=f"CUSTOMER_ENV as seen inside: {seen}")
    proof, spec["step_s"] = _prove(work, engine, spec["training"])
    doubt = proof.doubt(PRECISIONS[spec["precision"]], work.convolutions)
    if doubt:
        channel.send(event="failed", why=doubt, kernels=proof.kernels())
        return
    agreed = agreement_of(spec, request, work.step)
    work.finish_setup()
    product_images = peak.images(request.input_dtype)

    def measure_peak(cpus: tuple[int, ...]) -> dict[str, float]:
        if product:
            kept.peaks[cpus] = peak.measure(product.model, product_images)
        return kept.peaks[cpus]

    instances = [Instance(part, work.step, feed, spec, partial(measure_peak, tuple(part["cpus"])))
                 for part, feed in zip(spec["instances"], work.feeds, strict=True)]
    runs, usage = _measure(instances, channel)
    facts: dict[str, Any] = {"layers": [vars(c) for c in proof.convolutions], "usage": usage, "agreement": agreed,
                             "data": {str(i.part["index"]): i.feed.record() for i in instances},
                             "memory": process_facts.memory(), **_versions()}
    if work.quantise_nodes is not None:
        facts["quantise_nodes"] = work.quantise_nodes
    local = process_facts.local_memory(part["memory_node"] for part in spec["instances"])
    if local is not None and spec["memory_nodes"] > 1:
        facts["local_memory"] = local
    if spec["process"] == 0:
        weights = request.weights_sha256
        if weights not in kept.denormal_shares:
            kept.denormal_shares[weights] = denormal_share(request.network())
        facts["denormal_share"] = kept.denormal_shares[weights]
        if work.recipe:
            shutil.copyfile(work.recipe, Path(spec["report"]).with_name("qconf_summary.json"))
    write_json(Path(spec["report"]), {
        "process": spec["process"], "pid": os.getpid(), "prepare_s": prepare_s,
        "model_cache": work.cache, "allocator": process_facts.allocator(), "kernels": proof.kernels(),
        "runs": [vars(run) for run in runs], "facts": facts})
    channel.send(event="reported")


def _measure(instances: list[Instance], channel: Channel) -> tuple[list[Run], dict[str, float]]:
    """Drive the instances by the launcher's words ``go``, ``stop``, ``report``; re-raise what failed in one."""
    for instance in instances:
        instance.on_warm = lambda index, step_s: channel.send(event="ready", instance=index, step_s=step_s)
        instance.on_enough = lambda index: channel.send(event="enough", instance=index)
        instance.on_failed = lambda error: channel.send(event="failed", why=_in_words(error))
        instance.start()
    words = _words(channel)
    _expect("go", words)
    before = resource.getrusage(resource.RUSAGE_SELF)
    for instance in instances:
        instance.go.set()
    every_s = instances[0].spec["progress_s"]
    while every_s and not select.select([channel], [], [], every_s)[0]:
        for instance in instances:
            channel.send(event="progress", **instance.progress())
    _expect("stop", words)
    for instance in instances:
        instance.stop.set()
    for instance in instances:
        instance.measured.wait()
        if instance.failure:
            raise instance.failure
    after = resource.getrusage(resource.RUSAGE_SELF)
    channel.send(event="stopped")
    _expect("report", words)
    for instance in instances:
        instance.release.set()
        instance.join()
    names = ("ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw", "ru_utime", "ru_stime")
    usage = {name: getattr(after, name) - getattr(before, name) for name in names}
    return [instance.values(instance.spec["process"]) for instance in instances], usage


def _expect(word: str, words: Iterator[str]) -> None:
    said = next(words)
    if said != word:
        raise RuntimeError(f"the launcher said {said!r} where {word!r} comes next")


def _words(channel: Channel) -> Iterator[str]:
    while messages := channel.receive():
        for message in messages:
            yield str(message["word"])
    raise RuntimeError("the launcher is gone")


def _prove(work: Any, engine: Any, training: bool) -> tuple[evidence.Evidence, float]:
    """Rehearse a step until it is compiled, then once under oneDNN verbose: (what ran, seconds)."""
    import torch

    batch = work.feeds[0].warm
    with torch.inference_mode(not training):
        for _ in range(2):  # TorchScript profiles in the first call and optimises in the second
            work.rehearse(batch)
        began = time.monotonic()
        with captured_stdout() as lines, engine.onednn_verbose():
            work.rehearse(batch)
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


def _versions() -> dict[str, str]:
    import torch
    import torchvision

    found = {"Torch_Version": torch.__version__, "Torchvision_Version": torchvision.__version__}
    ipex = sys.modules.get("intel_extension_for_pytorch")
    return {**found, **({"IPEX_Version": ipex.__version__} if ipex else {})}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
