"""What is known of a grid's points -> the points to measure next, and the restarts that decide between the last; pure.

The choice depends on nothing but what is known, so a search that was interrupted goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ..result.blocks import Contest, Observation, Question, Rules, advance, fit, looks, rounds_to_go
from ..result.comparison_stats import interval_of_means

#: (batch size, cores per instance)
Place = tuple[int, int]

#: Points near the best that are looked around, and that are left for the duel: noise must not make a search of all.
MOST_RIVALS = 3
#: By how much a restart alone may change a value: six runs of one case differed by 12 % (avx_int8, EPYC, batch 4).
RESTART_SHARE = 0.05
#: The duel ends when one is left, when those left are equal, or after its rounds.
DUEL = Rules(Question.BEST, most_rounds=5)
#: It takes three to five; two rounds show how many.
_USUAL_ROUNDS = 4


@dataclass(frozen=True)
class Score:
    """How good a run is, greater is better; ``low`` and ``high`` bound its 95 % interval within the run.

    ``restart``: of a fresh process, in the duel, not of a worker that stayed.
    """

    value: float
    low: float
    high: float
    restart: bool = False

    @property
    def speed(self) -> float:
        """The value where a greater KPI is better; of a latency, which is negative here, its inverse."""
        return self.value if self.value > 0 else -1 / self.value


#: The scores of the runs of each point; without any where a point failed or was left out.
Known = Mapping[Place, Sequence[Score]]


@dataclass(frozen=True)
class Grid:
    """The points of one precision. ``every``: measure each of them, else search for the best."""

    batches: tuple[int, ...]
    cores: tuple[int, ...]
    every: bool = False

    def places(self) -> list[Place]:
        """All points, by cores and then batch size."""
        return [(batch, count) for count in self.cores for batch in self.batches]


def combined(scores: Sequence[Score]) -> Score:
    """The runs of one point as one score: of its restarts alone, where there are any.

    From two on their mean with Student's t between them; one has nothing but the interval within it. ValueError for
    no scores.
    """
    if not scores:
        raise ValueError("no scores")
    counted = _restarts(scores) or scores
    values = [score.value for score in counted]
    between = interval_of_means(values)
    return Score(math.fsum(values) / len(values), *between, counted[0].restart) if between else counted[0]


def ranking(known: Known) -> list[tuple[Place, Score]]:
    """The measured points, the best first: those still in the duel, the others of it, all others."""
    duelled = finalists(known)
    contest, turns = _contest(known, duelled)
    last = [place for place in duelled if str(place) in contest.left]
    levels = fit(turns).level if turns else {}
    measured = [(place, combined(scores)) for place, scores in known.items() if scores]
    return sorted(measured, key=lambda pair: (pair[0] not in last, pair[0] not in duelled,
                                              -levels.get(str(pair[0]), 0.0), -pair[1].value))


def rivals(known: Known) -> list[Place]:
    """The best point of the search, then those whose interval reaches into the best's."""
    return _close(known, 0.0)


def finalists(known: Known) -> list[Place]:
    """The best point of the search, then those that a restart might set above it: the duel decides between them."""
    return _close(known, RESTART_SHARE)


def standing(known: Known, spent: Container[Place] = ()) -> list[Place]:
    """The finalists but those ``spent`` and those that the duel has told from the best of them (``blocks.advance``)."""
    first = [place for place in finalists(known) if place not in spent]
    contest, _ = _contest(known, first)
    return [place for place in first if str(place) in contest.left]


def _contest(known: Known, first: Sequence[Place]) -> tuple[Contest, list[Observation]]:
    """(the contest of these places after the rounds that are whole, their restarts as turns)."""
    restarts = {str(place): [score.speed for score in _restarts(known[place])] for place in first}
    contest = Contest(tuple(restarts), tuple(restarts), ended=len(first) < 2)
    turns = [Observation(number, name, speed) for name, speeds in restarts.items()
             for number, speed in enumerate(speeds, start=1)]
    for rounds in looks(DUEL.most_rounds):
        if contest.ended or any(len(restarts[name]) < rounds for name in contest.left):
            break
        contest = advance(contest, [turn for turn in turns if turn.round <= rounds], rounds, DUEL)
    whole = bool(restarts) and all(restarts.values())
    return contest, turns if whole else []


def duel(known: Known, spent: Container[Place] = ()) -> list[Place]:
    """The rest of a round of restarts, where the finalists take turns (A B C, C B A, ...); nothing at the end."""
    first = [place for place in finalists(known) if place not in spent]
    contest, _ = _contest(known, first)
    left = [place for place in first if str(place) in contest.left]
    restarts = {place: len(_restarts(known[place])) for place in left}
    rounds = min(restarts.values(), default=0)
    if contest.ended or rounds >= DUEL.most_rounds:
        return []
    turns = left if rounds % 2 == 0 else left[::-1]
    return [place for place in turns if restarts[place] == rounds]


def turns_foreseen(grid: Grid, known: Known, spent: Container[Place] = (), searching: bool = False) -> int:
    """About how many restarts the duel still takes; while a search still looks for rivals, those of most duels."""
    if searching and not grid.every:
        return _USUAL_ROUNDS * min(MOST_RIVALS, len(grid.places())) if len(grid.places()) > 1 else 0
    first = [place for place in finalists(known) if place not in spent]
    contest, turns = _contest(known, first)
    if contest.ended:
        return 0
    restarts = [len(_restarts(known[place])) for place in first if str(place) in contest.left]
    rounds = min(restarts)
    whole = _USUAL_ROUNDS if rounds < 2 else min(DUEL.most_rounds, rounds + rounds_to_go(contest, turns, rounds, DUEL))
    return sum(max(0, whole - count) for count in restarts)


def _restarts(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if score.restart]


def _close(known: Known, share: float) -> list[Place]:
    """The best points by the first run of each, which is the search's, its interval widened by a share of the value."""
    scores = {place: runs[0] for place, runs in known.items() if runs}
    ranked = sorted(scores, key=lambda place: -scores[place].value)
    return [place for place in ranked if scores[place].high + share * abs(scores[place].value)
            >= scores[ranked[0]].low - share * abs(scores[ranked[0]].value)][:MOST_RIVALS]


def wanted(grid: Grid, known: Known) -> list[Place]:
    """The points to measure next, none of which is known yet.

    First a coarse grid, then ever closer around the best and its rivals (a pattern search: Hooke & Jeeves 1961).
    """
    if grid.every:
        return [place for place in grid.places() if place not in known]
    coarse = set(product(_thirds(grid.batches), _thirds(grid.cores)))
    missing = [place for place in grid.places() if place in coarse and place not in known]
    if missing or not any(known.values()):
        return missing
    leaders = rivals(known)
    for stride in _strides(max(len(grid.batches), len(grid.cores))):
        around = {place for leader in leaders for place in _around(grid, leader, stride)}
        missing = [place for place in grid.places() if place in around and place not in known]
        if missing:
            return missing
    return []


def _thirds(values: Sequence[int]) -> list[int]:
    """The first, the middle and the last."""
    return sorted({values[0], values[len(values) // 2], values[-1]})


def _strides(longest: int) -> Iterator[int]:
    """From half of the coarse grid's spacing down to 1."""
    stride = max(1, longest // 4)
    while stride > 1:
        yield stride
        stride //= 2
    yield 1


def _around(grid: Grid, place: Place, stride: int) -> Iterator[Place]:
    """Neighbours along the axes; with a stride of 1 also the diagonal ones, for ridges that run across the axes."""
    at, beside = grid.batches.index(place[0]), grid.cores.index(place[1])
    for i, j in product((-stride, 0, stride), repeat=2):
        straight = (i == 0) != (j == 0)
        inside = 0 <= at + i < len(grid.batches) and 0 <= beside + j < len(grid.cores)
        if inside and (straight or (stride == 1 and i and j)):
            yield grid.batches[at + i], grid.cores[beside + j]
