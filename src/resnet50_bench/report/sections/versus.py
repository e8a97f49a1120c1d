"""The comparisons A against B that results were measured for, by their ``outcome.json``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ...history.collection import Entry
from ...result.kpi import FASTER, KPIS, SLOWER
from ...spelling import plural
from ...versus.record import OUTCOME
from ..chart import Chart, Mark, Spec, axis, frame, look, over_rounds
from ..drawing import Gallery
from ..markup import Html, el
from ..palette import Palette
from . import Results, Section

_KINDS = {FASTER: "better", SLOWER: "worse"}


class PairRow(msgspec.Struct):
    """``ratio`` is b's KPI by a's, with its 95 % interval."""

    a: str
    b: str
    ratio: float
    low: float | None
    high: float | None
    verdict: str
    text: str

    @property
    def change(self) -> float:
        """By how many percent b differs from a."""
        return 100 * (self.ratio - 1)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval of the change, if there is one."""
        return None if self.low is None or self.high is None else (100 * (self.low - 1), 100 * (self.high - 1))


class _Side(msgspec.Struct):
    what: str


class _Turn(msgspec.Struct):
    value: float


class _Round(msgspec.Struct):
    round: int
    turns: dict[str, _Turn]


class OutcomeFile(msgspec.Struct):
    """``outcome.json``."""

    schema: Literal["resnet50-bench-versus-outcome"]
    schema_version: Literal[1]
    mode: str
    unit: str
    sides: dict[str, _Side]
    pairs: list[PairRow]
    rounds: list[_Round]
    ended: str


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    cards = [_card(folder, comparison, gallery)
             for folder, comparison in _comparisons(results.entries, results.left_out)]
    hint = ("Sides took turns, each in fresh processes. The difference is paired by round; its interval holds what "
            "changes between restarts.")
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
            told.append(f"{path} cannot be read: {error}")
            continue
        if comparison.rounds and comparison.mode in KPIS:
            yield folder, comparison


def _card(folder: Path, comparison: OutcomeFile, gallery: Gallery) -> Html:
    sides = [el("li", el("b", name), f": {side.what}") for name, side in comparison.sides.items()]
    drawn = [gallery.figure(f"versus {folder.name} rounds", _by_round(folder, comparison))]
    if comparison.pairs:
        drawn.append(gallery.figure(f"versus {folder.name}", _differences(folder, comparison.pairs)))
    return el("article", el("h3", folder.name), el("ul", *sides),
              *(el("p", el("b", pair.text)) for pair in comparison.pairs),
              el("div", *drawn, class_="pair"),
              el("p", f"{plural(len(comparison.rounds), 'round')}; ended: {comparison.ended}", class_="hint"),
              class_="card")


def _by_round(folder: Path, comparison: OutcomeFile) -> Chart:
    kpi = KPIS[comparison.mode].name
    lines = {name: [Mark(one.round, one.turns[name].value) for one in comparison.rounds if name in one.turns]
             for name in comparison.sides}
    return over_rounds(f"{kpi} by round, {folder.name}", f"{kpi} ({comparison.unit})",
                       {name: marks for name, marks in lines.items() if marks})


def _differences(folder: Path, pairs: Sequence[PairRow]) -> Chart:
    """For each pair by how many percent the later side differs, with its interval; 0 is no difference."""
    rows = [(f"{pair.b} to {pair.a}", f"{pair.change:+.1f} %",
             "–" if pair.ends is None else f"{pair.ends[0]:+.1f} to {pair.ends[1]:+.1f} %",
             _KINDS.get(pair.verdict, "no difference shown")) for pair in pairs]
    return Chart(f"Differences, {folder.name}",
                 "The difference with its 95 % interval; where the line crosses 0, none is shown",
                 "; ".join(f"{row[0]}: {row[1]} ({row[2]}), {row[3]}" for row in rows) + ".",
                 lambda colours: _spec(pairs, colours), ("PairRow", "Difference", "95 % interval", "Verdict"), rows)


def _spec(pairs: Sequence[PairRow], colours: Palette) -> Spec:
    values = [{"pair": f"{pair.b} to {pair.a}", "change": pair.change, "low": pair.ends and pair.ends[0],
               "high": pair.ends and pair.ends[1], "kind": _KINDS.get(pair.verdict, "none")} for pair in pairs]
    extent = 1.15 * max([0.5, *(abs(value) for pair in pairs for value in (pair.change, *(pair.ends or ())))])
    x = axis("change", "difference (%)", [-extent, extent], tickCount=6)
    y = {"field": "pair", "type": "ordinal", "sort": None, "title": None, "axis": {"ticks": False, "grid": False}}
    colour = look("kind", ["better", "worse", "none"], [colours["good"], colours["bad"], colours["quiet"]])
    return frame(colours, [
        {"data": {"values": [{"change": 0}]}, "mark": {"type": "rule", "color": colours["text"]}, "encoding": {"x": x}},
        {"data": {"values": values}, "mark": {"type": "rule", "strokeWidth": 3},
         "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}},
        {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 1, "size": 80,
                                              "shape": "diamond"},
         "encoding": {"x": x, "y": y, "color": colour}}], height=60 + 26 * len(pairs))


SECTION = Section(20, "versus", "A against B", _inside)
