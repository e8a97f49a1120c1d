"""Glob patterns of case names, used in files of settings and references: match them, and refuse mistyped ones."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from .. import WORKLOAD
from ..spelling import nearest
from .case import every_option


def matches(glob: str, option: str) -> bool:
    """Whether ``glob`` matches a case name: ``option``, ``<workload>_<option>`` or ``test_<workload>_<option>``."""
    option = option.removeprefix("test_").removeprefix(f"{WORKLOAD}_")
    return any(fnmatch.fnmatchcase(name, glob) for name in (option, f"{WORKLOAD}_{option}", _full(option)))


def refusal(glob: str) -> str:
    """The error for a glob that matches no case of any platform, with the nearest word, or "" if it matches."""
    options = every_option()
    if any(matches(glob, option) for option in options):
        return ""
    names = list(map(_full, options))
    return (f"{glob!r} matches no case of any platform{nearest_case(glob, names)}; ./ctest.sh -N lists this one's, "
            "-N --platform=SPR another's")


def _full(option: str) -> str:
    return f"test_{WORKLOAD}_{option}"


def nearest_case(text: str, names: Sequence[str]) -> str:
    """A suggestion for an error: the nearest case, or the likely meaning of the expression's first unknown part."""
    if whole := nearest(text, names):
        return whole
    known = {part for name in names for part in name.split("_")}
    strange = [part for part in re.split("[^a-zA-Z0-9]+", text) if part and not any(part in word for word in known)]
    return nearest(strange[0], known) if strange else ""
