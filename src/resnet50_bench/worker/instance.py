"""One instance and its thread: measure the cores' peak, warm up, step from Go until Stop.

Only the threads of instances compute, and they end with the case. libgomp keeps a team for each thread that ever
entered a parallel region. A second team, of a thread that only prepared, makes libgomp count more threads than cpus.
Its threads then sleep between parallel regions instead of spinning.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import Infrastructure
from ..machine import process_facts
from ..protocol import messages
from ..protocol.messages import Enough, Event, Go, Order, Part, Prepared, Progress, Ready, Report, Spec, Stop, Warm
from ..result.processes import Answers, Run
from .job import Job, Peaks
from .stepper import Stepper


def pin(cpus: Collection[int]) -> None:
    """Bind the calling thread to ``cpus`` and read the mask back. Raises Infrastructure if the kernel refuses,
    RuntimeError if the mask differs."""
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        raise Infrastructure(f"the kernel refuses to pin to cpus {sorted(cpus)} (sched_setaffinity: {error.strerror}): "
                             "the container's seccomp profile has to allow it, and its cpuset these cpus") from error
    observed = os.sched_getaffinity(0)
    if observed != set(cpus):
        raise RuntimeError(f"pinning asked for cpus {sorted(cpus)}, the kernel gave {sorted(observed)}")


def give_back_memory() -> None:
    """Return freed memory to the system, so that the next case starts as in a new process."""
    with suppress(AttributeError):  # only jemalloc has mallctl; its manual gives 4096 for all arenas
        ctypes.CDLL(None).mallctl(b"arena.4096.purge", None, None, None, ctypes.c_size_t(0))


#: The launcher's orders to all instances of a process. Each order opens its gate once.
Gates: TypeAlias = Mapping[type[Order], threading.Event]


@dataclass(frozen=True)
class Measured:
    """An instance's measurement: its run, its computing threads, and a check of its last outputs."""

    run: Run
    omp_threads: int
    answers: Answers


class Instance(threading.Thread):
    """The thread of an instance, bound to its cores. An error is passed to ``failed`` at once and kept in ``error``.

    ``measured`` is set as soon as the instance has measured. The thread lives until Report.
    """

    def __init__(self, part: Part, spec: Spec, gates: Gates, peaks: Peaks, say: Callable[[Event], None],
                 get_job: Callable[[], Job | None], failed: Callable[[BaseException], None],
                 report: Callable[[Job], None] | None) -> None:
        """``get_job`` returns None if another thread failed to make it. Only the first instance has a ``report``."""
        super().__init__(name=f"instance-{part.index}", daemon=True)
        self.part, self._spec, self._gates, self._peaks, self._say = part, spec, gates, peaks, say
        self._get_job, self._failed, self._report = get_job, failed, report
        self._stepper: Stepper | None = None
        self.measured: Future[Measured] = Future()
        self.error: BaseException | None = None

    def run(self) -> None:
        """The body of the thread."""
        try:
            self._live()
        except BaseException as error:
            traceback.print_exc()
            sys.stderr.flush()
            self.error = error
            self._failed(error)
            if not self.measured.done():
                self.measured.set_exception(error)

    def _live(self) -> None:
        pin(self.part.cpus)
        job = self._get_job()
        if job is None:
            self.measured.cancel()
            return
        self.measured.set_result(self._measure(job))
        # A thread's kernel counters disappear with it: stay until they are read.
        self._gates[Report].wait()
        if self._report:
            self._report(job)

    def _measure(self, job: Job) -> Measured:
        """Peak, warm-up and measurement, each started and ended by its gate."""
        index, cpus, spec, feed = self.part.index, self.part.cpus, self._spec, job.feeds[self.part.index]
        look = job.get_peak_ready(self.part) if job.get_peak_ready else None
        stepper = self._stepper = Stepper(
            job.prepared.model, feed, steps=spec.steps, warmup_steps=spec.warmup_steps,
            min_duration_s=spec.min_duration_s, exact=spec.training or spec.accuracy or spec.disturbed)
        self._say(Prepared(index))
        self._gates[Warm].wait()
        if look:
            with job.inference(True):
                peak = self._peaks[cpus] = look()
        else:
            peak = self._peaks[cpus]
        del look  # and with it the large arrays
        give_back_memory()
        with job.inference(not spec.training):
            stepper.warm_up(lambda step_s: self._say(Ready(index, job.step_s if math.isnan(step_s) else step_s)),
                            self._gates[Go].is_set)
            self._gates[Go].wait()
            if spec.pipes:
                self._say(messages.Serving(index))
            stepper.measure(lambda: self._say(Enough(index)), self._gates[Stop].is_set)
            feed.close()
            answers = job.look_at(stepper.last_output)
        observed = process_facts.observed_cpus(process_facts.thread_masks(), cpus, spec.cpus, self.part.loader_cpus)
        run = Run(
            instance=index, process=spec.process, pid=os.getpid(), cpus=cpus, observed_cpus=observed,
            memory_node=self.part.memory_node, warmup_steps=stepper.warmup_steps, warmup_s=stepper.warmup_s,
            steady=stepper.steady, peak=peak, starts_ns=tuple(stepper.starts), ends_ns=tuple(stepper.ends))
        return Measured(run, job.num_threads(), answers)

    def progress(self) -> Progress | None:
        """The progress of the measurement, for another thread. None before the instance is prepared."""
        stepper, now = self._stepper, time.monotonic_ns()
        if stepper is None:
            return None
        done = len(stepper.ends)
        began = stepper.starts[0] if done else now
        last_ms = (stepper.ends[done - 1] - stepper.starts[done - 1]) / 1e6 if done else 0.0
        shown = stepper.feed.shown()
        return Progress(self.part.index, done, stepper.wanted, elapsed_s=(now - began) / 1e9, last_ms=last_ms,
                        counted=shown.counted, right=shown.right, loss=shown.loss)
