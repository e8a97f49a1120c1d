"""What a sweep measures next, with a FAKE machine whose surface is known: it finds the best, minds noise, and ends."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from resnet50_bench.sweep.axes import core_counts
from resnet50_bench.sweep.search import MOST_RUNS, Grid, Score, combined, rivals, wanted

BATCHES = tuple(2**i for i in range(8))
CORES = (1, 2, 4, 7, 8, 14, 16, 28, 32, 56)


def _peak(at_batch: int, at_cores: int):
    """A hill: its height falls with the distance in steps of the grid."""
    def value(batch, cores):
        away = abs(BATCHES.index(batch) - BATCHES.index(at_batch)) + 0.7 * abs(CORES.index(cores)
                                                                               - CORES.index(at_cores))
        return 1000 / (1 + 0.2 * away)
    return value


def _ridge(batch, cores):
    """The best batch grows with the cores: a ridge across the axes that rises towards 64 x 14."""
    i, j = BATCHES.index(batch), CORES.index(cores)
    return 1000 - 60 * abs(i - j - 1) - 30 * abs(j - 5)


SURFACES = {
    "peak inside": _peak(16, 14), "peak at a corner": _peak(128, 56), "peak at the other corner": _peak(1, 1),
    "peak at an edge": _peak(64, 1), "peak between the coarse points": _peak(4, 4), "ridge": _ridge,
    "more is better": lambda batch, cores: 10 * batch + cores,
    "saturation": lambda batch, cores: 1000 * batch / (batch + 4) - 2 * CORES.index(cores) ** 2,
}


def _search(grid: Grid, value, noise: float = 0.0, seed: int = 1, fails=frozenset()):
    """(scores by place, how often each was measured) of a whole search with a FAKE measurement."""
    known, counts, rng = {}, Counter(), random.Random(seed)
    while places := wanted(grid, known, fails):
        assert len(places) == len(set(places))
        for place in places:
            counts[place] += 1
            known.setdefault(place, [])
            if place not in fails:
                middle = value(*place) * (1 + rng.gauss(0, noise))
                half = 2 * noise * middle
                known[place].append(Score(middle, middle - half, middle + half))
        assert sum(counts.values()) <= len(grid.places()) + MOST_RUNS * 3, "it never ends"
    return known, counts


@pytest.mark.parametrize("name", SURFACES)
def test_it_finds_the_best_of_a_surface_with_less_than_half_of_its_points(name):
    grid = Grid(BATCHES, CORES)
    known, counts = _search(grid, SURFACES[name])
    assert rivals(known)[0] == max(grid.places(), key=lambda place: SURFACES[name](*place))
    assert len(counts) < len(grid.places()) / 2
    assert set(counts.values()) == {1}, "without noise nothing is measured twice"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["peak inside", "ridge", "saturation"])
def test_with_noise_the_best_found_is_within_a_few_percent_of_the_best(name, seed):
    grid = Grid(BATCHES, CORES)
    known, counts = _search(grid, SURFACES[name], noise=0.01, seed=seed)
    top = max(SURFACES[name](*place) for place in grid.places())
    assert SURFACES[name](*rivals(known)[0]) > 0.96 * top
    assert max(counts.values()) <= MOST_RUNS


def test_points_that_cannot_be_told_apart_are_measured_again_and_then_left_so():
    def flat(batch, cores):
        return 100.0

    known, counts = _search(Grid((1, 2), (1, 2)), flat, noise=0.01)
    assert len(rivals(known)) > 1
    assert max(counts.values()) == MOST_RUNS


def test_points_that_are_far_apart_are_measured_once():
    _, counts = _search(Grid((1, 2, 4), (1, 2)), lambda batch, cores: 100 * batch + 10 * cores, noise=0.005)
    assert set(counts.values()) == {1}


def test_every_point_of_a_full_grid_is_measured_exactly_once_whatever_the_noise():
    grid = Grid((1, 2, 4, 8, 16), (1, 2), every=True)
    _, counts = _search(grid, lambda batch, cores: 100.0, noise=0.2)
    assert counts == Counter(grid.places())


def test_a_point_that_fails_is_not_tried_again_and_the_best_of_the_others_is_found():
    grid = Grid(BATCHES, (1, 2))
    fails = frozenset({(128, 1), (128, 2), (64, 2)})
    known, counts = _search(grid, lambda batch, cores: batch * cores, fails=fails)
    assert rivals(known)[0] in {(64, 1), (32, 2)}
    assert all(counts[place] == 1 for place in fails if place in counts)


def test_a_point_whose_repetition_failed_is_not_repeated_again():
    known = {place: [Score(100, 90, 110)] for place in Grid((1, 2), (1,)).places()}
    assert wanted(Grid((1, 2), (1,)), known) == [(1, 1), (2, 1)]
    assert wanted(Grid((1, 2), (1,)), known, spent={(1, 1)}) == [(2, 1)]


def test_a_search_where_everything_fails_ends():
    grid = Grid(BATCHES, (1, 2))
    assert _search(grid, lambda *_: 1.0, fails=frozenset(grid.places()))[0]


def test_a_search_cut_off_anywhere_goes_on_to_the_same_points():
    grid = Grid(BATCHES, CORES)
    whole, _ = _search(grid, SURFACES["ridge"])
    known: dict = {}
    while places := wanted(grid, dict(known)):  # killed after each single point
        value = SURFACES["ridge"](*places[0])
        known[places[0]] = [Score(value, value, value)]
    assert rivals(known)[0] == rivals(whole)[0]


def test_runs_of_one_point_are_a_mean_that_is_as_wide_as_they_differ():
    both = combined([Score(100, 99, 101), Score(110, 109, 111)])
    assert (both.value, both.low, both.high) == (105, 100, 110)
    alike = combined([Score(100, 90, 110), Score(100, 90, 110), Score(100, 90, 110), Score(100, 90, 110)])
    assert (alike.low, alike.high) == (95, 105), "four runs are half as wide"


@pytest.mark.parametrize(("socket", "counts"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 3, 4, 6)),
                                                (23, (1, 2, 4, 8, 16, 23)),
                                                (56, (1, 2, 4, 7, 8, 14, 16, 28, 32, 56))])
def test_core_counts_are_powers_of_two_and_what_leaves_no_core_idle(socket, counts):
    assert core_counts(socket) == counts
