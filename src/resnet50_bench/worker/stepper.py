"""A step to repeat and its batches -> warm-up, then the start and end of every measured step; no threads, no torch."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..result.processes import FeedRecord

#: After WARMUP_STEPS the warm-up waits at most this many seconds for steady step times.
MOST_EXTRA_S = 20.0
#: Step times are steady if the medians of two neighbouring blocks are this close ...
STEADY_SHARE = 0.05
#: ... and each block lasts this many seconds: caches, clocks and neighbours settle in tenths of seconds.
STEADY_BLOCK_S = 0.5
_LEAST_BLOCK_STEPS = 2
#: The time of a step is the median of the last few, because a single step may be disturbed.
_LAST_STEPS = 9


@dataclass(frozen=True)
class Shown:
    """A feed's progress: images ``counted``, the right ones among them, and a ``loss`` as text."""

    counted: int = 0
    right: int = 0
    loss: str = ""


class Feed:
    """The source of an instance's batches: dummy images, a data set, or a training."""

    #: The number of steps. None: unlimited.
    length: int | None = None
    #: The most steps of the warm-up. None: unlimited.
    most_warm_up: int | None = None
    #: A step's input, to prove its kernels. Does not consume the feed.
    example: Any

    def warm_batch(self) -> Any:
        """A batch for the warm-up: the same each time, so that the caches are as warm as possible."""
        return self.example

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """Yield the input of each measured step, and its labels."""
        raise NotImplementedError

    def after(self, output: Any, labels: Any) -> None:
        """Handle a measured step's output, outside the step's time."""

    def close(self) -> None:
        """End the decoding processes. Call it in the thread that steps: they die with the thread that forked them."""

    def shown(self) -> Shown:
        """The progress, for another thread."""
        return Shown()

    def record(self) -> FeedRecord:
        """The record for the result."""
        raise NotImplementedError


def settled(times_s: Sequence[float]) -> bool:
    """Whether the medians of the last two blocks of steps, each STEADY_BLOCK_S long, are close."""
    now, rest = _last_block(times_s)
    before, _ = _last_block(rest)
    if not now or not before:
        return False
    return abs(median(now) - median(before)) <= STEADY_SHARE * median(before)


def _last_block(times_s: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Return (the last steps that fill a block, the steps before). The block is empty if there are too few steps."""
    spanned = 0.0
    for count, seconds in enumerate(reversed(times_s), start=1):
        spanned += seconds
        if spanned >= STEADY_BLOCK_S and count >= _LEAST_BLOCK_STEPS:
            return times_s[len(times_s) - count:], times_s[:len(times_s) - count]
    return (), times_s


class Stepper:
    """Runs ``model`` on the batches of ``feed``. Its attributes are the measurement.

    ``starts`` and ``ends`` have the time of each measured step in ns of the monotonic clock. ``steady`` is whether step
    times had settled at the end of the warm-up.
    """

    def __init__(self, model: Callable[[Any], Any], feed: Feed, *, steps: int | None, warmup_steps: int,
                 min_duration_s: float, exact: bool) -> None:
        """``steps``: None only for a feed with an end.

        ``exact``: the warm-up adds no steps, because each step counts (training), times are not judged (accuracy), or
        times would not settle (burst).
        """
        self._model, self.feed, self._exact = model, feed, exact
        self.wanted = feed.length or steps or 0
        self._least = warmup_steps if feed.most_warm_up is None else min(warmup_steps, feed.most_warm_up)
        self._min_duration_s = min_duration_s
        self.starts, self.ends = array("q"), array("q")
        self.warmup_steps, self.warmup_s, self.steady = 0, 0.0, True
        self.last_output: Any = None

    def warm_up(self, on_warm: Callable[[float], None], gone: Callable[[], bool]) -> None:
        """Run WARMUP_STEPS steps, and more until step times are steady. Then call ``on_warm`` with a step's seconds.

        Continues until ``gone``: an instance that waited idle for the others would cool down, and would leave them the
        whole machine. Without warm-up, or if ``exact``, runs no more than the least steps.
        """
        began, times = time.monotonic(), array("d")
        while len(times) < self._least:
            times.append(self._warm_step())
        if self._least and not self._exact:
            deadline = time.monotonic() + MOST_EXTRA_S
            while not settled(times) and time.monotonic() < deadline:
                times.append(self._warm_step())
            self.steady = settled(times)
        on_warm(median(times[-_LAST_STEPS:]) if times else math.nan)
        while self._least and not self._exact and not gone():
            times.append(self._warm_step())
        self.warmup_steps, self.warmup_s = len(times), time.monotonic() - began

    def _warm_step(self) -> float:
        began = time.monotonic()
        self._model(self.feed.warm_batch())
        return time.monotonic() - began

    def measure(self, on_enough: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Step until STEPS and MIN_DURATION are reached, call ``on_enough`` once, and continue until ``stopped``.

        Continuing keeps the machine's load constant for instances that are not done. A feed with an end (a data set
        once) is enough when it ends.
        """
        clock, model, after = time.monotonic_ns, self._model, self.feed.after
        starts, ends, wanted = self.starts.append, self.ends.append, self.wanted
        least_end = clock() + int(self._min_duration_s * 1e9)
        said, output = False, None
        for done, (batch, labels) in enumerate(self.feed.batches(), start=1):
            if stopped():
                break
            begin = clock()
            output = model(batch)
            end = clock()
            starts(begin)
            ends(end)
            after(output, labels)
            if not said and done >= wanted and end >= least_end:
                said = True
                on_enough()
        self.last_output = output
        if not said:
            on_enough()
