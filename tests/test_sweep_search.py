"""What a sweep measures next, with a FAKE machine whose surface is known: it finds the best, minds noise, and ends."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from resnet50_bench.sweep.axes import core_counts
from resnet50_bench.sweep.search import (
    DUEL,
    MOST_RIVALS,
    Grid,
    Score,
    combined,
    duel,
    finalists,
    ranking,
    rivals,
    standing,
    wanted,
)

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
    while places := wanted(grid, known):
        assert len(places) == len(set(places))
        for place in places:
            counts[place] += 1
            known.setdefault(place, [])
            if place not in fails:
                middle = value(*place) * (1 + rng.gauss(0, noise))
                half = 2 * noise * middle
                known[place].append(Score(middle, middle - half, middle + half))
        assert sum(counts.values()) <= len(grid.places()), "it never ends"
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
    assert set(counts.values()) == {1}, "restarts decide, not further runs of warm workers"


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


def test_runs_of_one_point_are_a_mean_with_students_t_between_them():
    both = combined([Score(100, 99, 101), Score(110, 109, 111)])
    assert (both.value, both.low, both.high) == pytest.approx((105, 105 - 12.7062 * 5, 105 + 12.7062 * 5), rel=1e-4)
    assert combined([Score(100, 99, 101)]) == Score(100, 99, 101)
    with_restarts = combined([Score(200, 199, 201), *(Score(value, 0, 0, True) for value in (9, 10, 11))])
    assert (with_restarts.value, with_restarts.high) == pytest.approx((10, 10 + 4.30265 / 3**0.5), rel=1e-4)


@pytest.mark.parametrize("count", [2, 3])
def test_the_interval_of_few_runs_covers_what_changes_between_them(count):
    """Half as wide as the runs differ it covered 50 and 77 %."""
    rng, covered, trials = random.Random(1), 0, 3000
    for _ in range(trials):
        values = [rng.gauss(100, 5) for _ in range(count)]
        score = combined([Score(value, value - 1, value + 1) for value in values])
        covered += score.low <= 100 <= score.high
    assert 0.93 <= covered / trials <= 0.97


def _duelled(values, spread: float = 0.0, seed: int = 1, cut: bool = False):
    """(known, the places in the order of their turns) of a whole duel with FAKE restarts; each was searched once."""
    known = {place: [Score(value, value, value)] for place, value in values.items()}
    rng, turns = random.Random(seed), []
    while places := duel(known):
        for place in places[:1] if cut else places:
            turns.append(place)
            value = abs(values[place]) * (1 + rng.gauss(0, spread)) * (1 if values[place] > 0 else -1)
            known[place].append(Score(value, value, value, True))
    return known, turns


A, B, C = (1, 1), (2, 1), (4, 1)


@pytest.mark.parametrize("cut", [False, True], ids=["in one go", "killed after each run"])
def test_rivals_take_turns_until_the_rounds_are_spent(cut):
    known, turns = _duelled({A: 100.0, B: 99.0, C: 98.5}, spread=0.05, cut=cut)
    assert turns == [A, B, C, C, B, A, A, B, C, C, B, A, A, B, C] and DUEL.most_rounds == 5
    assert standing(known) == finalists(known) == [A, B, C]


@pytest.mark.parametrize("sign", [1, -1], ids=["throughput", "latency"])
def test_what_is_told_apart_leaves_the_duel_and_is_not_the_best(sign):
    values = {A: 100.0, B: 99.0, C: 94.0} if sign > 0 else {A: -100.0, B: -101.0, C: -106.0}
    known, turns = _duelled(values, spread=0.0001)
    assert turns == [A, B, C, C, B, A, A, B, C], "after three rounds"
    assert standing(known) == [A] and duel(known) == []
    assert [place for place, _ in ranking(known)] == [A, B, C]


def test_the_duel_corrects_what_the_search_took_for_the_best():
    known, _ = _duelled({A: 100.0, B: 99.0}, spread=0.001)
    known[B][0] = Score(103.0, 102.5, 103.5)
    assert finalists(known) == [B, A] and standing(known) == [A]
    assert ranking(known)[0][0] == A and ranking(known)[0][1].restart
    known[C] = [Score(92.0, 91.9, 92.1)]
    assert [place for place, _ in ranking(known)] == [A, B, C], "a single run of a warm worker never passes a restart"


def test_there_is_no_duel_where_a_restart_cannot_change_the_best():
    assert duel({A: [Score(100, 99, 101)], B: [Score(85, 84, 86)], C: []}) == []
    assert len(finalists({(batch, 1): [Score(100, 99, 101)] for batch in range(1, 9)})) == MOST_RIVALS


def test_a_finalist_that_fails_leaves_the_duel():
    known = {place: [Score(100, 99, 101)] for place in (A, B, C)}
    assert duel(known, {B}) == [A, C] and duel(known, {B, C}) == []


def test_equal_points_are_told_apart_in_at_most_5_percent_of_the_duels():
    told = sum(len(standing(_duelled({A: 100.0, B: 100.0, C: 100.0}, spread=0.04, seed=seed)[0])) < 3
               for seed in range(600))
    assert told <= 0.05 * 600


@pytest.mark.parametrize(("socket", "counts"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 3, 4, 6)),
                                                (23, (1, 2, 4, 8, 16, 23)),
                                                (56, (1, 2, 4, 7, 8, 14, 16, 28, 32, 56))])
def test_core_counts_are_powers_of_two_and_what_leaves_no_core_idle(socket, counts):
    assert core_counts(socket) == counts
