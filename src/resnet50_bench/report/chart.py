"""A chart: its Vega-Lite specification, words and numbers; the parts that charts share; and charts of lines.

A chart is 360 units wide, about a phone's width, so that its letters stay legible there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..spelling import plural
from .markup import short
from .palette import COLOURS, Palette

WIDTH, HEIGHT, LETTERS = 360, 220, 11
#: Six digits that count; Vega's own choice fits its own ticks only.
_NUMBER = "format(datum.value, '.6~r')"
_LONGEST_LABEL = 26
_SHAPES = ("circle", "square", "triangle-up", "diamond")
_DASHES = ([1, 0], [5, 3])
#: Vega-Lite's JSON, whose shape its own schema says.
Spec = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One chart of the report. ``spec`` makes the Vega-Lite specification with a palette.

    ``description`` is for readers who do not see the chart. ``columns`` and ``rows`` are the same numbers as a table;
    a row begins with its header.
    """

    title: str
    caption: str
    description: str
    spec: Callable[[Palette], Spec]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def frame(colours: Palette, layers: Sequence[Spec], width: int = WIDTH, height: int = HEIGHT, **shared: Spec) -> Spec:
    """Return the whole specification: ``layers`` in the report's style. ``shared``: data and encoding of all layers."""
    letters = {"labelFontSize": LETTERS, "titleFontSize": LETTERS, "labelColor": colours["text"],
               "titleColor": colours["text"], "titleFontWeight": "normal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": width, "height": height, "padding": 3,
        "autosize": {"type": "fit", "contains": "padding"}, "background": None, "layer": list(layers), **shared,
        "config": {
            "aria": False, "font": "sans-serif", "view": {"stroke": None},
            "axis": {**letters, "gridColor": colours["grid"], "tickColor": colours["border"], "domain": False},
            "legend": {**letters, "orient": "top", "title": None, "labelLimit": 330, "symbolSize": 60,
                       "symbolOpacity": 1, "symbolStrokeWidth": 0, "columnPadding": 14, "offset": 6},
            "title": {"anchor": "start", "color": colours["text"], "subtitleColor": colours["quiet"], "fontSize": 12,
                      "subtitleFontSize": 10.5, "frame": "group", "offset": 8}}}


def axis(field: str, title: str, ends: Sequence[float], scale: Spec | None = None, **options: object) -> Spec:
    """A quantitative encoding of ``field`` from end to end; ``options`` are those of the axis."""
    return {"field": field, "type": "quantitative", "title": title, "axis": {"labelExpr": _NUMBER} | options,
            "scale": {"domain": list(ends), "nice": False, "zero": False} | (scale or {})}


def look(field: str, domain: Sequence[object], looks: Sequence[object], legend: Spec | None = None) -> Spec:
    """A nominal encoding: each value of ``domain`` has its colour, shape or dash of ``looks``."""
    return {"field": field, "type": "nominal", "legend": legend,
            "scale": {"domain": list(domain), "range": list(looks)}}


def around(values: Sequence[float]) -> list[float]:
    """The ends of an axis that need not begin at zero: at least 5 % to either side, so that noise looks like noise."""
    low, high = min(values), max(values)
    margin = max(0.08 * (high - low), 0.05 * high - (high - low) / 2, 1e-9)
    return [max(0.0, low - margin), high + margin]


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers from ``low`` to ``high``, about as many as ``wanted``."""
    span = (high - low) / wanted
    if not math.isfinite(span) or span <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(span))
    step = next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= span), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def plain(text: str) -> str:
    """Remove the characters that a picture cannot show from ``text``."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def low_to_high(low: float | None, high: float | None) -> str:
    """An interval in words; a dash where there is none."""
    return "–" if low is None or high is None else f"{short(low)} to {short(high)}"


@dataclass(frozen=True)
class Mark:
    """A point of a line in a chart; ``low`` and ``high`` are its interval."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


Lines = Mapping[str, Sequence[Mark]]


def over_powers_of_two(title: str, x_name: str, y_name: str, lines: Lines) -> Chart:
    """Batch sizes or cores to the right, on a logarithmic axis; values begin at zero."""
    marks = [mark for line in lines.values() for mark in line]
    places = sorted({mark.x for mark in marks})
    top = max(max(mark.y, mark.high or 0) for mark in marks) * 1.04 or 1.0
    ticks: list[float] = []
    for place in places:  # labels closer than this run into each other
        if not ticks or place >= 1.25 * ticks[-1]:
            ticks.append(place)
    x = axis("x", x_name, [places[0] / 1.12, places[-1] * 1.12], {"type": "log", "base": 2}, grid=False,
             labelFlush=False, values=ticks)
    return _of_lines(title, x, y_name, [0, top], lines)


def _of_lines(title: str, x: Spec, y_name: str, ends: Sequence[float], lines: Lines) -> Chart:
    best = max((mark for line in lines.values() for mark in line), key=lambda mark: mark.y)
    rows = [(name, f"{mark.x:g}", short(mark.y), low_to_high(mark.low, mark.high))
            for name, line in lines.items() for mark in line]
    return Chart(title, title,
                 f"{plural(len(lines), 'line')} over {x['title']}; highest {short(best.y)} at {best.x:g}.",
                 lambda colours: _spec(colours, x, y_name, ends, lines),
                 ("Line", x["title"], y_name, "95 % interval"), rows)


def _spec(colours: Palette, x: Spec, y_name: str, ends: Sequence[float], lines: Lines) -> Spec:
    """Intervals, lines and marks above each other, with a legend of shapes and colours."""
    names = [plain(name) for name in lines]
    count, columns = len(names), 1 if max(map(len, names)) > _LONGEST_LABEL else 2
    dash = look("line", names, [_DASHES[i // COLOURS % 2] for i in range(count)])
    shape = look("line", names, [_SHAPES[i % 4] for i in range(count)], {"columns": columns})
    colour = look("line", names, [colours[f"c{i % COLOURS}"] for i in range(count)], {"columns": columns})

    def y(field: str) -> Spec:
        return axis(field, y_name, ends, values=nice_ticks(ends[0], ends[1]))

    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.75},
         "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
         "encoding": {"y": y("low"), "y2": {"field": "high"}}},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"y": y("y"), "strokeDash": dash}},
        {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 48},
         "encoding": {"y": y("y"), "shape": shape}}]
    values = [{"x": mark.x, "y": mark.y, "low": mark.low, "high": mark.high, "line": name}
              for name, line in zip(names, lines.values(), strict=True) for mark in line]
    return frame(colours, layers, height=HEIGHT - 10 + 17 * math.ceil(count / columns), data={"values": values},
                 encoding={"x": x, "color": colour})
