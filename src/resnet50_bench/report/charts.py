"""A figure's data enters, inline SVG with a title, a description and the same numbers as a table leaves.

Colours are CSS's. A chart is drawn 360 units wide, about a phone's width, so that its letters stay legible there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .figures import COLOURS, NODE_COUNT, STEP_COUNT, Curves, Histogram, Mark
from .markup import Html, el, fold, join, plural, short, table

WIDTH, HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 12, 38
_PERCENTILE_ROWS = 34


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers from ``low`` to ``high``, about as many as ``wanted``."""
    span = (high - low) / wanted
    if not math.isfinite(span) or span <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(span))
    step = next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= span), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _figure(ident: str, title: str, description: str, drawn: Sequence[Html], caption: object, data: Html) -> Html:
    svg = el("svg", el("title", title, id=f"{ident}-t"), el("desc", description, id=f"{ident}-d"), *drawn,
             viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_labelledby=f"{ident}-t {ident}-d")
    return el("figure", el("figcaption", caption), svg, fold("The numbers", data, class_="numbers"))


def _text(x: float, y: float, words: object, anchor: str = "middle", **attributes: object) -> Html:
    return el("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, **attributes)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return el("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_)


def _y_axis(top: float, place: Callable[[float], float], unit: str) -> list[Html]:
    drawn = []
    for tick in nice_ticks(0, top):
        if unit in (STEP_COUNT, NODE_COUNT) and tick % 1:
            continue
        drawn += [_line(_LEFT, place(tick), WIDTH - _RIGHT, place(tick), "grid"),
                  _text(_LEFT - 5, place(tick) + 3.5, f"{tick:g}", "end")]
    middle = (HEIGHT - _BOTTOM) / 2
    return [*drawn, _text(10, middle, unit, transform=f"rotate(-90 10 {middle:.1f})")]


def _x_title(words: str) -> Html:
    return _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 5, words)


def histogram(ident: str, shown: Histogram) -> Html:
    """Bars from the shortest step on, with the percentiles above them."""
    low, width, counts = shown.low, shown.high - shown.low, shown.counts
    top, base = _TOP + _PERCENTILE_ROWS, HEIGHT - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + (value - low) / width * (WIDTH - _LEFT - _RIGHT)

    def y(count: float) -> float:
        return base - count / max(counts) * (base - top)

    bins = len(counts)
    bar = (WIDTH - _LEFT - _RIGHT) / bins
    drawn = _y_axis(max(counts), y, shown.y_name)
    drawn += [el("rect", x=f"{_LEFT + i * bar + 0.3:.2f}", y=f"{y(count):.1f}", width=f"{bar - 0.6:.2f}",
                 height=f"{base - y(count):.1f}", class_="bar") for i, count in enumerate(counts) if count]
    drawn += [_text(x(tick), base + 14, short(tick) if tick % 1 else f"{tick:.0f}")
              for tick in nice_ticks(low, shown.high)]
    for row, (label, value) in enumerate(shown.marks.items()):
        if value <= shown.high:
            near_right = x(value) > WIDTH - 90
            drawn += [_line(x(value), 4 + 13 * row, x(value), base, "mark"),
                      _text(x(value) + (-4 if near_right else 4), 13 + 13 * row, f"{label} {short(value)}",
                            "end" if near_right else "start", class_="strong")]
    drawn.append(_x_title(shown.x_name))
    rows = [(f"{short(low + i * width / bins)} to {short(low + (i + 1) * width / bins)}", count)
            for i, count in enumerate(counts)]
    rows += [(f"above {short(shown.high)}", shown.beyond)] if shown.beyond else []
    words = ", ".join(f"{label} {short(value)} {shown.unit}" for label, value in shown.marks.items())
    return _figure(ident, shown.title, f"{shown.caption}. {words or 'too few steps for percentiles'}.", drawn,
                   shown.caption, table(shown.title, (shown.x_name, shown.y_name), rows, "small"))


def curves(ident: str, shown: Curves) -> Html:
    """A line for each series over powers of two, from zero, with intervals, and a legend of shapes and colours."""
    title, x_name, y_name, series = shown.title, shown.x_name, shown.y_name, shown.series
    everything = [mark for _, marks in series for mark in marks]
    top = max(max(mark.y, mark.high or 0) for mark in everything) * 1.04 or 1.0
    wanted = sorted({mark.x for mark in everything})
    first, last = math.log2(wanted[0]), math.log2(wanted[-1])
    base = HEIGHT - _BOTTOM

    def x(value: float) -> float:
        share = (math.log2(value) - first) / (last - first) if last > first else 0.5
        return _LEFT + 10 + share * (WIDTH - _LEFT - _RIGHT - 20)

    def y(value: float) -> float:
        return base - value / top * (base - _TOP)

    drawn = _y_axis(top, y, y_name)
    taken = -math.inf
    for value in wanted:
        if x(value) - taken > 24:
            drawn.append(_text(x(value), base + 14, f"{value:g}"))
            taken = x(value)
    for number, (_, marks) in enumerate(series):
        drawn.append(_series(number, [(x(mark.x), mark) for mark in sorted(marks, key=lambda mark: mark.x)], y))
    drawn.append(_x_title(x_name))
    legend = el("ul", *(el("li", el("svg", _shape(number, 7, 7), class_=f"key c{number % COLOURS}",
                                    viewBox="0 0 14 14", aria_hidden="true"), name)
                        for number, (name, _) in enumerate(series)), class_="legend")
    best = max(everything, key=lambda mark: mark.y)
    rows = [(name, f"{mark.x:g}", short(mark.y), f"{short(mark.low)} to {short(mark.high)}" if mark.low is not None
             else "–") for name, marks in series for mark in marks]
    return _figure(ident, title, f"{plural(len(series), 'line')} over {x_name}; highest {short(best.y)} at {best.x:g}.",
                   drawn, join((title, legend)),
                   table(title, ("Line", x_name, y_name, "95 % interval"), rows, "small"))


def _series(number: int, places: Sequence[tuple[float, Mark]], y: Callable[[float], float]) -> Html:
    path = " ".join(f"{x:.1f},{y(mark.y):.1f}" for x, mark in places)
    bars = [_line(x, y(mark.low), x, y(mark.high), "interval") for x, mark in places
            if mark.low is not None and mark.high is not None]
    return el("g", *bars, el("polyline", points=path), *(_shape(number, x, y(mark.y)) for x, mark in places),
              class_=f"line c{number % COLOURS}")


def _shape(number: int, x: float, y: float) -> Html:
    """A circle, square, triangle or diamond: colour is not the only thing that tells lines apart."""
    kind = number % 4
    if kind == 0:
        return el("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4")
    corners = {1: ((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)), 2: ((0, -4.8), (4.6, 3.6), (-4.6, 3.6)),
               3: ((0, -5), (5, 0), (0, 5), (-5, 0))}[kind]
    outline = " ".join(f"{'L' if i else 'M'}{x + dx:.1f} {y + dy:.1f}" for i, (dx, dy) in enumerate(corners))
    return el("path", d=f"{outline}Z")
