"""--set: lists, ranges, filters, permutations, and what runs side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet50_bench.errors import BadInput
from resnet50_bench.hostside.set_values import points


def values(text: str) -> list[str]:
    return [point["A"] for point in points([f"A={text}"])]


@pytest.mark.parametrize(("text", "expected"), [
    ("1", "1"), ("1 2 4", "1 2 4"), ("x y", "x y"), ("", ""), ("/usr/lib", "/usr/lib"),
    ("1 3 5 ...11", "1 3 5 7 9 11"), ("1 3 5 ... 10", "1 3 5 7 9"), ("1 2 ...5", "1 2 3 4 5"),
    ("8 6 ...2", "8 6 4 2"), ("1 2 4 ...32", "1 2 4 8 16 32"), ("1 2 3 ...5", "1 2 3 4 5"),
    ("3 9 27 ...300", "3 9 27 81 243"), ("1 2 ...28 |7", "7 14 21 28"), ("1 2 ...28|7", "7 14 21 28"),
    ("1 2 ...32 32|", "1 2 4 8 16 32"), ("4 7 14 |7", "7 14"),
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
    assert len(points(["BATCH_SIZE=1 2/CUSTOMER_ENV=A=1 B=2"])) == 2


def test_loop_decides_how_many():
    assert [p["A"] for p in points(["A=1 2"], loop=5)] == ["1", "2", "1", "2", "1"]
    assert points(["A=1 2 3"], loop=1) == [{"A": "1"}]
    assert points([]) == [{}] and points([], loop=2) == [{}, {}]


@pytest.mark.parametrize(("option", "why"), [
    ("A", "is not NAME=VALUE"), ("1A=2", "is not NAME=VALUE"), ("A=1 ...9", "two numbers before"),
    ("A=x y ...9", "'x' is not a whole number"), ("A=1 2 ...x", "'x' is not a whole number"),
    ("A=2 2 ...9", "never reach"), ("A=1 2 ...0", "never reach"), ("A=1 2 ...99999", "more than 10000"),
    ("A=1 2 |7", "leaves no value"), ("A=1 2 |0", "is no filter"), ("A=x |7", "'x' is not a whole number"),
    ("A=1 2 ...1000/B=1 2 ...1000", "at most 10000"),
])
def test_what_is_refused_names_the_option(option, why):
    with pytest.raises(BadInput, match=why) as refused:
        points([option])
    assert option in str(refused.value)


@given(st.lists(st.text(st.sampled_from("AB=/ .|1279x-"), max_size=20), max_size=3),
       st.one_of(st.none(), st.integers(1, 5)))
def test_any_text_gives_points_or_a_refusal(options, loop):
    try:
        found = points(options, loop)
    except BadInput:
        return
    assert len(found) == loop if loop else found


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
