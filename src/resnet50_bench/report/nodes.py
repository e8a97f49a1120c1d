"""Results enter; for each case that ran on several nodes their spread, and what sets nodes apart, leave as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from ..history import fleet, fleet_nodes
from ..history.collection import Entry
from ..history.fleet import Node, OddFact, Outlier
from ..result.stats import OUTLIER_SCORE
from . import charts, figures, health
from .drawing import Gallery
from .markup import Html, el, fold, plural, short, table

#: So many nodes are open to see; of more only those that are conspicuous.
_OPEN_UP_TO = 16


def section(entries: Sequence[Entry], gallery: Gallery) -> Html:
    """A card for each case; nothing where no case ran on two nodes."""
    found = fleet_nodes.compared(entries)
    if not found:
        return Html("")
    cards = [_card(case, unit, nodes, gallery) for (case, unit), nodes in found.items()]
    return el("section", el("h2", "Nodes"),
              el("p", "Each node counts by the median of its runs. Outliers have a modified z-score above "
                      f"{OUTLIER_SCORE} (Iglewicz and Hoaglin 1993) and are at least "
                      f"{100 * fleet.LEAST_DEVIATION:g} % from the median.", class_="hint"), *cards, id="nodes")


def _card(case: str, unit: str, nodes: Sequence[Node], gallery: Gallery) -> Html:
    values = [node.value for node in nodes if node.value is not None]
    kpi, threshold = figures.nodes_kpi(unit), fleet.threshold(values)
    odd = fleet.odd_facts([node for node in nodes if node.facts])
    outliers = {each.node.name: each for each in fleet.outliers(nodes)}
    drawn = gallery.figure(f"nodes {case}", charts.histogram(
        figures.nodes_histogram(case, kpi, unit, values, threshold))) if values else ""
    words = [plural(len(nodes), "node")] + [f"{len(nodes) - len(values)} without a result"] * (len(values) < len(nodes))
    words += [f"{plural(len(outliers), 'outlier')}" if threshold is not None
              else f"too few to tell one that differs ({fleet.LEAST_NODES} are needed)"]
    middle = fleet.distribution(values)["median"] if values else None
    rows = {node.name: _row(node, middle, outliers.get(node.name), odd) for node in nodes}
    conspicuous = [node.name for node in nodes
                   if node.value is None or node.name in outliers or fleet.explained(node, odd)]
    head = ("Node", f"{kpi} ({unit})", "From the median", "Verdict", "What is odd")
    shown = list(rows) if len(rows) <= _OPEN_UP_TO else conspicuous
    return el("article", el("h3", case), el("p", "; ".join(words)), drawn,
              table("Nodes" if len(shown) == len(rows) else "Conspicuous nodes", head, [rows[name] for name in shown])
              if shown else "",
              fold(f"All {len(rows)} nodes", table("All nodes", head, rows.values())) if len(shown) < len(rows) else "",
              class_="card")


def _row(node: Node, middle: float | None, outlier: Outlier | None, odd: Sequence[OddFact]) -> tuple[object, ...]:
    why = fleet.explained(node, odd)
    if node.value is None or middle is None:
        return node.name, "–", "–", el("td", health.badge("failed")), "; ".join((node.why_not, *why))
    words = el("b", f"▼ outlier, score {outlier.score:+.1f}" if outlier.deviation < 0
               else f"▲ outlier, score {outlier.score:+.1f}") if outlier else ""
    return (node.name, el("td", short(node.value), class_="n"),
            el("td", f"{100 * (node.value / middle - 1):+.1f} %", class_="n"),
            el("td", health.badge("noisy" if node.noisy else "valid"), " ", words), "; ".join(why))
