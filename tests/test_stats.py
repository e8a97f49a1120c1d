"""Statistics against tables, hand-worked examples and properties."""

from __future__ import annotations

import math
import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet50_bench.result import stats
from resnet50_bench.result.comparison_stats import interval_of_means, ratio_interval

TIMES = st.floats(1e-6, 1e6)
relaxed = settings(deadline=None, max_examples=60)  # a busy machine must not fail a test
LENGTHS = st.lists(st.integers(1, 10**9), min_size=1, max_size=40)


def back_to_back(lengths, origin=0):
    starts = [origin + sum(lengths[:i]) for i in range(len(lengths))]
    return starts, [start + length for start, length in zip(starts, lengths, strict=True)]


# --- percentile and summary

@pytest.mark.parametrize(("values", "p", "expected"), [
    ([1, 2, 3, 4], 50, 2.5), ([1, 2, 3, 4], 25, 1.75), ([1, 2, 3, 4, 5], 90, 4.6), ([7], 99, 7),
    ([1, 2, 3], 0, 1), ([1, 2, 3], 100, 3), (range(101), 99.9, 99.9)])
def test_percentile_is_type_7(values, p, expected):
    assert stats.percentile(values, p) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "p"), [([], 50), ([1], -1), ([1], 101), ([1], math.nan)])
def test_percentile_refuses(values, p):
    with pytest.raises(ValueError):
        stats.percentile(values, p)


@relaxed
@given(st.lists(TIMES, min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_percentile_is_monotone_and_bounded(values, p, q):
    values.sort()
    low, high = (stats.percentile(values, x) for x in sorted((p, q)))
    assert values[0] <= low <= high <= values[-1]


def test_summary_of_known_values():
    result = stats.summary([2, 4, 4, 4, 5, 5, 7, 9])
    assert (result.count, result.mean, result.median, result.min, result.max) == (8, 5, 4.5, 2, 9)
    assert result.stdev == pytest.approx(math.sqrt(32 / 7))
    assert result.cv == pytest.approx(math.sqrt(32 / 7) / 5)
    assert result.percentiles == {"50": 4.5}


@pytest.mark.parametrize(("n", "keys"), [
    (1, []), (2, ["50"]), (9, ["50"]), (10, ["50", "90"]), (19, ["50", "90"]), (20, ["50", "90", "95"]),
    (99, ["50", "90", "95"]), (100, ["50", "90", "95", "99"]), (999, ["50", "90", "95", "99"]),
    (1000, ["50", "90", "95", "99", "99.9"])])
def test_a_percentile_needs_enough_values(n, keys):
    assert list(stats.summary(range(n)).percentiles) == keys


def test_summary_of_one_value_and_of_mean_zero():
    assert (stats.summary([3.0]).stdev, stats.summary([3.0]).cv) == (0.0, 0.0)
    assert stats.summary([-1.0, 1.0]).cv == 0.0


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_summary_refuses(values):
    with pytest.raises(ValueError):
        stats.summary(values)


@relaxed
@given(st.lists(TIMES, min_size=1))
def test_summary_lies_within_the_values(values):
    result = stats.summary(values)
    assert min(values) == result.min <= result.mean <= result.max == max(values)
    assert result.min <= result.median <= result.max
    assert 0 <= result.stdev <= (result.max - result.min) * (1 + 1e-9)
    assert list(result.percentiles.values()) == sorted(result.percentiles.values())


# --- window and throughput

@pytest.mark.parametrize(("starts", "ends", "expected"), [
    ([0], [10], (0, 10, 1.0)), ([0, 5], [10, 15], (5, 10, 0.5)), ([0, 2], [10, 8], (2, 8, 0.6)),
    ([0, 20], [10, 30], (20, 10, 0.0)), ([0, 10], [10, 20], (10, 10, 0.0)), ([5], [5], (5, 5, 0.0))])
def test_common_window(starts, ends, expected):
    assert stats.common_window(starts, ends) == expected


@pytest.mark.parametrize(("starts", "ends"), [([], []), ([1], [])])
def test_common_window_refuses(starts, ends):
    with pytest.raises(ValueError):
        stats.common_window(starts, ends)


@relaxed
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), min_size=1))
def test_overlap_is_a_share(windows):
    start, end, overlap = stats.common_window([s for s, _ in windows], [s + length for s, length in windows])
    assert 0 <= overlap <= 1
    assert (overlap > 0) == (end > start)


@relaxed
@given(LENGTHS, st.integers(0, 10**15))
def test_throughput_of_the_full_window(lengths, origin):
    starts, ends = back_to_back(lengths, origin)
    result = stats.throughput(starts, ends, (starts[0], ends[-1]), 16)
    assert result == pytest.approx(16 * len(lengths) / (sum(lengths) / 1e9))


@relaxed
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=20), st.integers(0, 900),
       st.integers(1, 900))
def test_throughput_equals_the_plain_sum_over_all_steps(steps, start, length):
    starts, ends, now = [], [], 0
    for gap, duration in steps:
        starts.append(now + gap)
        ends.append(now := now + gap + duration)
    end = start + length
    plain = sum(max(0, min(e, end) - max(s, start)) / (e - s) for s, e in zip(starts, ends, strict=True))
    assert stats.throughput(starts, ends, (start, end), 3) == pytest.approx(3 * plain / (length / 1e9))


def test_throughput_of_a_window_inside_one_step():
    assert stats.throughput([0], [4 * 10**9], (10**9, 2 * 10**9), 8) == pytest.approx(2.0)


def test_throughput_counts_a_step_too_short_for_the_clock():
    assert stats.throughput([0, 5, 5], [5, 5, 10], (0, 10), 1) == pytest.approx(3 / 1e-8)


def test_throughput_refuses_an_empty_window_and_unpaired_steps():
    with pytest.raises(ValueError):
        stats.throughput([0], [1], (5, 5), 1)
    with pytest.raises(ValueError):
        stats.throughput([0], [], (0, 5), 1)


# --- Student's t

@pytest.mark.parametrize(("p", "df", "expected"), [
    (0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 3, 3.182), (0.975, 4, 2.776), (0.975, 5, 2.571),
    (0.975, 10, 2.228), (0.975, 19, 2.093), (0.975, 30, 2.042), (0.975, 120, 1.980), (0.975, 10**6, 1.960),
    (0.95, 3, 2.353), (0.95, 19, 1.729), (0.995, 3, 5.841), (0.995, 10, 3.169), (0.9, 4, 1.533), (0.75, 5, 0.727),
    (0.5, 7, 0.0), (0.025, 10, -2.228)])
def test_t_quantile_equals_the_table(p, df, expected):
    assert stats.t_quantile(p, df) == pytest.approx(expected, abs=1e-3)


def t_probability(t, df):
    """P(T <= t) for integer df in closed form: Abramowitz & Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(df))
    term = math.cos(angle) if df % 2 else 1.0
    series = 0.0
    for k in range(df % 2, df - 1, 2):
        series += term
        term *= math.cos(angle) ** 2 * (k + 1) / (k + 2)
    both = math.sin(angle) * series
    return 0.5 + (2 / math.pi * (angle + both) if df % 2 else both) / 2


@relaxed
@given(st.floats(0.001, 0.999), st.integers(1, 60))
def test_t_quantile_inverts_the_exact_distribution(p, df):
    assert t_probability(stats.t_quantile(p, df), df) == pytest.approx(p, abs=2e-4)


@pytest.mark.parametrize(("p", "df"), [(0, 5), (1, 5), (0.9, 0)])
def test_t_quantile_refuses(p, df):
    with pytest.raises(ValueError):
        stats.t_quantile(p, df)


# --- intervals

def steps_ns(durations_s, start_ns=0):
    """(starts, ends) of steps that follow each other."""
    ends = [start_ns + round(1e9 * end) for end in accumulate(durations_s)]
    return [start_ns, *ends[:-1]], ends


def interval_of(instances, batch_size=1):
    """The interval over the window common to all instances of (starts, ends), and the throughput in it."""
    window = max(starts[0] for starts, _ in instances), min(ends[-1] for _, ends in instances)
    return stats.throughput_interval(instances, window, batch_size), math.fsum(
        stats.throughput(*each, window, batch_size) for each in instances)


def disturbances(rng, n, correlation=0.0):
    """A stationary autoregressive series of variance 1."""
    if not correlation:
        return [rng.gauss(0, 1) for _ in range(n)]
    value, values = rng.gauss(0, 1), []
    for _ in range(n):
        values.append(value)
        value = correlation * value + math.sqrt(1 - correlation**2) * rng.gauss(0, 1)
    return values


def coverage(trials, instances, steps, common, own, correlation=0.0):
    """In what share of the trials the interval holds the true throughput: 1 image/s of each instance."""
    rng, covered = random.Random(1), 0
    for _ in range(trials):
        shared = disturbances(rng, steps, correlation)
        made = []
        for _ in range(instances):
            mine = disturbances(rng, steps, correlation)
            made.append(steps_ns([1 + common * x + own * y for x, y in zip(shared, mine, strict=True)],
                                 rng.randrange(10**9)))
        low, high = interval_of(made)[0]
        covered += low <= instances <= high
    return covered / trials


@pytest.mark.parametrize(("trials", "instances", "steps", "common", "own", "correlation"), [
    (200, 28, 40, 0.05, 0.05, 0.0),        # half of the variance in common: adding variances covered 43 %
    (1500, 1, 6, 0.0, 0.1, 0.0), (1000, 1, 25, 0.0, 0.1, 0.0), (400, 1, 200, 0.0, 0.1, 0.0),
    (150, 1, 1000, 0.0, 0.1, 0.5)], ids=["28 instances", "6 steps", "25 steps", "200 steps", "correlated steps"])
def test_the_interval_covers_in_95_of_100_runs(trials, instances, steps, common, own, correlation):
    assert 0.93 <= coverage(trials, instances, steps, common, own, correlation) <= 0.97


def test_the_interval_holds_what_instances_share():
    """Alone each varies as much as together: half of the sum's standard error cannot average out."""
    rng = random.Random(3)
    shared = disturbances(rng, 200)
    alike = interval_of([steps_ns([1 + 0.1 * x for x in shared])] * 16)[0]
    apart = interval_of([steps_ns([1 + 0.1 * x for x in disturbances(rng, 200)]) for _ in range(16)])[0]
    assert alike[1] - alike[0] > 2 * (apart[1] - apart[0])


@pytest.mark.parametrize("slow", range(10))
def test_a_slow_step_is_in_the_interval_wherever_it_is(slow):
    durations = [1.0] * 10
    durations[slow] = 10.0
    (low, high), value = interval_of([steps_ns(durations)])
    assert value == pytest.approx(10 / 19)
    assert low < value < high and high - low > 0.5


def test_throughput_interval_by_hand():
    # 7 steps in 9 s make 3 slices of 3 s, which hold 3 steps, 2 and half of one, and the other half and one.
    (low, high), value = interval_of([steps_ns([1, 1, 1, 1, 1, 2, 2])], 8)
    first, second, third = 8.0, 8 * 2.5 / 3, 8 * 1.5 / 3
    assert value == pytest.approx(8 * 7 / 9)
    squares = sum((x - value) ** 2 for x in (first, second, third)) / (1 - 3 / 7 / 3)
    half = 4.30265 * math.sqrt(squares / 2 / 3)
    assert (low, high) == pytest.approx((max(0, value - half), value + half), rel=1e-4)


def test_throughput_interval_sums_the_instances():
    assert interval_of([steps_ns([0.1] * 50), steps_ns([0.2] * 25)], 2)[0] == pytest.approx((30, 30))


def test_throughput_interval_edges():
    assert stats.throughput_interval([], (0, 1), 8) is None
    assert interval_of([steps_ns([1.0] * 3)])[0] is None
    assert interval_of([steps_ns([1.0] * 10), steps_ns([3.5] * 3)])[0] is None
    assert interval_of([steps_ns([1.0] * 4)])[0] == pytest.approx((1, 1))
    assert interval_of([steps_ns([1.0, 1.0, 50.0, 50.0])])[0][0] == 0.0
    with pytest.raises(ValueError):
        stats.throughput_interval([steps_ns([1.0] * 9)], (5, 5), 8)


def test_interval_of_means():
    assert interval_of_means([1.0]) is None
    low, high = interval_of_means([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-3)


def test_ratio_interval():
    ratio, low, high = ratio_interval([2.0], [3.0, 3.0])
    assert (ratio, low, high) == (pytest.approx(1.5), None, None)
    assert ratio_interval([2.0, 2.0], [3.0, 3.0]) == pytest.approx((1.5, 1.5, 1.5))
    a, b = [9.0, 10.0, 11.0, 10.5], [11.0, 12.0, 13.0, 12.5]
    ratio, low, high = ratio_interval(a, b)
    assert 1.0 < low < ratio < high < 1.4
    assert ratio_interval(b, a) == pytest.approx((1 / ratio, 1 / high, 1 / low))
    narrow = ratio_interval(a, b, level=0.5)
    assert low < narrow[1] < narrow[2] < high


def test_ratio_interval_by_hand():
    # Logarithms 0, 2 and 0, 2, 4, 6: means 1 and 3, squared errors 1 and 5/3; df (8/3)^2 / (1 + 25/27) = 3.69.
    ratio, low, high = ratio_interval([1.0, math.e**2], [math.exp(x) for x in (0, 2, 4, 6)])
    assert (math.log(ratio), math.log(low)) == pytest.approx((2, 2 - 3.18245 * math.sqrt(8 / 3)), abs=1e-4)
    assert math.log(high) == pytest.approx(2 + 3.18245 * math.sqrt(8 / 3), abs=1e-4)


@pytest.mark.parametrize(("a", "b", "level"), [
    ([], [1], .9), ([1], [], .9), ([0, 1], [1], .9), ([1], [0], .9), ([1], [math.inf], .9), ([1], [1], 1)])
def test_ratio_interval_refuses(a, b, level):
    with pytest.raises(ValueError):
        ratio_interval(a, b, level)


# --- outliers and drift

def test_outliers_on_the_slow_side_only():
    values = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 30.0, 10.0, 1.0, 20.0]
    result = stats.outliers(values)
    assert (result.count, result.worst_step, result.worst_ms, result.steps) == (2, 6, 30.0, (6, 9))
    assert result.cost == pytest.approx(30 / sum(values))


@pytest.mark.parametrize("values", [[], [5.0], [10.0] * 20 + [10.9], [10.0 + i % 2 * 0.001 for i in range(20)] + [10.5],
                                    [0.0] * 5, [10.0, 20.0, 30.0, 40.0, 50.0], [10.0] * 9 + [1.0]])
def test_no_outliers(values):
    assert stats.outliers(values) == stats.SlowSteps(0, 0.0, None, None, ())


def test_outliers_with_a_mad_of_zero_and_the_cap():
    values = [10.0] * 60 + [12.0] * 30
    result = stats.outliers(values)
    assert (result.count, result.worst_step, result.steps) == (30, 60, tuple(range(60, 80)))


@relaxed
@given(st.lists(TIMES, max_size=60))
def test_outliers_cost_is_a_share(values):
    result = stats.outliers(values)
    assert 0 <= result.cost < 1
    assert len(result.steps) == min(result.count, 20)
    assert (result.count == 0) == (result.worst_step is None)
    assert result.worst_ms is None or result.worst_ms == max(values)


@pytest.mark.parametrize("n", [10, 200, 1234])
@pytest.mark.parametrize("rise", [0.2, -0.2])
def test_drift_of_a_straight_line(n, rise):
    result = stats.drift([1 + rise * (i / (n - 1) - 0.5) for i in range(n)])
    assert result.relative == pytest.approx(rise)
    assert result.significant


@pytest.mark.parametrize("values", [[], list(range(9)), [3.0] * 50, [0.0] * 50])
def test_no_drift(values):
    assert stats.drift(values) == stats.Drift(0.0, False)


def test_drift_is_seldom_found_in_noise_and_not_moved_by_outliers():
    noise = []
    for seed in range(100):
        rng = random.Random(seed)
        noise.append([rng.gauss(10, 1) for _ in range(40)])
    assert sum(stats.drift(values).significant for values in noise) <= 5
    assert abs(stats.drift([1.0, 1.01] * 50 + [50.0] * 5).relative) < 0.02
