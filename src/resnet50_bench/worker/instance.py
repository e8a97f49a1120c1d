"""A thread with cores of its own: it measures their peak, warms up, and steps from ``go`` until ``stop``.

Everything that computes in a process does so in the threads of its instances, and these end with the case. libgomp
keeps a team for each thread that ever entered a parallel region; a second team, of a thread that only prepared,
makes it count more threads than cpus, and then its threads sleep between regions instead of waiting.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from ..machine import process_facts
from ..protocol.messages import Enough, Event, Part, Prepared, Progress, Ready, Spec
from ..result.processes import Run

if TYPE_CHECKING:
    from .preparation import Job
    from .stepper import Stepper


def pin(cpus: Collection[int]) -> None:
    """Bind the calling thread to ``cpus`` and read the mask back. Raises RuntimeError if it differs."""
    os.sched_setaffinity(0, cpus)
    observed = os.sched_getaffinity(0)
    if observed != set(cpus):
        raise RuntimeError(f"pinning asked for cpus {sorted(cpus)}, the kernel gave {sorted(observed)}")


def give_back_memory() -> None:
    """Return freed memory to the system, so that what comes next begins as in a process of its own."""
    with suppress(AttributeError):  # only jemalloc has mallctl; its manual gives 4096 for all arenas
        ctypes.CDLL(None).mallctl(b"arena.4096.purge", None, None, None, ctypes.c_size_t(0))


class Signals:
    """What the launcher has said to all instances of a process."""

    def __init__(self) -> None:
        self.warm, self.go, self.stop, self.report = (threading.Event() for _ in range(4))


class Instance(threading.Thread):
    """One instance's life. The first of a process also prepares for all of them, and reports for all at the end.

    ``get_job`` gives what the process runs: for the first instance by making it, for the others by waiting for it.
    ``say`` sends an event, ``failed`` that of a failure; ``report`` is called where
    the kernel's counters have been read.
    """

    def __init__(self, part: Part, spec: Spec, signals: Signals, get_job: Callable[[], Job | None],
                 say: Callable[[Event], None], failed: Callable[[BaseException], None],
                 report: Callable[[], None] = lambda: None) -> None:
        super().__init__(name=f"instance-{part.index}", daemon=True)
        self.part, self._spec, self._signals = part, spec, signals
        self._get_job, self._say, self._failed, self._report = get_job, say, failed, report
        self.measured = threading.Event()
        self.failure: BaseException | None = None
        self.stepper: Stepper | None = None
        self.peak: dict[str, float] = {}
        self.observed: tuple[int, ...] = ()
        self.omp_threads = 0

    def run(self) -> None:
        """The thread's life; what fails is said, kept for the worker, and stands in the log."""
        try:
            pin(self.part.cpus)
            job = self._get_job()
            if job is not None:
                self._live(job)
        except BaseException as error:
            self.failure = error
            traceback.print_exc()
            sys.stderr.flush()
            self._failed(error)
        finally:
            self.measured.set()

    def _live(self, job: Job) -> None:
        import torch

        index = self.part.index
        look = job.peak_look(self.part)
        stepper = self.stepper = job.stepper(index)
        self._say(Prepared(index))
        self._signals.warm.wait()
        with torch.inference_mode():
            self.peak = look()
        del look  # and with it the arrays that outgrow the caches
        give_back_memory()
        with torch.inference_mode(not self._spec.training):
            stepper.warm_up(lambda step_s: self._say(Ready(index, job.step_s(step_s))),
                            self._signals.go.is_set)
            self._signals.go.wait()
            stepper.measure(lambda: self._say(Enough(index)), self._signals.stop.is_set)
            job.feed(index).close()
        self.omp_threads = torch.get_num_threads()
        self.observed = process_facts.observed_cpus(process_facts.thread_masks(), self.part.cpus,
                                                    self._spec.cpus, self.part.loader_cpus)
        self.measured.set()
        # The kernel's counters of a thread end with it: stay until they have been read.
        self._signals.report.wait()
        self._report()

    def progress(self) -> Progress:
        """Where the measurement stands; read by another thread while it runs."""
        stepper, now = self.stepper, time.monotonic_ns()
        done = len(stepper.ends)
        began = stepper.starts[0] if done else now
        last_ms = (stepper.ends[done - 1] - stepper.starts[done - 1]) / 1e6 if done else 0.0
        facts = stepper.feed.progress()
        return Progress(self.part.index, done, stepper.wanted, elapsed_s=(now - began) / 1e9, last_ms=last_ms,
                        counted=facts.get("count", 0), right=facts.get("top1", 0),
                        loss=f"{facts['loss']:.3f}" if "loss" in facts else "")

    def values(self) -> Run:
        """The measured run."""
        stepper = self.stepper
        return Run(self.part.index, self._spec.process, os.getpid(), tuple(self.part.cpus), self.observed,
                   self.part.memory_node, stepper.warmup_steps, stepper.warmup_s, stepper.steady, self.peak,
                   tuple(stepper.starts), tuple(stepper.ends))
