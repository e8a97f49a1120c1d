"""For each case that ran on several nodes, their spread, and the facts in which a node differs from the others."""

from __future__ import annotations

from collections.abc import Sequence

from ...history.fleet import LEAST_DEVIATION, LEAST_NODES, Fleet, Node, of_several_nodes
from ...result.kpi import KPIS
from ...result.stats import OUTLIER_SCORE
from ...spelling import plural
from .. import histogram
from ..drawing import Gallery
from ..markup import Html, el, fold, short, table
from . import Results, Section
from .health import badge

#: So many nodes are open to see; of more only those that are conspicuous.
_OPEN_UP_TO = 16


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    """A card for each case that ran on two nodes or more."""
    return [_card(fleet, gallery) for fleet in of_several_nodes(results.entries)]


def _card(fleet: Fleet, gallery: Gallery) -> Html:
    nodes, values, case = fleet.nodes, fleet.values, fleet.case
    kpi = next((kpi.name for kpi in KPIS.values() if kpi.unit == fleet.unit), "KPI")
    drawn = (gallery.figure(f"nodes {case}", histogram.of_nodes(case, kpi, fleet.unit, values, fleet.threshold))
             if values else "")
    words = [plural(len(nodes), "node")] + [f"{len(nodes) - len(values)} without a result"] * (len(values) < len(nodes))
    words += [plural(len(fleet.outliers), "outlier") if fleet.threshold is not None
              else f"too few to find an outlier ({LEAST_NODES} or more are needed)"]
    conspicuous = [node for node in nodes
                   if node.value is None or node.name in fleet.outliers or fleet.differs(node)]
    head = ("Node", f"{kpi} ({fleet.unit})", "From the median", "Verdict", "What differs")
    shown = nodes if len(nodes) <= _OPEN_UP_TO else conspicuous
    is_whole = len(shown) == len(nodes)
    return el("article", el("h3", case), el("p", "; ".join(words)), drawn,
              table("Nodes" if is_whole else "Nodes that differ", head, [_row(fleet, node) for node in shown])
              if shown else "",
              "" if is_whole else fold(f"All {len(nodes)} nodes",
                                       table("All nodes", head, [_row(fleet, node) for node in nodes])),
              class_="card")


def _row(fleet: Fleet, node: Node) -> tuple[object, ...]:
    differs = fleet.differs(node)
    if node.value is None:
        return node.name, "–", "–", el("td", badge("failed")), "; ".join((node.why_not, *differs))
    outlier = fleet.outliers.get(node.name)
    words = el("b", f"{'▼' if outlier.deviation < 0 else '▲'} outlier, score {outlier.score:+.1f}") if outlier else ""
    return (node.name, el("td", short(node.value), class_="n"),
            el("td", f"{100 * (node.value / fleet.middle - 1):+.1f} %", class_="n"),
            el("td", badge("noisy" if node.noisy else "valid"), " ", words), "; ".join(differs))


SECTION = Section(40, "nodes", "Nodes", _inside, hint=(
    f"Each node counts by the median of its runs. Outliers have a modified z-score above {OUTLIER_SCORE} (Iglewicz and "
    f"Hoaglin 1993) and are at least {100 * LEAST_DEVIATION:g} % from the median."))
