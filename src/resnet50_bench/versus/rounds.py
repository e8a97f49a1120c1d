"""What was measured -> who is next, and whether that is enough; pure but for the clock.

A round measures every side that is still in question once, each in new processes. ``result/blocks.py`` tells sides
apart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Protocol

from ..errors import RunFailed
from ..result.blocks import FIRST_LOOK, Contest, Observation, Rules, advance, rounds_to_go

DECIDED = "decided"
#: A turn is disturbed where it is slower than its side by this share and by so many deviations ...
_BELOW_LEVEL = 0.1, 5.0
#: ... or, from three sides on, than its side's fastest turn, where restarts vary by so little that this says something.
_BELOW_FASTEST, _QUIET = (0.3, 8.0), 0.05
_POLISH = 3


@dataclass(frozen=True)
class Turn:
    """One side measured once. ``value`` is the KPI in the unit of its MODE, ``memory_mb`` of all its processes.

    ``again``: because the first turn of this side in this round was disturbed. The faster of both counts.
    """

    round: int
    side: str
    value: float
    verdict: str = "valid"
    reasons: tuple[str, ...] = ()
    memory_mb: float | None = None
    again: bool = False


class SideFailed(RunFailed):
    """A turn that gave no usable value. ``side`` is its name, which the message begins with."""

    def __init__(self, side: str, why: str) -> None:
        super().__init__(f"{side}: {why}")
        self.side, self.why = side, why


class Runner(Protocol):
    """Measures turns, and is told how the comparison goes."""

    def measure(self, number: int, side: str, again: bool) -> Turn:
        """One turn. Raises SideFailed where it gave no usable value."""

    def round_ended(self, race: Race) -> None:
        """All sides in question were measured once more."""

    def turn_failed(self, number: int, error: SideFailed) -> None:
        """The turn is measured once more."""


@dataclass
class Race:
    """A comparison under way. ``sign``: 1 where a greater KPI is better, else -1. ``turns``: in the order of time.

    ``failed``: why a side left that failed twice. ``took_s``: seconds of each side's turns in this call.
    """

    names: tuple[str, ...]
    rules: Rules
    sign: int
    seed: int = 1
    turns: list[Turn] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    took_s: dict[str, list[float]] = field(default_factory=dict)
    standing: Contest = field(init=False)

    def __post_init__(self) -> None:
        """Look again at each round that is there, as it was looked at when it ended."""
        self.standing = Contest(self.names, self.names)
        turns, self.turns = self.turns, []
        for turn in turns:
            if self.turns and turn.round > self.round:
                self.look()
            self.turns.append(turn)
        if self.turns and not self.missing() and not self.disturbed():
            self.look()

    @property
    def round(self) -> int:
        """The number of the current round, from 1; 0 before the first."""
        return max((turn.round for turn in self.turns), default=0)

    @property
    def observations(self) -> list[Observation]:
        """The faster turn of each side in each round, by speed."""
        fastest: dict[tuple[int, str], Observation] = {}
        for turn in self.turns:
            one = Observation(turn.round, turn.side, turn.value**self.sign)
            before = fastest.get((turn.round, turn.side), one)
            fastest[turn.round, turn.side] = max(one, before, key=lambda each: each.value)
        return list(fastest.values())

    def missing(self) -> list[str]:
        """The sides that the current round still lacks, in the order of their turns."""
        there = {turn.side for turn in self.turns if turn.round == self.round}
        return [side for side in order(self.names, self.seed, self.round)
                if side in self.standing.left and side not in there]

    def disturbed(self) -> list[tuple[int, str]]:
        """(round, side) of turns that are worth a second try and have had none."""
        again = {(turn.round, turn.side) for turn in self.turns if turn.again}
        places = [(one.round, one.side) for one in disturbed(self.observations)]
        return [place for place in places if place not in again and place[1] in self.standing.left]

    def look(self) -> None:
        """Tell sides apart after the current round."""
        self.standing = advance(self.standing, self.observations, self.round, self.rules)

    def leave(self, error: SideFailed) -> None:
        """Go on without a side that failed."""
        self.failed[error.side] = error.why
        left = tuple(side for side in self.standing.left if side != error.side)
        self.standing = replace(self.standing, left=left, ended=len(left) < 2)

    def round_s(self) -> float | None:
        """How long another round is likely to take; None before the first turn of this call."""
        known = [seconds for of_side in self.took_s.values() for seconds in of_side]
        if not known:
            return None
        return sum(fmean(self.took_s.get(side, known)) for side in self.standing.left)

    def to_decide(self) -> int:
        """How many more rounds would decide, if all stays as it is."""
        return rounds_to_go(self.standing, self.observations, self.round, self.rules)

    def left_s(self) -> tuple[float, float]:
        """(seconds that are likely to be left, seconds at most)."""
        most = 0 if self.standing.ended else self.rules.most_rounds - self.round
        return min(most, self.to_decide()) * (self.round_s() or 0.0), most * (self.round_s() or 0.0)

    def ending(self, elapsed_s: float, time_limit_s: float | None) -> str | None:
        """Why to end now; None to measure another round."""
        if self.standing.ended:
            return DECIDED if self.rules.within is None else "every interval is as narrow as --within asks for"
        if self.round >= self.rules.most_rounds:
            return f"the limit of {self.round} round{'s' if self.round > 1 else ''} is reached"
        if time_limit_s is not None and elapsed_s + (self.round_s() or 0.0) > time_limit_s and self.took_s:
            return f"another round would end after the time limit of {time_limit_s:g} s"
        return None


def order(names: Sequence[str], seed: int, number: int) -> tuple[str, ...]:
    """The sides in the order of this round (from 1): shuffled in odd ones, and the mirror of that in even ones."""
    drawn = list(names)
    random.Random(f"{seed}/{(number + 1) // 2}").shuffle(drawn)
    return tuple(drawn if number % 2 else reversed(drawn))


def take_turns(race: Race, runner: Runner, clock: Callable[[], float], time_limit_s: float | None = None,
               may_fail: bool = False) -> str:
    """Add turns to the race until it is enough; why it ended.

    Raises SideFailed for a side that failed twice in a row, unless sides ``may_fail``: then the others go on.
    """
    began, number = clock(), max(1, race.round)

    def measure(at: int, side: str, again: bool = False) -> None:
        started = clock()
        try:
            turn = _measured(runner, at, side, again)
        except SideFailed as error:
            if not may_fail:
                raise
            race.leave(error)
            return
        race.turns.append(turn)
        race.took_s.setdefault(side, []).append(clock() - started)

    while True:
        whole = bool(race.turns) and not race.missing() and not race.disturbed()
        if whole and (why := race.ending(clock() - began, time_limit_s)):
            return why
        number = race.round + 1 if whole else max(1, race.round)
        there = {turn.side for turn in race.turns if turn.round == number}
        for side in order(race.names, race.seed, number):
            if side in race.standing.left and side not in there:
                measure(number, side)
        for at, side in race.disturbed():
            measure(at, side, again=True)
        if not race.standing.ended:
            race.look()
        runner.round_ended(race)


def _measured(runner: Runner, number: int, side: str, again: bool) -> Turn:
    try:
        return runner.measure(number, side, again)
    except SideFailed as error:
        runner.turn_failed(number, error)
        return runner.measure(number, side, again)


def disturbed(observations: Sequence[Observation]) -> list[Observation]:
    """The turns that are far slower than the others of their side: each is worth a second try.

    Round effects and the spread are those of Tukey's median polish (1977), which one disturbed turn does not move. From
    three sides on, a round's effect is known so well that the fastest turn of a side may accuse all its others.
    """
    logs = {(one.round, one.side): math.log(one.value) for one in observations}
    rounds, sides = ({place[axis]: 0.0 for place in logs} for axis in (0, 1))
    df = len(logs) - len(rounds) - len(sides) + 1
    if len(rounds) < FIRST_LOOK:
        return []
    for _ in range(_POLISH):
        for number in rounds:
            rounds[number] = median(x - sides[at[1]] for at, x in logs.items() if at[0] == number)
        for side in sides:
            sides[side] = median(x - rounds[at[0]] for at, x in logs.items() if at[1] == side)
    spread = median(abs(x - rounds[at[0]] - sides[at[1]]) for at, x in logs.items())
    deviation = spread / 0.6745 * math.sqrt(len(logs) / df)
    share, deviations = _BELOW_LEVEL if len(sides) == 2 else _BELOW_FASTEST
    limit = max(-math.log1p(-share), deviations * deviation)
    if len(sides) > 2:
        if deviation > _QUIET:
            return []
        sides = {side: max(x - rounds[at[0]] for at, x in logs.items() if at[1] == side) for side in sides}
    return [one for one in observations if math.log(one.value) - rounds[one.round] - sides[one.side] < -limit]
