"""A figure's data enters, a chart leaves: its specification, what it says in words, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import specs
from .figures import BETTER, SIGNS, WORSE, Curves, HeatMap, Histogram, Instance, Ratio, Timeline
from .markup import plural, short, when
from .palette import Palette
from .specs import Spec


@dataclass(frozen=True)
class Chart:
    """``spec`` makes the Vega-Lite specification with a palette; ``rows`` begin with their headers."""

    title: str
    caption: str
    description: str
    spec: Callable[[Palette], Spec]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def histogram(shown: Histogram) -> Chart:
    """Counts in bins, with percentiles; those beyond the axis are said in words."""
    width = (shown.high - shown.low) / len(shown.counts)
    rows = [(f"{short(shown.low + i * width)} to {short(shown.low + (i + 1) * width)}", count)
            for i, count in enumerate(shown.counts)]
    rows += [(f"above {short(shown.high)}", shown.beyond)] if shown.beyond else []
    words = ", ".join(f"{label} {short(value)} {shown.unit}" for label, value in shown.marks.items())
    hidden = [f"{label} {short(value)} {shown.unit}" for label, value in shown.marks.items() if value > shown.high]
    return Chart(shown.title, "; ".join((shown.caption, *hidden)),
                 f"{shown.caption}. {words or 'too few steps for percentiles'}.",
                 lambda colours: specs.histogram(shown, colours), (shown.x_name, shown.y_name), rows)


def curves(shown: Curves) -> Chart:
    """A line for each series."""
    best = max((mark for _, marks in shown.series for mark in marks), key=lambda mark: mark.y)
    rows = [(name, f"{mark.x:g}", short(mark.y), _interval(mark.low, mark.high))
            for name, marks in shown.series for mark in marks]
    return Chart(shown.title, shown.title, f"{plural(len(shown.series), 'line')} over {shown.x_name}; highest "
                 f"{short(best.y)} at {best.x:g}.", lambda colours: specs.curves(shown, colours),
                 ("Line", shown.x_name, shown.y_name, "95 % interval"), rows)


def heat_map(shown: HeatMap) -> Chart:
    """Every cell's value, and whence it is, in the table."""
    rows = [(str(batch), str(cores), cell.text, cell.source) for batch in shown.batches for cores in shown.cores
            if (cell := shown.cells.get((batch, cores)))]
    best = next((row for row in rows if "★" in row[2]), rows[0])
    return Chart(shown.title, f"{shown.caption}. {SIGNS}",
                 f"{shown.caption}; best {best[2]} at batch size {best[0]} and {best[1]} cores.",
                 lambda colours: specs.heat_map(shown, colours), ("Batch size", "Cores", "Value", "Interval"), rows)


def instances(name: str, inside: Sequence[Instance]) -> Chart:
    """A bar for each instance that has a rate."""
    known = [each for each in inside if each.rate is not None]
    rates = [each.rate for each in known if each.rate is not None] or [0.0]
    caption = f"{plural(len(inside), 'instance')}; the dashed line is the median" + (
        ", ▼ is more than 5 % below it" if any(each.slow for each in known) else "")
    rows = [(str(each.index), each.cpus, each.nodes or "–", short(each.rate),
             "–" if each.away is None else f"{100 * each.away:+.1f} %{' ▼' if each.slow else ''}",
             *map(short, each.latency)) for each in inside]
    return Chart(f"Instances of {name}", caption,
                 f"{plural(len(known), 'bar')} from {short(min(rates))} to {short(max(rates))} samples/sec.",
                 lambda colours: specs.instances(known, colours), INSTANCE_COLUMNS, rows)


#: Of the table of instances.
INSTANCE_COLUMNS = ("Instance", "cpus", "Node", "samples/sec", "to median", "P50 (ms)", "P99 (ms)")


def timeline(shown: Timeline) -> Chart:
    """A mark for each occasion."""
    rows = [(when(each.started_at), each.label, short(each.value), each.kind,
             _interval(*(each.limits or (None, None))), str(each.runs)) for each in shown.occasions]
    values = [each.value for each in shown.occasions]
    changes = [f"{each.kind} at {each.label}" for each in shown.occasions if each.kind in (BETTER, WORSE)]
    return Chart(shown.title, shown.caption,
                 f"{plural(len(values), 'occasion')} from {short(values[0])} to {short(values[-1])}; "
                 f"{', '.join(changes) or 'no change shown'}.",
                 lambda colours: specs.timeline(shown, colours),
                 ("Started (UTC)", shown.x_name, shown.y_name, "To earlier ones", "Expected between", "Runs"), rows)


def ratios(title: str, shown: Sequence[Ratio]) -> Chart:
    """A line for each pair."""
    rows = [(f"{each.b} to {each.a}", f"{each.change:+.1f} %",
             "–" if each.low is None or each.high is None else f"{each.low:+.1f} to {each.high:+.1f} %",
             {"none": "no difference shown"}.get(each.kind, each.kind)) for each in shown]
    return Chart(title, "The difference with its 95 % interval; where the line crosses 0, none is shown",
                 "; ".join(f"{row[0]}: {row[1]} ({row[2]}), {row[3]}" for row in rows) + ".",
                 lambda colours: specs.ratios(shown, colours), ("Pair", "Difference", "95 % interval", "Verdict"), rows)


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{short(low)} to {short(high)}"
