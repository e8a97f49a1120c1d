"""One pinned set of cores + a model + its feed of batches -> the start and end of every measured step.

An instance is a thread with cores of its own, so that several may share one copy of the weights.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .result import Run
from .stats import settled

#: Beyond WARMUP_STEPS the warm-up goes on for at most this long, then the measurement begins anyway.
_MOST_EXTRA_S = 20.0


def pin(cpus: list[int]) -> None:
    """Bind the calling thread to ``cpus`` and read the mask back. Raises RuntimeError if it differs."""
    os.sched_setaffinity(0, cpus)
    observed = os.sched_getaffinity(0)
    if observed != set(cpus):
        raise RuntimeError(f"pinning asked for cpus {sorted(cpus)}, the kernel gave {sorted(observed)}")


def threads_cpus(within: set[int]) -> tuple[int, ...]:
    """The cpus that this process's threads may run on, of the threads bound inside ``within``.

    OpenMP binds each thread of a team to its own cpu, so only the union shows the whole set.
    """
    masks = []
    for task in Path("/proc/self/task").iterdir():
        try:
            masks.append(os.sched_getaffinity(int(task.name)))
        except ProcessLookupError:  # a thread that ended while we looked
            continue
    return tuple(sorted(set().union(*(mask for mask in masks if mask <= within))))


class Instance(threading.Thread):
    """Measures its cores' peak, warms up, waits for ``go`` and steps until ``stop``."""

    def __init__(self, part: dict[str, Any], model: Callable[[Any], Any], feed: Any,
                 spec: dict[str, Any], measure_peak: Callable[[], dict[str, float]]) -> None:
        super().__init__(name=f"instance-{part['index']}", daemon=True)
        self.part, self.model, self.feed, self.spec = part, model, feed, spec
        self._measure_peak = measure_peak
        self.go, self.stop = threading.Event(), threading.Event()
        self.measured, self.release = threading.Event(), threading.Event()
        self.on_enough: Callable[[int], None] = lambda index: None
        self.on_warm: Callable[[int, float], None] = lambda index, step_s: None
        self.on_failed: Callable[[BaseException], None] = lambda error: None
        self.failure: BaseException | None = None
        self.starts, self.ends = array("q"), array("q")
        self.warmup_steps, self.warmup_s, self.steady = 0, 0.0, True
        self.peak: dict[str, float] = {}
        self.observed: tuple[int, ...] = ()

    def run(self) -> None:
        """The thread's life; what fails is kept for the worker to raise."""
        try:
            import torch

            pin(self.part["cpus"])
            with torch.inference_mode():
                self.peak = self._measure_peak()
            with torch.inference_mode(not self.spec["training"]):
                self._warm_up()
                self.go.wait()
                self._measure()
                self.feed.close()
            self.observed = threads_cpus(set(self.part["cpus"]))
        except BaseException as error:
            self.failure = error
            self.on_failed(error)
        self.measured.set()
        # The kernel's counters of a thread end with it: stay until they have been read.
        self.release.wait()

    def _warm_up(self) -> None:
        """At least WARMUP_STEPS steps, then on until step times are steady or patience ends."""
        began = time.monotonic()
        least, most = self.spec["warmup_steps"], self.feed.most_warm_up
        least = least if most is None else min(least, most)
        # Instances that train together must do equally many steps.
        restless = least > 0 and not self.spec["training"]
        times: list[float] = []
        limit = None
        while len(times) < least or (restless and not settled(times)):
            now = time.monotonic()
            if len(times) >= least:
                limit = limit or now + _MOST_EXTRA_S
                if now > limit:
                    self.steady = False
                    break
            self.model(self.feed.warm_batch())
            times.append(time.monotonic() - now)
        self.warmup_steps, self.warmup_s = len(times), time.monotonic() - began
        self.on_warm(self.part["index"], times[-1] if times else self.spec["step_s"])

    def _measure(self) -> None:
        """Step until STEPS and MIN_DURATION are reached, then on until every instance of the case has enough.

        Going on keeps the load on the machine the same for those who are not done yet. A feed that has an end
        (a data set once) is enough where it ends.
        """
        clock, model, after, stopped = time.monotonic_ns, self.model, self.feed.after, self.stop.is_set
        starts, ends, enough = self.starts.append, self.ends.append, self.feed.length or self.spec["steps"]
        least_end = clock() + int(self.spec["min_duration"] * 1e9)
        said = False
        for done, batch in enumerate(self.feed.batches(), start=1):
            if stopped():
                break
            begin = clock()
            output = model(batch)
            end = clock()
            starts(begin)
            ends(end)
            after(output)
            if not said and done >= enough and end >= least_end:
                said = True
                self.on_enough(self.part["index"])
        if not said:
            self.on_enough(self.part["index"])

    def progress(self) -> dict[str, Any]:
        """Where the measurement stands; read by another thread while it runs."""
        done, now = len(self.ends), time.monotonic_ns()
        began = self.starts[0] if done else now
        last_ms = (self.ends[done - 1] - self.starts[done - 1]) / 1e6 if done else 0.0
        return {"instance": self.part["index"], "done": done, "wanted": self.feed.length or self.spec["steps"],
                "elapsed_s": (now - began) / 1e9, "last_ms": last_ms, "facts": self.feed.progress()}

    def values(self, process: int) -> Run:
        """The measured run."""
        return Run(self.part["index"], process, os.getpid(), tuple(self.part["cpus"]), self.observed,
                   self.part["memory_node"], self.warmup_steps, self.warmup_s, self.steady, self.peak,
                   tuple(self.starts), tuple(self.ends))
