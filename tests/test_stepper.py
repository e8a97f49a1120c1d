"""A step repeated: warm-up until it is steady and the launcher says go, then measured; the clock is a FAKE."""

from __future__ import annotations

import itertools
import math

import pytest

from resnet50_bench.worker import stepper
from resnet50_bench.worker.stepper import Stepper, settled


@pytest.mark.parametrize(("times_s", "expected"), [
    ([], False),
    ([0.01] * 99, False),                                 # short steps: two blocks of half a second
    ([0.01] * 101, True),
    ([0.02] * 25 + [0.01] * 51, False),
    ([0.02] * 25 + [0.01] * 102, True),
    ([0.2] * 5, False),                                   # three of these span half a second
    ([0.2] * 6, True),
    ([2.0] * 3, False),                                   # long ones: two of two
    ([9.0, 2.0, 2.0, 2.0], False),
    ([9.0, 2.0, 2.0, 2.0, 2.0], True),
    ([0.01] * 60 + [1.0], False),                         # a stall is no new block of long steps
    ([2.0, 2.0, 2.09, 2.09], True),                       # 4.5 %
    ([2.0, 2.0, 2.12, 2.12], False)])                     # 6 %
def test_steady_is_judged_over_neighbouring_blocks_of_half_a_second(times_s, expected):
    assert settled(times_s) is expected


class Clock:
    """FAKE: stands still but where a step moves it."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def monotonic_ns(self) -> int:
        return self.now_ns


class Feed:
    """Numbers; a batch takes ten seconds to come and ``after`` a hundred, which no step may hold."""

    def __init__(self, clock: Clock, length: int | None = None, most_warm_up: int | None = None) -> None:
        self._clock, self.length, self.most_warm_up = clock, length, most_warm_up
        self.warmed = 0

    def warm_batch(self) -> str:
        self.warmed += 1
        return "warm"

    def batches(self):
        for number in itertools.count() if self.length is None else range(self.length):
            self._clock.now_ns += 10 * 10**9
            yield number, f"label {number}"

    def after(self, output: object, labels: str) -> None:
        assert labels == f"label {output}"
        self._clock.now_ns += 100 * 10**9


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stepper, "time", made)
    return made


def _stepper(clock: Clock, feed: Feed, took_s: float = 0.1, **settings):
    def step(batch: object) -> object:
        clock.now_ns += int(took_s * 1e9)
        return batch

    given = {"steps": 3, "warmup_steps": 2, "min_duration_s": 0, "exact": False} | settings
    return Stepper(step, feed, **given)


def test_each_measured_step_holds_the_model_alone_and_is_counted_once(clock):
    made, said = _stepper(clock, Feed(clock)), []
    made.measure(lambda: said.append(len(made.ends)), lambda: len(made.ends) >= 5)
    assert [end - start for start, end in zip(made.starts, made.ends, strict=True)] == [10**8] * 5
    assert said == [3], "enough after STEPS, once; on until stopped"


def test_no_step_of_the_warm_up_is_a_measured_one(clock):
    feed = Feed(clock)
    made = _stepper(clock, feed)
    made.warm_up(lambda step_s: None, lambda: feed.warmed >= 20)
    assert not made.starts and made.warmup_steps == feed.warmed == 20
    assert made.warmup_s == pytest.approx(2.0)


def test_an_instance_that_is_warm_steps_on_until_all_are(clock):
    feed, warm_at = Feed(clock), []
    made = _stepper(clock, feed)
    made.warm_up(lambda step_s: warm_at.append((feed.warmed, step_s)), lambda: feed.warmed >= 40)
    assert warm_at == [(10, pytest.approx(0.1))], "two blocks of half a second"
    assert feed.warmed == 40 and made.steady


def test_a_warm_up_that_never_settles_is_given_up_and_says_so(clock):
    feed = Feed(clock)
    times = itertools.cycle([1.0] * 2 + [2.0] * 2)

    def step(batch: object) -> None:
        clock.now_ns += int(next(times) * 1e9)

    made = Stepper(step, feed, steps=3, warmup_steps=2, min_duration_s=0, exact=False)
    made.warm_up(lambda step_s: None, lambda: True)
    assert made.warmup_s < stepper.MOST_EXTRA_S + 10
    assert made.steady is (made.warmup_s < stepper.MOST_EXTRA_S)


@pytest.mark.parametrize(("settings", "warmed"), [({"warmup_steps": 0}, 0), ({"exact": True}, 2)])
def test_without_warm_up_or_where_it_is_exact_none_is_added(clock, settings, warmed):
    feed, said = Feed(clock), []
    _stepper(clock, feed, **settings).warm_up(said.append, lambda: pytest.fail("it must not wait by stepping"))
    assert feed.warmed == warmed and len(said) == 1
    assert math.isnan(said[0]) is (warmed == 0)


def test_a_feed_that_ends_is_enough_and_min_duration_holds_back(clock):
    short, said = _stepper(clock, Feed(clock, length=2)), []
    short.measure(lambda: said.append("enough"), lambda: False)
    assert len(short.ends) == 2 and said == ["enough"]
    long, said = _stepper(clock, Feed(clock), min_duration_s=500), []
    long.measure(lambda: said.append(len(long.ends)), lambda: bool(said))
    assert said == [6], "five steps of 0.1 s and what lies between end before 500 s"
