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

#: Beyond WARMUP_STEPS the warm-up looks for steady step times for at most this long.
MOST_EXTRA_S = 20.0
#: Step times are steady where the medians of two neighbouring blocks are this close ...
STEADY_SHARE = 0.05
#: ... and each block spans this long: caches, clocks and neighbours settle in tenths of seconds, not in milliseconds.
STEADY_BLOCK_S = 0.5
_LEAST_BLOCK_STEPS = 2
#: A single step may be disturbed: what a step takes is the median of the last few.
_LAST_STEPS = 9


@dataclass(frozen=True)
class Shown:
    """What a feed shows of its progress: images ``counted`` and right ones among them, a ``loss`` as text."""

    counted: int = 0
    right: int = 0
    loss: str = ""


class Feed:
    """What an instance steps over: dummy images, a data set, a training."""

    #: Steps that there are; None: as many as are wanted.
    length: int | None = None
    #: Steps that the warm-up may take; None: as many as it wants.
    most_warm_up: int | None = None
    #: What a step takes, to prove its kernels; nothing of the feed is used up.
    example: Any

    def warm_batch(self) -> Any:
        """For a step of the warm-up: the same each time, so that its caches are as warm as they get."""
        return self.example

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """What each measured step takes, and the labels that go with it."""
        raise NotImplementedError

    def after(self, output: Any, labels: Any) -> None:
        """Called with each measured step's output, outside its time."""

    def close(self) -> None:
        """End what still decodes, in the thread that steps: decoding processes die with the thread that forked them."""

    def shown(self) -> Shown:
        """Where it stands; read by another thread meanwhile."""
        return Shown()

    def record(self) -> FeedRecord:
        """What the result keeps."""
        raise NotImplementedError


def settled(times_s: Sequence[float]) -> bool:
    """Whether the medians of the last two blocks of steps, each as long as STEADY_BLOCK_S, are close."""
    now, rest = _last_block(times_s)
    before, _ = _last_block(rest)
    if not now or not before:
        return False
    return abs(median(now) - median(before)) <= STEADY_SHARE * median(before)


def _last_block(times_s: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """(the last steps that span a block, those before); no block where there are too few."""
    spanned = 0.0
    for count, seconds in enumerate(reversed(times_s), start=1):
        spanned += seconds
        if spanned >= STEADY_BLOCK_S and count >= _LEAST_BLOCK_STEPS:
            return times_s[len(times_s) - count:], times_s[:len(times_s) - count]
    return (), times_s


class Stepper:
    """Steps ``model`` over the batches of ``feed``; what it saw is in its attributes.

    ``starts`` and ``ends`` are nanoseconds of the monotonic clock, one each a measured step. ``steady`` says
    whether step times had settled when the warm-up gave up looking.
    """

    def __init__(self, model: Callable[[Any], Any], feed: Feed, *, steps: int | None, warmup_steps: int,
                 min_duration_s: float, exact: bool) -> None:
        """``steps``: None only for a feed that has an end.

        ``exact``: no step is added to the warm-up, for each has its place (training), none is judged by its time
        (accuracy) or they would not settle (a burst).
        """
        self._model, self.feed, self._exact = model, feed, exact
        self.wanted = feed.length or steps or 0
        self._least = warmup_steps if feed.most_warm_up is None else min(warmup_steps, feed.most_warm_up)
        self._min_duration_s = min_duration_s
        self.starts, self.ends = array("q"), array("q")
        self.warmup_steps, self.warmup_s, self.steady = 0, 0.0, True
        self.last_output: Any = None

    def warm_up(self, on_warm: Callable[[float], None], gone: Callable[[], bool]) -> None:
        """At least WARMUP_STEPS steps, more until they are steady; ``on_warm`` gets the last steps' seconds once.

        Then on until ``gone``: an instance that rests until the others are warm cools down, and leaves them the
        machine to themselves. Without warm-up, or where it is exact, nothing is stepped beyond the least.
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
        """Step until STEPS and MIN_DURATION are reached, say so once, and go on until ``stopped``.

        Going on keeps the load on the machine the same for instances that are not done yet. A feed that has an
        end (a data set once) is enough where it ends.
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
