"""Results enter; the comparisons A against B that they were measured for leave as HTML, by their ``outcome.json``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ..history.collection import Entry
from ..result.kpi import KPIS
from ..versus.outcome import FASTER, SLOWER
from ..versus.record import OUTCOME
from . import charts
from .drawing import Gallery
from .figures import Curves, Mark, Ratio
from .markup import Html, el, plural


class Pair(msgspec.Struct):
    """``ratio`` is b's KPI by a's, with its 95 % interval."""

    a: str
    b: str
    ratio: float
    low: float | None
    high: float | None
    verdict: str
    text: str


class _Side(msgspec.Struct):
    what: str


class _Turn(msgspec.Struct):
    value: float


class _Round(msgspec.Struct):
    round: int
    turns: dict[str, _Turn]


class Comparison(msgspec.Struct):
    """``outcome.json``."""

    schema: Literal["resnet50-bench-versus-outcome"]
    schema_version: Literal[1]
    mode: str
    unit: str
    sides: dict[str, _Side]
    pairs: list[Pair]
    rounds: list[_Round]
    ended: str


def section(entries: Iterable[Entry], gallery: Gallery, told: list[str]) -> Html:
    """The section; empty where no result belongs to a comparison; what cannot be read is in ``told``."""
    cards = [_card(folder, comparison, gallery) for folder, comparison in _comparisons(entries, told)]
    if not cards:
        return Html("")
    return el("section", el("h2", "A against B"),
              el("p", "Sides took turns, each in fresh processes. The difference is paired by round; its interval "
                      "holds what changes between restarts.", class_="hint"), *cards, id="versus")


def _comparisons(entries: Iterable[Entry], told: list[str]) -> Iterable[tuple[Path, Comparison]]:
    folders = dict.fromkeys(entry.path.parents[2] for entry in entries if len(entry.path.parents) > 2)
    for folder in folders:
        path = folder / OUTCOME
        if not path.exists():
            continue
        try:
            comparison = msgspec.json.decode(path.read_bytes(), type=Comparison)
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
            told.append(f"{path} cannot be read: {error}")
            continue
        if comparison.rounds and comparison.mode in KPIS:
            yield folder, comparison


def _card(folder: Path, comparison: Comparison, gallery: Gallery) -> Html:
    sides = [el("li", el("b", name), f": {side.what}") for name, side in comparison.sides.items()]
    drawn = [gallery.figure(f"versus {folder.name} rounds", charts.curves(_by_round(folder, comparison)))]
    if ratios := _ratios(comparison):
        drawn.append(gallery.figure(f"versus {folder.name}", charts.ratios(f"Differences, {folder.name}", ratios)))
    return el("article", el("h3", folder.name), el("ul", *sides),
              *(el("p", el("b", pair.text)) for pair in comparison.pairs),
              el("div", *drawn, class_="pair"),
              el("p", f"{plural(len(comparison.rounds), 'round')}; ended: {comparison.ended}", class_="hint"),
              class_="card")


def _by_round(folder: Path, comparison: Comparison) -> Curves:
    kpi = KPIS[comparison.mode].name
    series = [(name, [Mark(each.round, each.turns[name].value) for each in comparison.rounds if name in each.turns])
              for name in comparison.sides]
    return Curves(f"{kpi} by round, {folder.name}", "round", f"{kpi} ({comparison.unit})",
                  [(name, marks) for name, marks in series if marks], doubling=False, from_zero=False)


def _ratios(comparison: Comparison) -> Sequence[Ratio]:
    def percent(ratio: float | None) -> float | None:
        return None if ratio is None else 100 * (ratio - 1)

    return [Ratio(pair.a, pair.b, 100 * (pair.ratio - 1), percent(pair.low), percent(pair.high),
                  {FASTER: "better", SLOWER: "worse"}.get(pair.verdict, "none")) for pair in comparison.pairs]
