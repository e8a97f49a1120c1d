"""What was measured -> who is next, what is known of each pair, and whether that is enough; pure but for the clock.

A round measures every side once, each in fresh processes. Sides are compared within rounds (``paired``), so what
drifts from round to round, the machine's clock or its neighbours, does not count as a difference between them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Protocol

from ..errors import RunFailed
from ..result.paired import Paired, paired

#: The first look at the intervals; each next one comes after about 1.6 times as many rounds.
_FIRST_LOOKS = (3, 5)
#: A round that failed is measured once more, then the comparison ends.
_ATTEMPTS = 2
DECIDED = "every pair is decided"


@dataclass(frozen=True)
class Turn:
    """One side measured once. ``value`` is the KPI in the unit of its MODE, ``memory_mb`` of all its processes."""

    value: float
    verdict: str
    reasons: tuple[str, ...]
    memory_mb: float | None


@dataclass(frozen=True)
class Round:
    """Every side's turn, by its name."""

    number: int
    turns: Mapping[str, Turn]


@dataclass(frozen=True)
class Pair:
    """Side ``b`` against side ``a``: ``found.ratio`` is b / a."""

    a: str
    b: str
    found: Paired


@dataclass(frozen=True)
class Rules:
    """When to end: as soon as all pairs are decided, or with ``within`` that precise, after ``most_rounds`` or when
    another round would end after ``time_limit_s``."""

    most_rounds: int
    within: float | None = None
    time_limit_s: float | None = None
    seed: int = 1

    def ending(self, names: Sequence[str], rounds: Sequence[Round], elapsed_s: float,
               took_s: Sequence[float]) -> str | None:
        """Why to end now, None to measure another round. ``took_s``: how long the rounds of this call took."""
        done = len(rounds)
        if done in looks(self.most_rounds):
            found = pairs(names, rounds, self.most_rounds)
            if self.within is None and all(each.found.apart for each in found):
                return DECIDED
            if self.within is not None and all(each.found.half_width <= self.within for each in found):
                return f"every interval is within {100 * self.within:g} % of its ratio"
        if done >= self.most_rounds:
            return f"{done} round{'s' if done > 1 else ''} were asked for at most"
        if self.time_limit_s is not None and took_s and elapsed_s + fmean(took_s) > self.time_limit_s:
            return f"another round would end after the time limit of {self.time_limit_s:g} s"
        return None


class SideFailed(RunFailed):
    """A turn that gave no usable value. ``side`` is its name, which the message begins with."""

    def __init__(self, side: str, why: str) -> None:
        super().__init__(f"{side}: {why}")
        self.side, self.why = side, why


class Runner(Protocol):
    """What rounds are made of, and who is told of them."""

    def measure(self, number: int, name: str) -> Turn:
        """One turn. Raises SideFailed where it gave no usable value."""

    def leave_out(self, number: int) -> None:
        """Put aside what there is of a round that does not count."""

    def round_ended(self, rounds: Sequence[Round], took_s: Sequence[float]) -> None:
        """All rounds so far, and how long those of this call took."""

    def round_failed(self, number: int, error: RunFailed) -> None:
        """The round does not count and is measured once more."""


def looks(most_rounds: int) -> tuple[int, ...]:
    """After how many rounds the intervals are looked at: 3, 5, 8, 13, 21 ... and the last."""
    return (*itertools.takewhile(lambda rounds: rounds < most_rounds, _fibonacci()), most_rounds)


def _fibonacci() -> Iterator[int]:
    before, number = _FIRST_LOOKS
    while True:
        yield before
        before, number = number, before + number


def order(names: Sequence[str], seed: int, number: int) -> tuple[str, ...]:
    """The sides in the order of this round (from 1): shuffled in odd ones, and the mirror of that in even ones."""
    drawn = list(names)
    random.Random(f"{seed}/{(number + 1) // 2}").shuffle(drawn)
    return tuple(drawn if number % 2 else reversed(drawn))


def pairs(names: Sequence[str], rounds: Sequence[Round], most_rounds: int) -> list[Pair]:
    """Every later side against every earlier one; nothing without a round.

    The 5 % of errors are shared by all looks and all pairs, so that ending at the first one that decides keeps them.
    """
    if not rounds:
        return []
    both = list(itertools.combinations(names, 2))
    shares = len(looks(most_rounds)) * len(both)
    values = {name: [each.turns[name].value for each in rounds] for name in names}
    return [Pair(a, b, paired(values[a], values[b], shares)) for a, b in both]


def take_turns(names: Sequence[str], rules: Rules, rounds: list[Round], runner: Runner,
               clock: Callable[[], float]) -> str:
    """Add rounds to ``rounds`` until it is enough; why it ended. Raises RunFailed where a round failed twice."""
    began = clock()
    took_s: list[float] = []
    while not (why := rules.ending(names, rounds, clock() - began, took_s)):
        at = clock()
        rounds.append(_round(_next_number(rounds), names, rules.seed, runner))
        took_s.append(clock() - at)
        runner.round_ended(rounds, took_s)
    return why


def _next_number(rounds: Sequence[Round]) -> int:
    known = {each.number for each in rounds}
    return next(number for number in itertools.count(1) if number not in known)


def _round(number: int, names: Sequence[str], seed: int, runner: Runner) -> Round:
    """All sides one after another. What was left half measured does not count: its sides must be neighbours in time."""
    for attempt in range(1, _ATTEMPTS + 1):
        runner.leave_out(number)
        try:
            return Round(number, {name: runner.measure(number, name) for name in order(names, seed, number)})
        except RunFailed as error:
            if attempt == _ATTEMPTS:
                raise
            runner.round_failed(number, error)
    raise AssertionError("unreachable")


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """(median, least, greatest)."""
    return median(values), min(values), max(values)
