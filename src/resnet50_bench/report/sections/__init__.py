"""The sections of the page: each module of this folder has one as ``SECTION``.

A new one, such as a new chart, is one file: nothing else names it.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from ...history.collection import Entry
from ..drawing import Gallery
from ..markup import Html, el
from ..points import Point, points


@dataclass(frozen=True)
class Results:
    """The input of a section. A section adds a sentence to ``left_out`` for each thing that it cannot use."""

    entries: Sequence[Entry]
    left_out: list[str]

    @functools.cached_property
    def points(self) -> list[Point]:
        """The results as points: repeated runs of one configuration together."""
        return points(self.entries)


@dataclass(frozen=True)
class Section:
    """``inside`` makes what is below the heading, or nothing where the section has nothing to show.

    ``place`` orders the sections. The contents show the ``title``, and so does the section if it has no ``heading``.
    ``hint``: how to read what is inside.
    """

    place: int
    name: str
    title: str
    inside: Callable[[Results, Gallery], Sequence[Html]]
    heading: str = ""
    hint: str = ""

    def html(self, results: Results, gallery: Gallery) -> Html:
        """The section, empty if it has nothing to show."""
        parts = self.inside(results, gallery)
        hint = el("p", self.hint, class_="hint") if self.hint else ""
        return el("section", el("h2", self.heading or self.title), hint, *parts, id=self.name) if parts else Html("")


@functools.cache
def sections() -> Sequence[Section]:
    """All sections, in the order of the page."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return sorted((module.SECTION for module in modules), key=lambda section: section.place)


def left_out(count: int, what: str, **attributes: object) -> Html:
    """A line that ``count`` more are not shown, empty if all are."""
    return el("p", f"{what} left out: name fewer folders to see them.", **attributes) if count > 0 else Html("")
