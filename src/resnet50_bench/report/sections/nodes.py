"""For each case that ran on several nodes, their spread, and the facts in which a node differs from the others."""

from __future__ import annotations

from collections.abc import Sequence

from ...history import fleet, fleet_nodes
from ...history.fleet import Node, OddFact, Outlier
from ...result.kpi import KPIS
from ...result.stats import OUTLIER_SCORE
from .. import histogram
from ..drawing import Gallery
from ..markup import Html, el, fold, plural, short, table
from . import Results, Section
from .health import badge

#: So many nodes are open to see; of more only those that are conspicuous.
_OPEN_UP_TO = 16


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    """A card for each case that ran on two nodes or more."""
    hint = ("Each node counts by the median of its runs. Outliers have a modified z-score above "
            f"{OUTLIER_SCORE} (Iglewicz and Hoaglin 1993) and are at least {100 * fleet.LEAST_DEVIATION:g} % from the "
            "median.")
    cards = [_card(case, unit, nodes, gallery)
             for (case, unit), nodes in fleet_nodes.compared(results.entries).items()]
    return [el("p", hint, class_="hint"), *cards] if cards else []


def _card(case: str, unit: str, nodes: Sequence[Node], gallery: Gallery) -> Html:
    values = [node.value for node in nodes if node.value is not None]
    kpi = next((kpi.name for kpi in KPIS.values() if kpi.unit == unit), "KPI")
    threshold = fleet.threshold(values)
    odd = fleet.odd_facts([node for node in nodes if node.facts])
    outliers = {each.node.name: each for each in fleet.outliers(nodes)}
    drawn = gallery.figure(f"nodes {case}", histogram.of_nodes(case, kpi, unit, values, threshold)) if values else ""
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
        return node.name, "–", "–", el("td", badge("failed")), "; ".join((node.why_not, *why))
    words = el("b", f"▼ outlier, score {outlier.score:+.1f}" if outlier.deviation < 0
               else f"▲ outlier, score {outlier.score:+.1f}") if outlier else ""
    return (node.name, el("td", short(node.value), class_="n"),
            el("td", f"{100 * (node.value / middle - 1):+.1f} %", class_="n"),
            el("td", badge("noisy" if node.noisy else "valid"), " ", words), "; ".join(why))


SECTION = Section(40, "nodes", "Nodes", _inside)
