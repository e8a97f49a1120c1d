"""Nodes of one case -> their distribution, odd nodes, odd facts, missing nodes: as data, rows, or lines to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from . import fleet
from .fleet import Node


def record(case: str, unit: str, nodes: Sequence[Node]) -> dict[str, Any]:
    """The summary as plain data."""
    values = [node.value for node in nodes if node.value is not None]
    odd = fleet.odd_facts([node for node in nodes if node.facts])
    return {"case": case, "unit": unit, "distribution": fleet.distribution(values) if values else {},
            "threshold": fleet.threshold(values),
            "outliers": [{"node": each.node.name, "value": each.node.value, "deviation": each.deviation,
                          "score": each.score, "noisy": each.node.noisy, "differs": fleet.explained(each.node, odd)}
                         for each in fleet.outliers(nodes)],
            "odd_facts": [{"fact": each.fact, "usual": each.usual, "others": each.others} for each in odd],
            "without_result": {node.name: node.why_not for node in nodes if node.value is None}}


def rows(case: str, unit: str, nodes: Sequence[Node]) -> list[dict[str, object]]:
    """A row for each node; ``deviation`` is a share of the median."""
    values = [node.value for node in nodes if node.value is not None]
    middle = median(values) if values else 0.0
    outliers = {each.node.name for each in fleet.outliers(nodes)}
    odd = fleet.odd_facts([node for node in nodes if node.facts])
    return [{"case": case, "node": node.name, "value": node.value, "unit": unit,
             "deviation": node.value / middle - 1 if node.value is not None else None,
             "outlier": node.name in outliers, "noisy": node.noisy, "why_not": node.why_not,
             "differs": "; ".join(fleet.explained(node, odd))} for node in nodes]


def summary(case: str, unit: str, nodes: Sequence[Node]) -> Iterator[str]:
    """Lines to read."""
    found = record(case, unit, nodes)
    spread = found["distribution"]
    yield f"Fleet: {case}: {len(nodes)} nodes"
    if spread:
        yield (f"  {unit}: sum {spread['sum']:.2f}, median {spread['median']:.2f}, {spread['min']:.2f} to "
               f"{spread['max']:.2f}" + (f", quartiles {spread['q1']:.2f} and {spread['q3']:.2f}, coefficient of "
                                         f"variation {100 * spread['cv']:.2f} %" if "cv" in spread else ""))
    if found["threshold"] is None:
        yield f"  too few nodes to tell one that differs: {fleet.LEAST_NODES} are needed"
    else:
        yield (f"  a node is an outlier from {100 * found['threshold']:.1f} % off the median; less does not show in "
               "this spread")
    for each in found["outliers"]:
        why = f"; also differs: {', '.join(each['differs'])}" if each["differs"] else ""
        noisy = ", and its result is noisy" if each["noisy"] else ""
        yield (f"  OUTLIER {each['node']}: {each['value']:.2f} {unit}, {100 * each['deviation']:+.1f} % (score "
               f"{each['score']:+.1f}){noisy}{why}")
    for each in found["odd_facts"]:
        others = "; ".join(f"{value} on {fleet.counted(names)}" for value, names in each["others"].items())
        yield f"  DIFFERS {each['fact']}: {others}" + (f"; elsewhere {each['usual']}" if each["usual"] else "")
    for name, why in found["without_result"].items():
        yield f"  MISSING {name}: {why}"
