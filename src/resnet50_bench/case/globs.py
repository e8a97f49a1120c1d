"""Patterns of cases' names, as files of settings and references have them: what one matches, and whether any case."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from .. import WORKLOAD
from ..spelling import nearest
from .case import every_option


def matches(glob: str, option: str) -> bool:
    """Whether ``glob`` names a case: ``option``, or that with the workload or ``test_`` and the workload before it."""
    option = option.removeprefix("test_").removeprefix(f"{WORKLOAD}_")
    return any(fnmatch.fnmatchcase(name, glob) for name in (option, f"{WORKLOAD}_{option}", _full(option)))


def refusal(glob: str) -> str:
    """Why a glob is mistyped, as it matches no case of any platform, and the nearest word; empty where it matches."""
    options = every_option()
    if any(matches(glob, option) for option in options):
        return ""
    names = list(map(_full, options))
    return (f"{glob!r} matches no case of any platform{nearest_case(glob, names)}; ./ctest.sh -N lists this one's, "
            "-N --platform=SPR another's")


def _full(option: str) -> str:
    return f"test_{WORKLOAD}_{option}"


def nearest_case(text: str, names: Sequence[str]) -> str:
    """The nearest case in words for a refusal, else what the first strange part of a glob or expression may mean."""
    if whole := nearest(text, names):
        return whole
    known = {part for name in names for part in name.split("_")}
    strange = [part for part in re.split("[^a-zA-Z0-9]+", text) if part and not any(part in word for word in known)]
    return nearest(strange[0], known) if strange else ""
