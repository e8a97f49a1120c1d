"""What is known of a grid's points -> the points to measure next, none once the best is decided; pure.

The choice depends on nothing but what is known, so a search that was interrupted goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

#: (batch size, cores per instance)
Place = tuple[int, int]

#: Points near the best that are looked around, and measured again: noise must not make a search of everything.
MOST_RIVALS = 3
#: Measurements of a point that cannot be told from the best; what is not apart then is close enough.
MOST_RUNS = 3


@dataclass(frozen=True)
class Score:
    """How good a point is, greater is better; ``low`` and ``high`` bound its 95 % interval."""

    value: float
    low: float
    high: float


#: The scores of the runs of each point; without any where a point failed or was left out.
Known = Mapping[Place, Sequence[Score]]


@dataclass(frozen=True)
class Grid:
    """The points of one precision. ``every``: measure each of them once, else search for the best."""

    batches: tuple[int, ...]
    cores: tuple[int, ...]
    every: bool = False

    def places(self) -> list[Place]:
        """All points, by cores and then batch size."""
        return [(batch, count) for count in self.cores for batch in self.batches]


def combined(scores: Sequence[Score]) -> Score:
    """The runs of one point as one score: their mean, the narrower the more there are, at least as wide as they differ.

    ValueError for no scores.
    """
    if not scores:
        raise ValueError("no scores")
    if len(scores) == 1:
        return scores[0]
    mean = math.fsum(score.value for score in scores) / len(scores)
    within = math.fsum(score.high - score.low for score in scores) / len(scores) / 2 / math.sqrt(len(scores))
    between = (max(score.value for score in scores) - min(score.value for score in scores)) / 2
    half = max(within, between)
    return Score(mean, mean - half, mean + half)


def ranking(known: Known) -> list[tuple[Place, Score]]:
    """The measured points, the best first."""
    found = [(place, combined(scores)) for place, scores in known.items() if scores]
    return sorted(found, key=lambda each: -each[1].value)


def rivals(known: Known) -> list[Place]:
    """The best point, then those whose interval reaches into the best's."""
    ranked = ranking(known)
    return [place for place, score in ranked if score.high >= ranked[0][1].low][:MOST_RIVALS]


def wanted(grid: Grid, known: Known, spent: Container[Place] = ()) -> list[Place]:
    """The points to measure next; a point that is known already is wanted once more, unless it is ``spent``.

    First a coarse grid, then ever closer around the best and its rivals (a pattern search: Hooke & Jeeves 1961),
    then the rivals again until the intervals tell them apart.
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
    again = [place for place in leaders if place not in spent and len(known[place]) < MOST_RUNS]
    if len(leaders) == 1 or not again:
        return []
    fewest = min(len(known[place]) for place in again)
    return [place for place in grid.places() if place in again and len(known[place]) == fewest]


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
