"""Histograms, with marks such as percentiles above the bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from ..result.stats import percentile
from ..spelling import plural
from .chart import LETTERS, Chart, Spec, axis, frame, nice_ticks
from .markup import short
from .palette import Palette

_BINS = (8, 40)


def of_steps(name: str, times_ms: Sequence[float]) -> Chart:
    """A histogram of step times in ms, with percentiles. The caption counts the few longest steps.

    A single step of ten times the median must not squeeze all others into one bar.
    """
    ordered = sorted(times_ms)
    middle, late = percentile(ordered, 50), percentile(ordered, 95)
    last = min(ordered[-1], middle + 4 * max(late - middle, 0.02 * middle))
    marks = {f"P{p}": percentile(ordered, p) for p in (50, 90, 99) if len(ordered) >= 100 / (100 - p)}
    beyond = sum(value > last for value in ordered)
    tail = f"; not drawn: {plural(beyond, 'step')} above {short(last)} ms" if beyond else ""
    caption = f"Step times of {plural(len(ordered), 'step')}, longest {short(ordered[-1])} ms{tail}"
    return _chart(f"Step times of {name}", caption, "step time (ms)", "steps", ordered, (ordered[0], last),
                  {label: (value, f"{label} {short(value)} ms") for label, value in marks.items()})


def of_nodes(case: str, kpi: str, unit: str, values: Sequence[float], threshold: float | None) -> Chart:
    """A histogram of the nodes' speed, with the median and the threshold of outliers on both sides if there is one.

    ``threshold`` is the share of the median from which on a node is an outlier.
    """
    ordered, middle = sorted(values), median(values)
    marks = {"median": middle}
    if threshold is not None:
        marks = {"outlier below": middle * (1 - threshold), **marks, "outlier above": middle * (1 + threshold)}
    ends = min(ordered[0], *marks.values()), max(ordered[-1], *marks.values())
    return _chart(f"{kpi} of the nodes, {case}", f"{kpi} of {plural(len(ordered), 'node')}", f"{kpi} ({unit})",
                  "nodes", ordered, ends,
                  {label: (value, f"{label} {short(value)} {unit}") for label, value in marks.items()})


def _chart(title: str, caption: str, x_name: str, y_name: str, ordered: Sequence[float], ends: tuple[float, float],
           marks: Mapping[str, tuple[float, str]]) -> Chart:
    """``ordered`` values in bins of equal width between ``ends``; ``y_name`` are what is counted.

    ``marks``: label -> (value, words); the words of those beyond the axis are in the caption.
    """
    low, last = ends
    high = low + ((last - low) or max(low * 0.01, 1e-6))  # some way from low even if all values are equal
    inside = [value for value in ordered if value <= last]
    counts = [0] * min(_BINS[1], max(_BINS[0], math.ceil(math.sqrt(len(inside)))))
    for value in inside:
        counts[min(len(counts) - 1, int((value - low) / (high - low) * len(counts)))] += 1
    edges = pairwise(low + i * (high - low) / len(counts) for i in range(len(counts) + 1))
    bins = [(begin, end, count) for (begin, end), count in zip(edges, counts, strict=True)]
    rows: list[tuple[str, int]] = [(f"{short(begin)} to {short(end)}", count) for begin, end, count in bins]
    if beyond := len(ordered) - len(inside):
        rows.append((f"above {short(high)}", beyond))
    hidden = [words for value, words in marks.values() if value > high]
    drawn = {label: value for label, (value, _) in marks.items() if value <= high}
    return Chart(title, "; ".join((caption, *hidden)),
                 f"{caption}. {', '.join(words for _, words in marks.values()) or 'too few steps for percentiles'}.",
                 lambda colours: _spec(colours, axis("from", x_name, [low, high], grid=False, tickCount=5), y_name,
                                       bins, drawn), (x_name, y_name), rows)


def _spec(colours: Palette, x: Spec, y_name: str, bins: Sequence[tuple[float, float, int]],
          marks: Mapping[str, float]) -> Spec:
    """Bars, with the marks in steps above them."""
    most = max(count for _, _, count in bins)
    (low, *_), (*_, high, _) = bins[0], bins[-1]
    bars = [{"from": begin, "to": end, "count": count} for begin, end, count in bins if count]
    above = [{"x": value, "y": (1.45 - 0.14 * row) * most, "words": f"{label} {short(value)}",
              "right": value > low + 0.7 * (high - low)} for row, (label, value) in enumerate(marks.items())]
    y = axis("count", y_name, [0, 1.5 * most if marks else 1.05 * most],
             values=[tick for tick in nice_ticks(0, most) if tick % 1 == 0])
    label = {"type": "text", "baseline": "top", "dx": {"expr": "datum.right ? -4 : 4"},
             "align": {"expr": "datum.right ? 'right' : 'left'"}, "fontSize": LETTERS, "fontWeight": "bold"}
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"},
             "text": {"field": "words"}}
    return frame(colours, [
        {"data": {"values": bars}, "mark": {"type": "bar", "color": colours["c0"], "binSpacing": 0.6},
         "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0}}},
        {"data": {"values": above}, "encoding": place, "layer": [
            {"mark": {"type": "rule", "color": colours["text"], "strokeDash": [3, 3]},
             "encoding": {"y2": {"datum": 0}}},
            {"mark": {**label, "color": colours["card"], "stroke": colours["card"], "strokeWidth": 3,
                      "strokeJoin": "round"}},
            {"mark": {**label, "color": colours["text"]}}]}])
