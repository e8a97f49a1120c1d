"""The comparisons that results were measured for, by their ``outcome.json``: one ranked picture of each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ...history.collection import Entry
from ...result.kpi import FASTER, KPIS, SLOWER
from ...spelling import plural
from ...versus.record import OUTCOME
from ..chart import Chart, Spec, axis, frame, look, low_to_high, nice_ticks, plain
from ..drawing import Gallery
from ..markup import Html, el, fold, short, table
from ..palette import Palette
from . import Results, Section

_KINDS = {FASTER: "better", SLOWER: "worse"}
#: The letters of a line of a label. Longer ones would leave less than half of the chart's width for the values.
_LABEL_LETTERS = 26


class PairRow(msgspec.Struct):
    """The comparison of two sides. ``ratio`` is b's KPI divided by a's, with its 95 % interval."""

    a: str
    b: str
    ratio: float
    low: float | None
    high: float | None
    verdict: str
    text: str


class _Side(msgspec.Struct):
    what: str
    label: str
    estimate: float | None
    rounds: int
    out_after: int | None


class OutcomeFile(msgspec.Struct):
    """The content of ``outcome.json``."""

    schema: Literal["resnet50-bench-versus-outcome"]
    schema_version: Literal[2]
    mode: str
    unit: str
    question: str
    leader: str | None
    sentence: str
    sides: dict[str, _Side]
    pairs: list[PairRow]
    ended: str


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    cards = [_card(folder, comparison, gallery)
             for folder, comparison in _comparisons(results.entries, results.left_out)]
    hint = ("The sides ran in alternating order, each run in new processes. A slow hour of the machine changes all "
            "values "
            "of a round, but not the ratios. All intervals together have 95 % confidence.")
    return [el("p", hint, class_="hint"), *cards] if cards else []


def _comparisons(entries: Iterable[Entry], told: list[str]) -> Iterable[tuple[Path, OutcomeFile]]:
    folders = dict.fromkeys(entry.path.parents[2] for entry in entries if len(entry.path.parents) > 2)
    for folder in folders:
        path = folder / OUTCOME
        if not path.exists():
            continue
        try:
            comparison = msgspec.json.decode(path.read_bytes(), type=OutcomeFile)
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
            told.append(f"{path} cannot be read: {error}; versus --folder {folder} writes it again")
            continue
        if comparison.pairs and comparison.mode in KPIS:
            yield folder, comparison


def _card(folder: Path, comparison: OutcomeFile, gallery: Gallery) -> Html:
    pairs = table("Pairs", ("Pair", "Ratio", "95 % interval", "Verdict"), [
        (f"{comparison.sides[pair.b].label} / {comparison.sides[pair.a].label}", f"{pair.ratio:.4f}",
         low_to_high(pair.low, pair.high), pair.text) for pair in comparison.pairs], "small")
    sides = [el("li", el("b", side.label), f": {side.what}") for side in comparison.sides.values() if side.what]
    rounds = max(side.rounds for side in comparison.sides.values())
    return el("article", el("h3", folder.name), el("p", el("b", comparison.sentence)),
              gallery.figure(f"versus {folder.name}", _ranked(folder, comparison)), fold("Pairs", pairs),
              fold("Sides", el("ul", *sides)),
              el("p", f"{plural(rounds, 'round')}; ended: {comparison.ended}", class_="hint"), class_="card")


def _ranked(folder: Path, comparison: OutcomeFile) -> Chart:
    """A point for each side, the best first, with the interval of its ratio to the leader or the baseline."""
    kpi, first = KPIS[comparison.mode], comparison.pairs[0].a
    gaps = {pair.b: pair for pair in comparison.pairs if pair.a == first}
    base = comparison.sides[first].estimate or 0.0
    measured = {name: side.estimate for name, side in comparison.sides.items() if side.estimate}
    values: list[Spec] = []
    for name in sorted(measured, key=lambda name: -kpi.sign * measured[name]):
        side, gap = comparison.sides[name], gaps.get(name)
        low, high = (gap.low, gap.high) if gap else (None, None)
        values.append({"side": _labelled(comparison, name), "value": measured[name],
                       "kind": _kind(comparison, name, gap),
                       "low": base * low if low is not None else None,
                       "high": base * high if high is not None else None,
                       "state": f"out after round {side.out_after}" if side.out_after else
                       "leader" if name == comparison.leader else ""})
    rows = [(each["side"], short(each["value"]), low_to_high(each["low"], each["high"]), each["state"])
            for each in values]
    reference = f"{comparison.sides[first].label}, the {'leader' if comparison.leader else 'baseline'}"
    return Chart(f"{kpi.name}, {folder.name}",
                 f"{kpi.name} ({comparison.unit}), best first; 95 % intervals of the ratio to {reference}",
                 "; ".join(f"{row[0]}: {row[1]} ({row[2]}) {row[3]}".rstrip() for row in rows) + ".",
                 lambda colours: _spec(f"{kpi.name} ({comparison.unit})", values, colours),
                 ("Side", comparison.unit, "95 % interval", "State"), rows)


def _labelled(comparison: OutcomeFile, name: str) -> str:
    """The name of a side: its letter with its own settings, or its engine. The leader is marked."""
    side = comparison.sides[name]
    mark = " (leader)" if name == comparison.leader else ""
    own = f": {' '.join(side.what.split()) or 'no settings of its own'}" if side.label == name else ""
    return plain(f"{side.label}{mark}{own}")


def _on_axis(label: str) -> str:
    """The label in at most two lines, cut if it is longer."""
    lines = textwrap.wrap(label, _LABEL_LETTERS)
    if len(lines) > 2:
        lines = [lines[0], lines[1][:_LABEL_LETTERS - 1].rstrip() + "…"]
    return "\n".join(lines)


def _kind(comparison: OutcomeFile, name: str, gap: PairRow | None) -> str:
    if comparison.leader:
        return "beaten" if comparison.sides[name].out_after else "better" if gap is None else "open"
    return "open" if gap is None else _KINDS.get(gap.verdict, "open")


def _spec(title: str, values: Sequence[Spec], colours: Palette) -> Spec:
    numbers = [number for each in values for number in (each["value"], each["low"], each["high"]) if number is not None]
    room = 0.08 * (max(numbers) - min(numbers) or max(numbers))
    ends = [max(0.0, min(numbers) - room), max(numbers) + room]
    x = axis("value", title, ends, values=nice_ticks(*ends))
    values = [{**each, "side": _on_axis(each["side"])} for each in values]
    # Without a domain, Vega puts the sides of the first layer, those with an interval, before all others.
    y = {"field": "side", "type": "ordinal", "sort": None, "title": None,
         "axis": {"ticks": False, "grid": False, "labelExpr": r"split(datum.label, '\n')", "labelLimit": 0},
         "scale": {"domain": [each["side"] for each in values]}}
    colour = look("kind", ["better", "worse", "beaten", "open"],
                  [colours["good"], colours["bad"], colours["quiet"], colours["text"]])
    spec = frame(colours, [
        {"data": {"values": values}, "mark": {"type": "rule", "strokeWidth": 3},
         "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}},
        {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 1, "size": 80,
                                              "shape": "diamond"},
         "encoding": {"x": x, "y": y, "color": colour}}], height=60 + 34 * len(values))
    spec["config"]["title"]["frame"] = "bounds"  # the labels are too wide for a title beside them
    return spec


SECTION = Section(20, "versus", "Comparisons of settings", _inside)
