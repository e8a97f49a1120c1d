"""A testset's patterns of case names enter; of the cases there are, those that they choose leave."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from ..case.globs import matches, nearest_case
from ..errors import BadInput


@dataclass(frozen=True)
class CasesDocument:
    """One document: ``patterns`` of cases, and ``words`` of ctest.sh as if typed."""

    number: int
    patterns: Sequence[str]
    words: Sequence[str] = ()

    def select(self, names: Sequence[str], elsewhere: Sequence[str] = ()) -> list[str]:
        """The cases of ``names`` that the patterns choose; those ``elsewhere``, on other platforms, if none is here.

        Raises BadInput for a pattern that chooses none.
        """
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!/")]
        chosen = set(names)
        if wanted:
            chosen = {name for pattern in wanted for name in _matching(pattern, names, elsewhere)}
        for pattern in self.patterns:
            if pattern.startswith("!/"):
                chosen -= set(_matching(pattern[1:], names, elsewhere))
        if not chosen:
            raise BadInput("all its cases are excluded")
        return [name for name in dict.fromkeys((*names, *elsewhere)) if name in chosen]


def _matching(pattern: str, names: Sequence[str], elsewhere: Sequence[str]) -> list[str]:
    matching = _all_matching(pattern, names) or _all_matching(pattern, elsewhere)
    if not matching:
        raise BadInput(f"{pattern} is no case{nearest_case(pattern, [*names, *elsewhere])}; ./ctest.sh -N lists them")
    return matching


def _all_matching(pattern: str, names: Sequence[str]) -> list[str]:
    if is_regex(pattern):
        regex = regex_of(pattern)
        return [name for name in names if regex.search(name)]
    return [name for name in names if matches(pattern, name)]


def is_regex(pattern: str) -> bool:
    """Whether it is ``/.../``."""
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


def regex_of(pattern: str) -> re.Pattern[str]:
    """``/.../`` compiled. Raises BadInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a syntax that may once mean something else
            return re.compile(pattern[1:-1])
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"{pattern} is not a regular expression: {error}") from error
