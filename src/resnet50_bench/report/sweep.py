"""Points that differ in batch size and cores enter; a heat map and curves of each precision leave as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from . import charts, figures
from .figures import PANELS, SIGNS, Cell, HeatMap
from .markup import Html, el, scroll
from .points import Point, grids


def section(found: Sequence[Point]) -> Html:
    """The section; empty where no two points lie on one curve."""
    panels = grids(found)
    if not panels:
        return Html("")
    left = len(panels) - PANELS
    return el("section", el("h2", "Batch size and cores"),
              el("p", "Each cell and mark is one point: the mean of its repeated runs, or its single run. "
                      f"{SIGNS}", class_="hint"),
              *(_panel(f"sweep{number}", name, inside) for number, (name, inside) in enumerate(panels[:PANELS])),
              el("p", f"{left} more of these are left out: name fewer folders to see them.") if left > 0 else "",
              id="sweep")


def _panel(ident: str, name: str, inside: Sequence[Point]) -> Html:
    return el("div", el("h3", name), el("div", _heat_map(figures.heat_map(name, inside)),
                                        charts.curves(ident, figures.curves(name, inside)), class_="pair"),
              class_="card")


def _heat_map(shown: HeatMap) -> Html:
    """A table whose cells are coloured: it is its own text alternative."""
    head = el("thead", el("tr", el("th", "Batch \\ cores", scope="col"),
                          *(el("th", str(count), scope="col") for count in shown.cores)))
    rows = [el("tr", el("th", str(batch), scope="row"),
               *(_cell(shown.cells.get((batch, count))) for count in shown.cores)) for batch in shown.batches]
    return scroll(shown.title, el("table", el("caption", shown.caption), head, el("tbody", *rows), class_="heat"))


def _cell(cell: Cell | None) -> Html:
    if cell is None:
        return el("td", "–", class_="none")
    return el("td", cell.text, class_=f"h{cell.level}", title=cell.source)
