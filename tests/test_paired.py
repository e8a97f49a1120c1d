"""Rounds of two configurations in turns: the ratio, its interval, and how often equal things are told apart."""

from __future__ import annotations

import math
import random

import pytest

from resnet50_bench.result.paired import paired

LOOKS = 9  # after each of round 2 to 10


def test_the_ratio_is_that_of_the_rounds_and_what_they_have_in_common_leaves_it():
    drifting = [100.0, 80.0, 60.0, 40.0]
    found = paired(drifting, [1.1 * x for x in drifting])
    assert (found.ratio, found.low, found.high) == pytest.approx((1.1, 1.1, 1.1))
    assert found.rounds == 4 and found.apart


def test_an_interval_by_hand():
    # Ratios 1.1 and 1.1^3: mean logarithm 2 ln 1.1, standard error ln 1.1, t(0.975, 1) = 12.706.
    found = paired([1.0, 1.0], [1.1, 1.1**3])
    assert found.ratio == pytest.approx(1.21)
    assert found.high == pytest.approx(1.1 ** (2 + 12.7062), rel=1e-4)
    assert found.low == pytest.approx(1.1 ** (2 - 12.7062), rel=1e-4)
    assert found.half_width == pytest.approx(1.1**12.7062 - 1, rel=1e-4)
    assert not found.apart


def test_sides_may_be_exchanged():
    a, b = [10.0, 11.0, 10.5], [9.0, 9.7, 9.1]
    one, other = paired(a, b), paired(b, a)
    assert (one.ratio, one.low, one.high) == pytest.approx((1 / other.ratio, 1 / other.high, 1 / other.low))


def test_one_round_shows_nothing():
    found = paired([100.0], [50.0])
    assert (found.ratio, found.low, found.high, found.rounds) == (0.5, None, None, 1)
    assert not found.apart and found.half_width == math.inf


def test_more_looks_ask_for_more():
    a, b = [10.0, 11.0, 10.5, 10.1], [9.0, 9.7, 9.1, 9.3]
    assert paired(a, b, 1).half_width < paired(a, b, 5).half_width < paired(a, b, 20).half_width
    assert paired([1.0, 1.0], [1.0, 1e9], 100).half_width == math.inf


@pytest.mark.parametrize(("a", "b", "looks"), [
    ([], [], 1), ([1.0], [1.0, 2.0], 1), ([1.0], [0.0], 1), ([1.0], [math.nan], 1), ([1.0], [1.0], 0)])
def test_what_is_no_round_is_refused(a, b, looks):
    with pytest.raises(ValueError):
        paired(a, b, looks)


def _normal(rng: random.Random) -> float:
    return rng.gauss(100, 5)


def _heavy(rng: random.Random) -> float:
    """Slow restarts now and then: one of ten loses up to a third."""
    return rng.gauss(100, 2) * (1 - rng.random() / 3 if rng.random() < 0.1 else 1)


def _stops_apart(rng: random.Random, draw, slower: float, looks: int) -> bool:
    """Whether A against B, looked at after each round from the second, ever says that they differ."""
    a, b = [], []
    for _ in range(LOOKS + 1):
        common = rng.gauss(1, 0.03)  # what both of a round share
        a.append(common * draw(rng))
        b.append(common * draw(rng) * (1 - slower))
        if paired(a, b, looks).apart:
            return True
    return False


@pytest.mark.parametrize("draw", [_normal, _heavy])
def test_equal_things_are_told_apart_in_at_most_5_percent_although_each_round_is_looked_at(draw):
    rng = random.Random(7)
    wrong = sum(_stops_apart(rng, draw, 0.0, LOOKS) for _ in range(2000))
    assert wrong <= 100  # 5 %
    careless = sum(_stops_apart(rng, draw, 0.0, 1) for _ in range(500))
    assert careless > 40  # without the correction: this is what it is for


def test_a_difference_is_found():
    rng = random.Random(8)
    assert sum(_stops_apart(rng, lambda rng: rng.gauss(100, 2), 0.05, LOOKS) for _ in range(200)) >= 160
