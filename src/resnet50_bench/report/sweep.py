"""Points that differ in batch size and cores enter; a heat map and curves of each precision leave as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from . import charts, figures
from .drawing import Gallery
from .figures import PANELS, SIGNS
from .markup import Html, el
from .points import Point, grids

#: A map of more columns has the whole width of the page.
_SIDE_BY_SIDE = 7


def section(found: Sequence[Point], gallery: Gallery) -> Html:
    """The section; empty where no two points lie on one curve."""
    panels = grids(found)
    if not panels:
        return Html("")
    left = len(panels) - PANELS
    return el("section", el("h2", "Batch size and cores"),
              el("p", "Each cell and mark is one point: the mean of its repeated runs, or its single run. "
                      f"{SIGNS}", class_="hint"),
              *(_panel(name, inside, gallery) for name, inside in panels[:PANELS]),
              el("p", f"{left} more of these are left out: name fewer folders to see them.") if left > 0 else "",
              id="sweep")


def _panel(name: str, inside: Sequence[Point], gallery: Gallery) -> Html:
    heat_map = figures.heat_map(name, inside)
    return el("div", el("h3", name),
              el("div", gallery.figure(f"heat-map {name}", charts.heat_map(heat_map)),
                 gallery.figure(f"curves {name}", charts.curves(figures.curves(name, inside))),
                 class_="pair" if len(heat_map.cores) <= _SIDE_BY_SIDE else None),
              class_="card")
