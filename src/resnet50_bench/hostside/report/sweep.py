"""Points that differ in batch size and cores enter; a heat map and curves of each precision leave as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from .charts import Mark, curves
from .markup import Html, el, join, scroll, short
from .points import Point, grids, is_better

#: Colours of the heat map, from the worst to the best.
STEPS = 7
_MOST = 24


def section(found: Sequence[Point]) -> Html:
    """The section; empty where no two points lie on one curve."""
    panels = grids(found)
    if not panels:
        return Html("")
    left = len(panels) - _MOST
    return el("section", el("h2", "Batch size and cores"),
              el("p", "Each cell and mark is one point: the mean of its repeated runs, or its single run. "
                      "★ is the best of the map, ≈ a noisy one.", class_="hint"),
              *(_panel(f"sweep{number}", name, inside) for number, (name, inside) in enumerate(panels[:_MOST])),
              el("p", f"{left} more of these are left out: name fewer folders to see them.") if left > 0 else "",
              id="sweep")


def _panel(ident: str, name: str, inside: Sequence[Point]) -> Html:
    kpi, unit = inside[0].kpi
    parts = [el("h3", name), el("div", _heat_map(name, inside),
                                _curves(ident, f"{kpi} of {name}", f"{kpi} ({unit})", inside), class_="pair")]
    return el("div", *parts, class_="card")


def _heat_map(name: str, inside: Sequence[Point]) -> Html:
    """A table whose cells are coloured: it is its own text alternative."""
    kpi, unit = inside[0].kpi
    batches = sorted({point.batch for point in inside})
    cores = sorted({point.cores for point in inside})
    at = {(point.batch, point.cores): point for point in inside}
    winner = inside[0]
    for point in inside:
        winner = point if is_better(point, winner) else winner
    head = el("thead", el("tr", el("th", "Batch \\ cores", scope="col"),
                          *(el("th", str(count), scope="col") for count in cores)))
    rows = [el("tr", el("th", str(batch), scope="row"),
               *(_cell(at.get((batch, count)), winner, inside) for count in cores)) for batch in batches]
    caption = f"{kpi} ({unit}): batch size down, cores per instance across"
    return scroll(f"Heat map of {name}", el("table", el("caption", caption), head, el("tbody", *rows), class_="heat"))


def _cell(point: Point | None, winner: Point, inside: Sequence[Point]) -> Html:
    if point is None:
        return el("td", "–", class_="none")
    low, high = min(each.value for each in inside), max(each.value for each in inside)
    share = (point.value - low) / (high - low) if high > low else 1.0
    if point.kpi[0] == "Latency":
        share = 1 - share
    interval = f"{short(point.low)} to {short(point.high)}, {point.source}" if point.low is not None else point.source
    return el("td", short(point.value), " ★" if point is winner else "", " ≈" if point.noisy else "",
              class_=f"h{round(share * (STEPS - 1))}", title=interval)


def _curves(ident: str, title: str, y_name: str, inside: Sequence[Point]) -> Html:
    """Over batch sizes with a line for each number of cores; over cores where there is one batch size."""
    by_batch = len({point.batch for point in inside}) > 1
    lines: dict[int, list[Mark]] = {}
    for point in sorted(inside, key=lambda point: (point.cores, point.batch)):
        x, group = (point.batch, point.cores) if by_batch else (point.cores, point.batch)
        lines.setdefault(group, []).append(Mark(x, point.value, point.low, point.high))
    series = [(f"{group} cores an instance" if by_batch and group > 1 else "1 core an instance" if by_batch
               else f"batch {group}", marks) for group, marks in sorted(lines.items())]
    return join([curves(ident, title, "batch size" if by_batch else "cores per instance", y_name, series)])
