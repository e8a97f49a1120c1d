"""Sides in rounds: the fit, its intervals, who is told apart and when; and how often equal sides are."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from statistics import fmean, median

import pytest

from resnet50_bench.result import blocks
from resnet50_bench.result.blocks import EQUAL, FASTER, SLOWER, Contest, Observation, Question, Rules
from resnet50_bench.result.stats import t_quantile
from resnet50_bench.versus import rounds

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from comparison_simulation import Setting, simulate  # noqa: E402


def observed(**values: list[float]) -> list[Observation]:
    return [Observation(number, side, value) for side, each in values.items() for number, value in enumerate(each, 1)]


def test_a_slow_hour_of_the_machine_leaves_the_ratio():
    drifting = [100.0, 80.0, 60.0, 40.0]
    found = blocks.fit(observed(A=drifting, B=[1.1 * x for x in drifting]))
    gap, error = found.gap("B", "A")
    assert math.exp(gap) == pytest.approx(1.1) and error == pytest.approx(0, abs=1e-9) and found.df == 3


def test_without_disturbed_turns_it_is_the_analysis_of_variance():
    """Differences of the logarithms 0.01, 0.03 and 0.02: mean 0.02, standard error 0.01 / sqrt(3)."""
    logs = [0.01, 0.03, 0.02]
    gap, error = blocks.fit(observed(A=[1.0] * 3, B=list(map(math.exp, logs)))).gap("B", "A")
    assert gap == pytest.approx(0.02, rel=1e-3) and error == pytest.approx(0.01 / math.sqrt(3), rel=1e-3)


def test_sides_that_left_keep_their_level_and_the_others_their_rounds():
    turns = [one for one in observed(A=[10.0] * 5, B=[9.0] * 5, C=[5.0] * 5) if one.side != "C" or one.round < 4]
    found = blocks.fit(turns)
    assert found.df == 13 - 7 and math.exp(found.gap("C", "A")[0]) == pytest.approx(0.5)


def test_one_disturbed_turn_moves_neither_the_ratio_nor_the_verdict():
    sides = {"A": [46.3, 46.0, 46.5, 46.2, 46.1], "B": [46.1, 46.2, 25.0, 46.3, 46.0],
             "C": [40.1, 40.0, 40.2, 39.9, 40.0]}
    found = blocks.fit(observed(**sides))
    assert math.exp(found.gap("B", "A")[0]) == pytest.approx(1.0, abs=0.005)
    assert math.exp(found.gap("C", "A")[0]) == pytest.approx(0.87, abs=0.01)
    assert rounds.disturbed(observed(**sides)) == [Observation(3, "B", 25.0)]


@pytest.mark.parametrize("values", [[], [0.0], [math.nan], [math.inf]])
def test_what_has_no_logarithm_is_refused(values):
    with pytest.raises(ValueError):
        blocks.fit(observed(A=values))


def test_levels_are_those_of_the_tables():
    """Student's t; Dunnett (1964), two-sided, 5 treatments, 10 degrees of freedom; Tukey's range of 3, 4: 5.04."""
    assert blocks.level(2, (3,), True, 0.05) == pytest.approx(0.05, abs=0.006)
    assert t_quantile(1 - blocks.level(6, (3,), True, 0.05) / 2, 10) == pytest.approx(2.99, abs=0.1)
    assert t_quantile(1 - blocks.level(3, (3,), False, 0.05) / 2, 4) * math.sqrt(2) == pytest.approx(5.04, rel=0.05)
    assert blocks.level(2, blocks.looks(6), True, 0.05) < blocks.level(2, (6,), True, 0.05)


def raced(question: Question, most_rounds: int = 6, within: float | None = None, **values: list[float]) -> Contest:
    rules = Rules(question, most_rounds, within)
    standing, turns = Contest(tuple(values), tuple(values)), []
    for number in range(1, most_rounds + 1):
        turns += [Observation(number, side, values[side][number - 1]) for side in standing.left]
        standing = blocks.advance(standing, turns, number, rules)
        if standing.ended:
            break
    return standing


SPEEDS = {"A": [100, 101, 99, 100, 101, 100], "B": [90.2, 90, 90.5, 90, 90, 90], "C": [80, 80.4, 80, 80.1, 80, 80],
          "D": [100.2, 100.8, 99.3, 100.1, 100.7, 100]}


def test_the_slow_ones_leave_the_race_and_what_is_left_is_called_equal():
    standing = raced(Question.BEST, **SPEEDS)
    assert standing.ended and set(standing.left) == {"A", "D"} and standing.out == {"B": 3, "C": 3}
    assert EQUAL in standing.verdicts.values()


def test_against_a_baseline_each_side_leaves_once_it_is_told_from_it():
    standing = raced(Question.BASELINE, **{"A": SPEEDS["B"], "B": SPEEDS["A"], "C": SPEEDS["C"]})
    assert standing.verdicts == {("A", "B"): FASTER, ("A", "C"): SLOWER} and standing.ended


def test_every_pair_is_told_where_that_is_asked():
    assert len(raced(Question.PAIRS, **SPEEDS).verdicts) == 6


def test_within_goes_on_until_intervals_are_narrow_though_all_is_told():
    standing = raced(Question.BASELINE, within=0.0001, **SPEEDS)
    assert not standing.ended and len(standing.left) == 4
    assert raced(Question.BASELINE, within=0.2, **SPEEDS).ended


def test_rounds_to_go_fall_with_the_gap():
    rules = Rules(Question.BEST, 21)
    to_go = {}
    for gap in (0.05, 0.2):
        turns = observed(A=[100, 102, 98], B=[100 * (1 - gap), 98 * (1 - gap), 103 * (1 - gap)])
        to_go[gap] = blocks.rounds_to_go(Contest(("A", "B"), ("A", "B")), turns, 3, rules)
    assert 1 <= to_go[0.2] < to_go[0.05]


def test_simulated_comparisons_err_seldom_and_end_early():
    """Fewer trials of benchmarks/comparison_simulation.py; its table is in docs/explanation/numbers.md."""
    equal = simulate(Setting(2, 0.05, 0.0, 0.1, most_rounds=6), 60)
    assert sum(one.wrong for one in equal) <= 7
    apart = simulate(Setting(6, 0.03, 0.1, 0.0), 20)
    assert median(one.rounds for one in apart) <= 5 and fmean(one.told for one in apart) > 0.9
    assert not any(one.wrong for one in apart) and fmean(one.covered for one in apart) > 0.8
