"""Points that differ in batch size and cores: a heat map and curves of each precision."""

from __future__ import annotations

from collections.abc import Sequence

from ...spelling import plural
from ..chart import LETTERS, WIDTH, Chart, Mark, Spec, frame, low_to_high, over_powers_of_two
from ..drawing import Gallery
from ..markup import Html, el, short
from ..palette import STEPS, Palette
from ..points import Point, grids, leader
from . import Results, Section, left_out

#: So many maps are drawn; one of more columns than _SIDE_BY_SIDE has the whole width of the page.
_PANELS, _SIDE_BY_SIDE = 24, 7
_CELL_WIDTH, _CELL_HEIGHT = 58, 28
_SIGNS = "The star is the best value of the map, ≈ a noisy one."


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    panels = grids(results.points)
    left = len(panels) - _PANELS
    return [*(el("div", el("h3", name),
                 el("div", gallery.figure(f"heat-map {name}", _heat_map(name, points)),
                    gallery.figure(f"curves {name}", _curves(name, points)),
                    class_="pair" if len({point.cores for point in points}) <= _SIDE_BY_SIDE else None),
                 class_="card") for name, points in panels[:_PANELS]),
            left_out(left, f"{left} more of these are")] if panels else []


def _curves(name: str, points: Sequence[Point]) -> Chart:
    """Over batch sizes with a line for each number of cores; over cores where there is one batch size."""
    kpi = points[0].kpi
    by_batch = len({point.batch for point in points}) > 1
    lines: dict[int, list[Mark]] = {}
    for point in sorted(points, key=lambda point: (point.cores, point.batch)):
        x, group = (point.batch, point.cores) if by_batch else (point.cores, point.batch)
        lines.setdefault(group, []).append(Mark(x, point.value, point.low, point.high))
    names = {group: f"{plural(group, 'core')} per instance" if by_batch else f"batch {group}"
             for group in sorted(lines)}
    return over_powers_of_two(f"{kpi.name} of {name}", "batch size" if by_batch else "cores per instance",
                                     f"{kpi.name} ({kpi.unit})", {names[group]: lines[group] for group in names})


def _heat_map(name: str, points: Sequence[Point]) -> Chart:
    """Batch sizes down, cores per instance across; every point's value and interval are in the table."""
    kpi, winner = points[0].kpi, leader(points)
    by_place = {(point.batch, point.cores): point for point in points}
    texts = {place: f"{short(point.value)}{' ★' if point is winner else ''}{' ≈' if point.noisy else ''}"
             for place, point in sorted(by_place.items())}
    rows = []
    for place, text in texts.items():
        point = by_place[place]
        source = f"{low_to_high(point.low, point.high)}, " if point.low is not None else ""
        rows.append((*map(str, place), text, source + point.source))
    caption = f"{kpi.name} ({kpi.unit}): batch size down, cores per instance across"
    return Chart(f"Heat map of {name}", f"{caption}. {_SIGNS}",
                 f"{caption}; best {texts[winner.batch, winner.cores]} at batch size {winner.batch} and {winner.cores} "
                 "cores.", lambda colours: _cells(colours, by_place, texts),
                 ("Batch size", "Cores", "Value", "Interval"), rows)


def _cells(colours: Palette, by_place: dict[tuple[int, int], Point], texts: dict[tuple[int, int], str]) -> Spec:
    """The cells of a heat map, coloured from worst to best, with numbers. A place without a run has a dash."""
    low, high = min(point.value for point in by_place.values()), max(point.value for point in by_place.values())

    def level(point: Point) -> int:
        share = (point.value - low) / (high - low) if high > low else 1.0
        return round((share if point.kpi.sign > 0 else 1 - share) * (STEPS - 1))

    batches, cores = sorted({batch for batch, _ in by_place}), sorted({cores for _, cores in by_place})
    values = [{"batch": str(place[0]), "cores": str(place[1]), "text": texts.get(place, "–"),
               "level": level(by_place[place]) if place in by_place else -1}
              for place in ((batch, count) for batch in batches for count in cores)]
    axis = {"domain": False, "ticks": False, "labelAngle": 0, "labelPadding": 5, "grid": False}
    place = {"x": {"field": "cores", "type": "ordinal", "sort": None, "title": "cores per instance", "axis": axis,
                   "scale": {"domain": list(map(str, cores)), "padding": 0}},
             "y": {"field": "batch", "type": "ordinal", "sort": None, "title": "batch size", "axis": axis,
                   "scale": {"domain": list(map(str, batches)), "padding": 0}}}
    fill = {"field": "level", "type": "ordinal", "legend": None,
            "scale": {"domain": list(range(STEPS)), "range": [colours[f"h{i}"] for i in range(STEPS)]}}
    # The four lightest colours have dark letters.
    ink = {"condition": [{"test": "datum.level < 0", "value": colours["quiet"]},
                         {"test": "datum.level < 4", "value": colours["low-ink"]}], "value": colours["high-ink"]}
    return frame(colours, [
        {"mark": {"type": "rect", "stroke": colours["card"], "strokeWidth": 2},
         "transform": [{"filter": "datum.level >= 0"}], "encoding": {**place, "color": fill}},
        {"mark": {"type": "text", "fontSize": LETTERS, "fontWeight": "bold"},
         "encoding": {**place, "text": {"field": "text"}, "color": ink}}],
        width=max(WIDTH, 60 + _CELL_WIDTH * len(cores)), height=50 + _CELL_HEIGHT * len(batches),
        data={"values": values})


SECTION = Section(50, "sweep", "Batch and cores", _inside, "Batch size and cores",
                  f"Each cell and mark is one point: the mean of its repeated runs, or its single run. {_SIGNS}")
