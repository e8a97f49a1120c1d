"""A figure's data and a palette enter, a Vega-Lite specification leaves as plain data.

A chart is 360 units wide, about a phone's width, so that its letters stay legible there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .figures import NODE_COUNT, RATE, STEP_COUNT, Curves, HeatMap, Histogram, Instance, Ratio, Timeline
from .markup import short
from .palette import COLOURS, STEPS, Palette

WIDTH, HEIGHT = 360, 220
_LETTERS = 11
_CELL_WIDTH, _CELL_HEIGHT, _LONGEST_LABEL = 58, 28, 26
_SHAPES = ("circle", "square", "triangle-up", "diamond")
_DASHES = ([1, 0], [5, 3])
#: Six digits that count; Vega's own choice fits its own ticks only.
_NUMBER = "format(datum.value, '.6~r')"
#: Vega-Lite's JSON, whose shape its own schema says.
Spec = dict[str, Any]


def plain(text: str) -> str:
    """``text`` without what no picture can show."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers from ``low`` to ``high``, about as many as ``wanted``."""
    span = (high - low) / wanted
    if not math.isfinite(span) or span <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(span))
    step = next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= span), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def histogram(shown: Histogram, colours: Palette) -> Spec:
    """Bars from the shortest step on, with the percentiles above them."""
    width, most = (shown.high - shown.low) / len(shown.counts), max(shown.counts)
    bars = [{"from": shown.low + i * width, "to": shown.low + (i + 1) * width, "count": count}
            for i, count in enumerate(shown.counts) if count]
    marks = [{"x": value, "y": (1.45 - 0.14 * row) * most, "words": f"{label} {short(value)}",
              "right": value > shown.low + 0.7 * (shown.high - shown.low)}
             for row, (label, value) in enumerate(shown.marks.items()) if value <= shown.high]
    ticks = [tick for tick in nice_ticks(0, most) if shown.y_name not in (STEP_COUNT, NODE_COUNT) or tick % 1 == 0]
    x = _axis("from", shown.x_name, [shown.low, shown.high], grid=False, tickCount=5)
    y = _axis("count", shown.y_name, [0, 1.5 * most if marks else 1.05 * most], values=ticks)
    label = {"type": "text", "baseline": "top", "dx": {"expr": "datum.right ? -4 : 4"},
             "align": {"expr": "datum.right ? 'right' : 'left'"}, "fontSize": _LETTERS, "fontWeight": "bold"}
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"},
             "text": {"field": "words"}}
    return _spec(colours, [
        {"data": {"values": bars}, "mark": {"type": "bar", "color": colours["c0"], "binSpacing": 0.6},
         "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0}}},
        {"data": {"values": marks}, "encoding": place, "layer": [
            {"mark": {"type": "rule", "color": colours["text"], "strokeDash": [3, 3]},
             "encoding": {"y2": {"datum": 0}}},
            {"mark": {**label, "color": colours["card"], "stroke": colours["card"], "strokeWidth": 3,
                      "strokeJoin": "round"}},
            {"mark": {**label, "color": colours["text"]}}]}])


def curves(shown: Curves, colours: Palette) -> Spec:
    """A line for each series, from zero where it says so, with intervals, and a legend of shapes and colours."""
    everything = [mark for _, marks in shown.series for mark in marks]
    wanted = sorted({mark.x for mark in everything})
    names = [plain(name) for name, _ in shown.series]
    values = [{"x": mark.x, "y": mark.y, "low": mark.low, "high": mark.high, "line": name}
              for name, (_, marks) in zip(names, shown.series, strict=True) for mark in marks]
    top = max(max(mark.y, mark.high or 0) for mark in everything) * 1.04 or 1.0
    ends = [0, top] if shown.from_zero else _around([value for mark in everything for value in
                                                     (mark.y, mark.low, mark.high) if value is not None])
    margin = 1.12 if shown.doubling else 0.4
    x = _axis("x", shown.x_name, [wanted[0] / margin, wanted[-1] * margin] if shown.doubling
              else [wanted[0] - margin, wanted[-1] + margin], grid=False, labelFlush=False,
              values=list(_apart(wanted)) if shown.doubling else [tick for tick in nice_ticks(wanted[0], wanted[-1], 8)
                                                                  if tick % 1 == 0])
    if shown.doubling:
        x["scale"] |= {"type": "log", "base": 2}
    legend = {"columns": 1 if max(map(len, names)) > _LONGEST_LABEL else 2}
    colour = {"field": "line", "type": "nominal", "legend": legend,
              "scale": {"domain": names, "range": [colours[f"c{i % COLOURS}"] for i in range(len(names))]}}
    shape = {**colour, "scale": {"domain": names, "range": [_SHAPES[i % 4] for i in range(len(names))]}}
    dash = {**colour, "legend": None,
            "scale": {"domain": names, "range": [_DASHES[i // COLOURS % 2] for i in range(len(names))]}}
    spec = _spec(colours, [
        {"mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.75},
         "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
         "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}},
        {"mark": {"type": "line", "strokeWidth": 2},
         "encoding": {"y": {"field": "y", "type": "quantitative"}, "strokeDash": dash}},
        {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 48},
         "encoding": {"y": {"field": "y", "type": "quantitative"}, "shape": shape}}],
        height=HEIGHT - 10 + 17 * math.ceil(len(names) / legend["columns"]))
    for layer in spec["layer"]:
        layer["encoding"]["y"] |= _axis("", shown.y_name, ends, values=nice_ticks(ends[0], ends[1])) | {
            "field": layer["encoding"]["y"]["field"]}
    return spec | {"data": {"values": values}, "encoding": {"x": x, "color": colour}}


def heat_map(shown: HeatMap, colours: Palette) -> Spec:
    """Cells from the worst to the best colour, each with its number."""
    values = [{"batch": str(batch), "cores": str(cores), "text": cell.text if cell else "–",
               "level": cell.level if cell else -1}
              for batch in shown.batches for cores in shown.cores for cell in [shown.cells.get((batch, cores))]]
    axis = {"domain": False, "ticks": False, "labelAngle": 0, "labelPadding": 5, "grid": False}
    place = {"x": {"field": "cores", "type": "ordinal", "sort": None, "title": "cores per instance", "axis": axis,
                   "scale": {"domain": [str(each) for each in shown.cores], "padding": 0}},
             "y": {"field": "batch", "type": "ordinal", "sort": None, "title": "batch size", "axis": axis,
                   "scale": {"domain": [str(each) for each in shown.batches], "padding": 0}}}
    level = {"field": "level", "type": "ordinal", "legend": None,
             "scale": {"domain": list(range(STEPS)), "range": [colours[f"h{i}"] for i in range(STEPS)]}}
    # The four lightest colours have dark letters.
    ink = {"condition": [{"test": "datum.level < 0", "value": colours["quiet"]},
                         {"test": "datum.level < 4", "value": colours["low-ink"]}], "value": colours["high-ink"]}
    return _spec(colours, [
        {"mark": {"type": "rect", "stroke": colours["card"], "strokeWidth": 2},
         "transform": [{"filter": "datum.level >= 0"}], "encoding": {**place, "color": level}},
        {"mark": {"type": "text", "fontSize": _LETTERS, "fontWeight": "bold"},
         "encoding": {**place, "text": {"field": "text"}, "color": ink}}],
        width=max(WIDTH, 60 + _CELL_WIDTH * len(shown.cores)), height=50 + _CELL_HEIGHT * len(shown.batches),
        ) | {"data": {"values": values}}


def instances(known: Sequence[Instance], colours: Palette) -> Spec:
    """A bar for each instance, and the median; what is much below it is pointed at."""
    top = 1.1 * max(each.rate or 0 for each in known) or 1.0
    values = [{"index": each.index, "rate": each.rate, "colour": each.index % COLOURS, "slow": each.slow}
              for each in known]
    middle = next((each.rate / (1 + each.away) for each in known if each.rate and each.away is not None), None)
    x = {"field": "index", "type": "ordinal", "title": "instance",
         "axis": {"labelAngle": 0, "labelOverlap": True, "ticks": False, "grid": False}}
    y = _axis("rate", RATE, [0, top], values=nice_ticks(0, top))
    colour = {"field": "colour", "type": "nominal", "legend": None,
              "scale": {"domain": list(range(COLOURS)), "range": [colours[f"c{i}"] for i in range(COLOURS)]}}
    layers: list[Spec] = [
        {"data": {"values": values}, "mark": {"type": "bar"}, "encoding": {"x": x, "y": y, "color": colour}},
        {"data": {"values": [each for each in values if each["slow"]]},
         "mark": {"type": "text", "text": "▼", "dy": -8, "color": colours["bad"], "fontSize": 13},
         "encoding": {"x": x, "y": y}}]
    if middle:
        layers.append({"data": {"values": [{"rate": middle}]}, "encoding": {"y": y},
                       "mark": {"type": "rule", "color": colours["text"], "strokeDash": [4, 3]}})
    return _spec(colours, layers)


def timeline(shown: Timeline, colours: Palette) -> Spec:
    """A mark for each occasion in their order, with what earlier ones allow as a band, and versions where they change.

    The axis of values does not begin at zero: a change of some percent has to be seen.
    """
    values = [{"x": i, "y": each.value, "low": each.low, "high": each.high, "kind": each.kind,
               "least": each.limits[0] if each.limits else None, "most": each.limits[1] if each.limits else None}
              for i, each in enumerate(shown.occasions)]
    ends = _around([value for each in shown.occasions
                    for value in (each.value, each.low, each.high, *(each.limits or ()))])
    labels = [plain(each.label) for each in shown.occasions]
    changing = [i for i, label in enumerate(labels) if not i or label != labels[i - 1]]
    x = _axis("x", shown.x_name, [-0.5, len(labels) - 0.5], grid=False, values=changing, labelAngle=-35,
              labelAlign="right", labelOverlap="greedy", labelFlush=False,
              # A list of JSON texts: whatever a result holds, it stays text.
              labelExpr=f"{json.dumps(labels)}[datum.value]")
    kinds = shown.kinds
    colour = {"field": "kind", "type": "nominal", "legend": {"columns": 2}, "scale": {
        "domain": list(kinds), "range": [colours[colour] for colour, _ in kinds.values()]}}
    shape = {**colour, "scale": {"domain": list(kinds), "range": [shape for _, shape in kinds.values()]}}

    def y(field: str) -> Spec:
        return _axis(field, shown.y_name, ends, values=nice_ticks(ends[0], ends[1]))

    return _spec(colours, [
        {"mark": {"type": "area", "color": colours["grid"], "opacity": 0.8, "interpolate": "step"},
         "transform": [{"filter": "isValid(datum.least)"}], "encoding": {"y": y("least"), "y2": {"field": "most"}}},
        {"mark": {"type": "rule", "color": colours["c0"], "strokeWidth": 1.5, "opacity": 0.75},
         "encoding": {"y": y("low"), "y2": {"field": "high"}}},
        {"mark": {"type": "line", "color": colours["c0"], "strokeWidth": 1.5}, "encoding": {"y": y("y")}},
        {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 55},
         "encoding": {"y": y("y"), "color": colour, "shape": shape}}],
        height=HEIGHT + 30 + 17 * math.ceil(len(kinds) / 2)) | {"data": {"values": values}, "encoding": {"x": x}}


def ratios(shown: Sequence[Ratio], colours: Palette) -> Spec:
    """A line for each pair: by how much the later side differs, with its interval; 0 is no difference."""
    values = [{"pair": f"{each.b} to {each.a}", "change": each.change, "low": each.low, "high": each.high,
               "kind": each.kind} for each in shown]
    extent = 1.15 * max([0.5, *(abs(value) for each in shown for value in (each.change, each.low, each.high)
                                if value is not None)])
    x = _axis("change", "difference (%)", [-extent, extent], tickCount=6)
    y = {"field": "pair", "type": "ordinal", "sort": None, "title": None, "axis": {"ticks": False, "grid": False}}
    colour = {"field": "kind", "type": "nominal", "legend": None, "scale": {
        "domain": ["better", "worse", "none"], "range": [colours["good"], colours["bad"], colours["quiet"]]}}
    return _spec(colours, [
        {"data": {"values": [{"change": 0}]}, "mark": {"type": "rule", "color": colours["text"]}, "encoding": {"x": x}},
        {"data": {"values": values}, "mark": {"type": "rule", "strokeWidth": 3},
         "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}},
        {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 1, "size": 80,
                                              "shape": "diamond"},
         "encoding": {"x": x, "y": y, "color": colour}}], height=60 + 26 * len(shown))


def _apart(values: Iterable[float]) -> Iterator[float]:
    """Those whose labels on a logarithmic axis do not run into each other."""
    last = 0.0
    for value in values:
        if value >= 1.25 * last:
            yield value
            last = value


def _around(values: Sequence[float]) -> list[float]:
    """The ends of an axis that need not begin at zero: at least 5 % to either side, so that noise looks like noise."""
    low, high = min(values), max(values)
    margin = max(0.08 * (high - low), 0.05 * high - (high - low) / 2, 1e-9)
    return [max(0.0, low - margin), high + margin]


def _axis(field: str, title: str, ends: Sequence[float], **axis: object) -> Spec:
    """A quantitative encoding from end to end."""
    return {"field": field, "type": "quantitative", "title": title, "axis": {"labelExpr": _NUMBER} | axis,
            "scale": {"domain": list(ends), "nice": False, "zero": False}}


def _spec(colours: Palette, layers: Sequence[Spec], width: int = WIDTH, height: int = HEIGHT) -> Spec:
    letters = {"labelFontSize": _LETTERS, "titleFontSize": _LETTERS, "labelColor": colours["text"],
               "titleColor": colours["text"], "titleFontWeight": "normal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": width, "height": height, "padding": 3,
        "autosize": {"type": "fit", "contains": "padding"}, "background": None, "layer": list(layers),
        "config": {
            "aria": False, "font": "sans-serif", "view": {"stroke": None},
            "axis": {**letters, "gridColor": colours["grid"], "tickColor": colours["border"], "domain": False},
            "legend": {**letters, "orient": "top", "title": None, "labelLimit": 330, "symbolSize": 60,
                       "symbolOpacity": 1, "columnPadding": 14, "offset": 6},
            "title": {"anchor": "start", "color": colours["text"], "subtitleColor": colours["quiet"], "fontSize": 12,
                      "subtitleFontSize": 10.5, "frame": "group", "offset": 8}}}
