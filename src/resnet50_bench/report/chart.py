"""A chart: its Vega-Lite specification, its words and its numbers; and the parts of a specification that charts share.

A chart is 360 units wide, about a phone's width, so that its letters stay legible there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .markup import short
from .palette import Palette

WIDTH, HEIGHT, LETTERS = 360, 220, 11
#: Six digits that count; Vega's own choice fits its own ticks only.
_NUMBER = "format(datum.value, '.6~r')"
#: Vega-Lite's JSON, whose shape its own schema says.
Spec = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """``spec`` makes the Vega-Lite specification with a palette.

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
    """The whole specification: ``layers`` in the report's style; ``shared`` is the data and encoding of all layers."""
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
    """``text`` without what no picture can show."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def low_to_high(low: float | None, high: float | None) -> str:
    """An interval in words; a dash where there is none."""
    return "–" if low is None or high is None else f"{short(low)} to {short(high)}"
