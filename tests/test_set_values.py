"""--set: lists, ranges, filters, permutations, and what runs side by side."""

from __future__ import annotations

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet50_bench.ctest.set_values import points
from resnet50_bench.errors import BadInput


def values(text: str) -> list[str]:
    return [point["A"] for point in points([f"A={text}"])]


@pytest.mark.parametrize(("text", "expected"), [
    ("1", "1"), ("1 2 4", "1 2 4"), ("x y", "x y"), ("", ""), ("/usr/lib", "/usr/lib"),
    ("1 3 5 ...11", "1 3 5 7 9 11"), ("1 3 5 ... 10", "1 3 5 7 9"), ("1 2 ...5", "1 2 3 4 5"),
    ("8 6 ...2", "8 6 4 2"), ("1 2 4 ...32", "1 2 4 8 16 32"), ("1 2 3 ...5", "1 2 3 4 5"),
    ("3 9 27 ...300", "3 9 27 81 243"), ("1 2 ...28 |7", "7 14 21 28"), ("1 2 ...28|7", "7 14 21 28"),
    ("1 2 ...32 32|", "1 2 4 8 16 32"), ("4 7 14 |7", "7 14"),
    ("1 3 5 ...20", "1 3 5 7 9 11 13 15 17 19"), ("1 3 5 ... 19", "1 3 5 7 9 11 13 15 17 19"),
    ("1 2 3 ...32 |8", "8 16 24 32"), ("1 2 3 ...32|8", "8 16 24 32"), ("1 2 3 ...32 32|", "1 2 4 8 16 32"),
    ("1 2 ...8", "1 2 3 4 5 6 7 8"), ("32 16 8 ...2", "32 16 8 4 2"), ("8 4 2 ...1", "8 4 2 1"),
    ("-1 -2 -4 ...-16", "-1 -2 -4 -8 -16"), ("4 6 9 ...13", "4 6 9"), ("0 2 4 ...8", "0 2 4 6 8"),
    ("/x/y z/2B=3", "/x/y z/2B=3"),
])
def test_lists_ranges_and_filters(text, expected):
    assert " ".join(values(text)) == expected


def test_a_slash_permutes_and_options_run_side_by_side():
    assert points(["A=1 2/B=x y"]) == [
        {"A": "1", "B": "x"}, {"A": "1", "B": "y"}, {"A": "2", "B": "x"}, {"A": "2", "B": "y"}]
    assert points(["A=1 2 3", "B=x y"]) == [
        {"A": "1", "B": "x"}, {"A": "2", "B": "y"}, {"A": "3", "B": "x"}], "values repeat when too few"


def test_customer_env_is_one_value_with_spaces_and_slashes():
    assert points(["CUSTOMER_ENV=A=1 B=/x/C=2"]) == [{"CUSTOMER_ENV": "A=1 B=/x/C=2"}]
    assert points(["CUSTOMER_ENV=A=1 B=2"]) == [{"CUSTOMER_ENV": "A=1 B=2"}]
    assert points(["A=1 2/CUSTOMER_ENV=X=/usr/lib Y=1"]) == [
        {"A": "1", "CUSTOMER_ENV": "X=/usr/lib Y=1"}, {"A": "2", "CUSTOMER_ENV": "X=/usr/lib Y=1"}]


def test_the_later_option_wins():
    assert points(["A=1 2/B=x", "A=3"]) == [{"A": "3", "B": "x"}, {"A": "3", "B": "x"}]


def test_loop_decides_how_many():
    assert [p["A"] for p in points(["A=1 2"], loop=5)] == ["1", "2", "1", "2", "1"]
    assert points(["A=1 2 3"], loop=1) == [{"A": "1"}]
    assert points([]) == [{}] and points([], loop=2) == [{}, {}]


@pytest.mark.parametrize(("option", "why"), [
    ("A", "is not NAME=VALUE"), ("1A=2", "is not NAME=VALUE"), ("A=1 ...9", "two numbers before"),
    ("A=x y ...9", "'x' is not a whole number"), ("A=1 2 ...x", "'x' is not a whole number"),
    ("A=2 2 ...9", "never reach"), ("A=1 2 ...0", "never reach"), ("A=1 2 ...99999", "more than 10000"),
    ("A=1 2 4 ...2", "never reach"), ("A=32 16 8 ...64", "never reach"), ("A=0 0 0 ...5", "never reach"),
    ("A=1 -2 4 ...64", "changes sign"), ("A=1 -1 1 ...9", "changes sign"), ("A=4 6 9 ...20", "only whole numbers"),
    ("A=8 4 2 ...0", "only whole numbers"), ("A=1 2 ...", "its end after"), ("A=1.5 2 ...9", "not a whole number"),
    ("", "is not NAME=VALUE"), ("=1", "is not NAME=VALUE"), ("A=1 2 |1.5", "not a whole number"),
    ("A=1 2 0|", "is not a filter"), ("A=1 2 |x", "'x' is not a whole number"),
    ("A=1 2 |7", "leaves no value"), ("A=1 2 |0", "is not a filter"), ("A=x |7", "'x' is not a whole number"),
    ("A=1 2 ...1000/B=1 2 ...1000", "at most 10000"), ("A=1 2/B=x/A=3", "A is given twice"),
])
def test_what_is_refused_names_the_option(option, why):
    with pytest.raises(BadInput, match=why) as refused:
        points([option])
    assert option in str(refused.value)
    assert len(refused.value.violations) == 1 and "\n" not in str(refused.value)


@given(st.lists(st.text(st.sampled_from("AB=/ .|1279x-"), max_size=20), max_size=3),
       st.one_of(st.none(), st.integers(1, 5)))
def test_any_text_gives_points_or_a_refusal(options, loop):
    try:
        found = points(options, loop)
    except BadInput:
        return
    assert len(found) == loop if loop else found


# Not all of Unicode, whose tables alone take Hypothesis two seconds.
_ODD = st.text(st.sampled_from(string.printable + "\x00\x85é€漢\u2028\ud800😀"))


@given(_ODD | _ODD.map("A={}".format))
def test_no_text_at_all_breaks_it(option):
    try:
        assert points([option])
    except BadInput as refused:
        assert len(str(refused).splitlines()) == 1


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_permutation_is_the_cartesian_product(lists):
    option = "/".join(f"N{i}={' '.join(map(str, numbers))}" for i, numbers in enumerate(lists))
    assert [tuple(point.values()) for point in points([option])] == [
        tuple(map(str, row)) for row in itertools.product(*lists)]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=6), st.lists(st.integers(0, 99), min_size=1, max_size=6),
       st.none() | st.integers(1, 20))
def test_side_by_side_the_shorter_cycles(left, right, loop):
    found = points([f"A={' '.join(map(str, left))}", f"B={' '.join(map(str, right))}"], loop)
    assert found == [{"A": str(left[i % len(left)]), "B": str(right[i % len(right)])}
                     for i in range(loop or max(len(left), len(right)))]


@given(st.integers(1, 9), st.integers(2, 5), st.integers(2, 7))
def test_an_exponential_range_multiplies_up_and_divides_down(first, ratio, most):
    powers = [str(first * ratio ** i) for i in range(most + 1)]
    assert values(f"{' '.join(powers[:3])} ...{powers[-1]}") == powers
    down = powers[::-1]
    assert values(f"{' '.join(down[:3])} ...{down[-1]}") == down


@given(st.integers(0, 50), st.integers(1, 9), st.integers(0, 300))
def test_a_linear_range_is_pythons(first, step, more):
    end = first + step + more
    assert values(f"{first} {first + step} ...{end}") == [str(n) for n in range(first, end + 1, step)]


@given(st.integers(1, 60), st.integers(1, 60))
def test_filters_keep_exactly_multiples_and_divisors(end, factor):
    numbers = range(1, end + 3)
    multiples = [n for n in numbers if n % factor == 0]
    if multiples:
        assert values(f"1 2 ...{end + 2} |{factor}") == list(map(str, multiples))
    assert values(f"1 2 ...{end + 2} {factor}|") == [str(n) for n in numbers if factor % n == 0]
