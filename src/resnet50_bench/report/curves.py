"""A line for each series with its intervals: over powers of two from zero on, or over rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..spelling import plural
from .chart import HEIGHT, Chart, Spec, around, axis, frame, look, low_to_high, nice_ticks, plain
from .markup import short
from .palette import COLOURS, Palette

_LONGEST_LABEL = 26
_SHAPES = ("circle", "square", "triangle-up", "diamond")
_DASHES = ([1, 0], [5, 3])


@dataclass(frozen=True)
class Mark:
    """A point of a line; ``low`` and ``high`` are its interval."""

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
    x = axis("x", x_name, [places[0] / 1.12, places[-1] * 1.12], {"type": "log", "base": 2}, grid=False,
             labelFlush=False, values=list(_apart(places)))
    return _chart(title, x, y_name, [0, top], lines)


def over_rounds(title: str, y_name: str, lines: Lines) -> Chart:
    """Rounds to the right; values do not begin at zero: a change of some percent has to be seen."""
    marks = [mark for line in lines.values() for mark in line]
    first, last = min(mark.x for mark in marks), max(mark.x for mark in marks)
    x = axis("x", "round", [first - 0.4, last + 0.4], grid=False, labelFlush=False,
             values=[tick for tick in nice_ticks(first, last, 8) if tick % 1 == 0])
    values = [value for mark in marks for value in (mark.y, mark.low, mark.high) if value is not None]
    return _chart(title, x, y_name, around(values), lines)


def _chart(title: str, x: Spec, y_name: str, ends: Sequence[float], lines: Lines) -> Chart:
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


def _apart(values: Sequence[float]) -> Iterator[float]:
    """Those whose labels on a logarithmic axis do not run into each other."""
    last = 0.0
    for value in values:
        if value >= 1.25 * last:
            yield value
            last = value
