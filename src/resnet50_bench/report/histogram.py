"""How often which value occurs, with marks such as percentiles above the bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from ..result.stats import percentile
from .chart import LETTERS, Chart, Spec, axis, frame, nice_ticks
from .markup import plural, short
from .palette import Palette

_BINS = (8, 40)


@dataclass(frozen=True)
class _Histogram:
    """Sorted ``values`` in bins of equal width from ``low`` to ``last``; ``y_name`` are what is counted."""

    unit: str
    x_name: str
    y_name: str
    values: Sequence[float]
    low: float
    last: float
    marks: Mapping[str, float]

    @property
    def high(self) -> float:
        """The end of the axis; some way from ``low`` even if all values are equal."""
        return self.low + ((self.last - self.low) or max(self.low * 0.01, 1e-6))

    @cached_property
    def beyond(self) -> int:
        """How many values are above the axis."""
        return sum(value > self.last for value in self.values)

    @cached_property
    def counts(self) -> Sequence[int]:
        """Of each bin."""
        inside = self.values[:len(self.values) - self.beyond]
        counts = [0] * min(_BINS[1], max(_BINS[0], math.ceil(math.sqrt(len(inside)))))
        for value in inside:
            counts[min(len(counts) - 1, int((value - self.low) / (self.high - self.low) * len(counts)))] += 1
        return counts

    @property
    def width(self) -> float:
        """Of a bin."""
        return (self.high - self.low) / len(self.counts)

    def chart(self, title: str, caption: str) -> Chart:
        """The marks beyond the axis are said in words."""
        rows = [(f"{short(self.low + i * self.width)} to {short(self.low + (i + 1) * self.width)}", count)
                for i, count in enumerate(self.counts)]
        rows += [(f"above {short(self.high)}", self.beyond)] if self.beyond else []
        words = {label: f"{label} {short(value)} {self.unit}" for label, value in self.marks.items()}
        hidden = [words[label] for label, value in self.marks.items() if value > self.high]
        return Chart(title, "; ".join((caption, *hidden)),
                     f"{caption}. {', '.join(words.values()) or 'too few steps for percentiles'}.",
                     self.spec, (self.x_name, self.y_name), rows)

    def spec(self, colours: Palette) -> Spec:
        """Bars, with the marks in steps above them."""
        most = max(self.counts)
        bars = [{"from": self.low + i * self.width, "to": self.low + (i + 1) * self.width, "count": count}
                for i, count in enumerate(self.counts) if count]
        marks = [{"x": value, "y": (1.45 - 0.14 * row) * most, "words": f"{label} {short(value)}",
                  "right": value > self.low + 0.7 * (self.high - self.low)}
                 for row, (label, value) in enumerate(self.marks.items()) if value <= self.high]
        x = axis("from", self.x_name, [self.low, self.high], grid=False, tickCount=5)
        y = axis("count", self.y_name, [0, 1.5 * most if marks else 1.05 * most],
                 values=[tick for tick in nice_ticks(0, most) if tick % 1 == 0])
        label = {"type": "text", "baseline": "top", "dx": {"expr": "datum.right ? -4 : 4"},
                 "align": {"expr": "datum.right ? 'right' : 'left'"}, "fontSize": LETTERS, "fontWeight": "bold"}
        place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"},
                 "text": {"field": "words"}}
        return frame(colours, [
            {"data": {"values": bars}, "mark": {"type": "bar", "color": colours["c0"], "binSpacing": 0.6},
             "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0}}},
            {"data": {"values": marks}, "encoding": place, "layer": [
                {"mark": {"type": "rule", "color": colours["text"], "strokeDash": [3, 3]},
                 "encoding": {"y2": {"datum": 0}}},
                {"mark": {**label, "color": colours["card"], "stroke": colours["card"], "strokeWidth": 3,
                          "strokeJoin": "round"}},
                {"mark": {**label, "color": colours["text"]}}]}])


def of_steps(name: str, times_ms: Sequence[float]) -> Chart:
    """How often which step time in ms occurred, with percentiles; the few longest are counted in words.

    A single step of ten times the median must not squeeze all others into one bar.
    """
    ordered = sorted(times_ms)
    middle, late = percentile(ordered, 50), percentile(ordered, 95)
    last = min(ordered[-1], middle + 4 * max(late - middle, 0.02 * middle))
    marks = {f"P{p}": percentile(ordered, p) for p in (50, 90, 99) if len(ordered) >= 100 / (100 - p)}
    histogram = _Histogram("ms", "step time (ms)", "steps", ordered, ordered[0], last, marks)
    beyond = histogram.beyond
    tail = f"; not drawn: {plural(beyond, 'step')} above {short(last)} ms" if beyond else ""
    return histogram.chart(f"Step times of {name}",
                           f"Step times of {plural(len(ordered), 'step')}, longest {short(ordered[-1])} ms{tail}")


def of_nodes(case: str, kpi: str, unit: str, values: Sequence[float], threshold: float | None) -> Chart:
    """How many nodes are how fast, with the median and, where there is one, the border of outliers on both sides.

    ``threshold`` is the share of the median from which on a node is an outlier.
    """
    ordered, middle = sorted(values), median(values)
    marks = {"median": middle}
    if threshold is not None:
        marks = {"outlier below": middle * (1 - threshold), **marks, "outlier above": middle * (1 + threshold)}
    low, last = min(ordered[0], *marks.values()), max(ordered[-1], *marks.values())
    return _Histogram(unit, f"{kpi} ({unit})", "nodes", ordered, low, last, marks).chart(
        f"{kpi} of the nodes, {case}", f"{kpi} of {plural(len(ordered), 'node')}")
