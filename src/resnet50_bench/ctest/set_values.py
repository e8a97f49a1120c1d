"""The texts of ``--set`` options -> the parameter texts of each iteration; WSF's meanings.

``A=1 2/B=x y`` permutes, several options run side by side, ``1 3 ...9`` is linear, ``1 2 4 ...32``
exponential, ``|7`` at the end keeps multiples of 7 and ``32|`` divisors of 32.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction

from ..errors import BadInput

MOST_POINTS = 10_000
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: The parameter whose value may contain spaces and is never a list.
_WHOLE = "CUSTOMER_ENV"


def points(options: Sequence[str], loop: int | None = None) -> list[dict[str, str]]:
    """Return one {name: text} for each iteration: ``loop`` iterations, else as many as the longest option has values.

    Values repeat if an option has too few. Raises BadInput with the option and its error.
    """
    columns = [_permutations(option) for option in options]
    count = loop if loop is not None else max((len(column) for column in columns), default=1)
    rows: list[dict[str, str]] = [{} for _ in range(count)]
    for column in columns:
        for row, texts in zip(rows, itertools.cycle(column), strict=False):
            row.update(texts)
    return rows


def _permutations(option: str) -> list[dict[str, str]]:
    """Every combination of the option's assignments, the last varying fastest."""
    names, lists = [], []
    for assignment in _assignments(option):
        name, equals, text = assignment.partition("=")
        if not equals or not re.fullmatch(_NAME, name.strip()):
            raise BadInput(f"--set {option!r}: {assignment!r} is not NAME=VALUE ...; NAME is of letters, digits, _")
        if name.strip() in names:
            raise BadInput(f"--set {option!r}: {name.strip()} is given twice: give it once, with its values "
                           "separated by spaces")
        names.append(name.strip())
        lists.append([text.strip()] if name.strip() == _WHOLE else _values(option, text))
    size = 1
    for values in lists:
        size *= len(values)
    if size > MOST_POINTS:
        raise BadInput(f"--set {option!r} gives {size} points; at most {MOST_POINTS} are allowed")
    return [dict(zip(names, row, strict=True)) for row in itertools.product(*lists)]


def _assignments(option: str) -> list[str]:
    """Split at each ``/`` that a ``NAME=`` follows; what follows ``CUSTOMER_ENV=`` is one value."""
    assignments = []
    rest = option
    while not rest.lstrip().startswith(f"{_WHOLE}="):
        border = re.search(rf"/\s*(?={_NAME}=)", rest)
        if not border:
            break
        assignments.append(rest[:border.start()])
        rest = rest[border.end():]
    return [*assignments, rest]


def _values(option: str, text: str) -> list[str]:
    """The texts of one assignment: its words, with a range expanded and a filter applied."""
    words = re.sub(r"\.\.\.\s+", "...", text).split()
    keep = ""
    if words and "|" in words[-1]:
        last, bar, factor = words[-1].partition("|")
        if last and factor:
            words[-1], keep = last, bar + factor
        else:
            keep = words.pop()
    values = [value for index, word in enumerate(words)
              for value in (_range(option, words[:index], word) if word.startswith("...") else [word])]
    if keep:
        values = _filtered(option, values, keep)
    return values or [""]


def _range(option: str, before: list[str], end_word: str) -> list[str]:
    """What follows the words ``before`` up to the end that ``...20`` names."""
    if len(before) < 2 or end_word == "...":
        raise BadInput(f"--set {option!r}: a range needs two numbers before '...' and its end after it, for example "
                       "1 3 ...9")
    numbers = [_whole_number(option, word) for word in before[-3:]]
    end = _whole_number(option, end_word.removeprefix("..."))
    step = numbers[-1] - numbers[-2]
    ratio = _ratio(option, numbers)
    if step == 0 or (end - numbers[-1]) * step < 0:
        raise BadInput(f"--set {option!r}: steps of {step} from {numbers[-1]} never reach {end}; "
                       "a range must go towards its end")
    values: list[str] = []
    value = Fraction(numbers[-1])
    while True:
        value = value * ratio if ratio else value + step
        if (value > end) if step > 0 else (value < end):
            return values
        if value.denominator != 1:
            raise BadInput(f"--set {option!r}: the range comes to {value} before {end}; only whole numbers are allowed")
        values.append(str(value))
        if len(values) > MOST_POINTS:
            raise BadInput(f"--set {option!r}: a range of more than {MOST_POINTS} values")


def _ratio(option: str, numbers: list[int]) -> Fraction | None:
    """c/b where three numbers a, b, c have c/b == b/a and are no linear range; None for a linear one."""
    if len(numbers) < 3 or 0 in numbers:
        return None
    first, second, third = numbers
    if second - first == third - second or first * third != second * second:
        return None
    if first * second < 0:  # the values would alternate around zero and never reach an end
        raise BadInput(f"--set {option!r}: a ratio of {third // second} changes sign; a positive ratio is allowed")
    return Fraction(third, second)


def _filtered(option: str, values: list[str], keep: str) -> list[str]:
    """Multiples of 7 for ``|7``, divisors of 32 for ``32|``."""
    factor = _whole_number(option, keep.strip("|"))
    if factor == 0 or keep.count("|") != 1:
        raise BadInput(f"--set {option!r}: {keep!r} is not a filter; use |7 for multiples of 7, or 32| for divisors "
                       "of 32")
    numbers = [_whole_number(option, value) for value in values]
    if keep.startswith("|"):
        left = [number for number in numbers if number % factor == 0]
    else:
        left = [number for number in numbers if number and factor % number == 0]
    if not left:
        raise BadInput(f"--set {option!r}: {keep!r} leaves no value")
    return [str(number) for number in left]


def _whole_number(option: str, word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        raise BadInput(f"--set {option!r}: {word!r} is not a whole number, which ranges and filters need")
    return int(word)
