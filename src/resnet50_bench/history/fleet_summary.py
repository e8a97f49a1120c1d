"""Nodes of one case -> their distribution, odd nodes, odd facts, missing nodes: as data, rows, or lines to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from ..tables import Cell
from . import fleet
from .fleet import Node, OddFact


class OutlierSummary(msgspec.Struct, frozen=True):
    """A node far from the median by ``deviation``, a share of it; ``differs`` says in what else."""

    node: str
    value: float | None
    deviation: float
    score: float
    noisy: bool
    differs: list[str]


class FleetSummary(msgspec.Struct, frozen=True):
    """What the nodes of one case show; ``threshold`` is None where too few have a value."""

    case: str
    unit: str
    distribution: dict[str, float]
    threshold: float | None
    outliers: list[OutlierSummary]
    odd_facts: list[OddFact]
    without_result: dict[str, str]


def summarised(case: str, unit: str, nodes: Sequence[Node]) -> FleetSummary:
    """The summary as plain data."""
    values = [node.value for node in nodes if node.value is not None]
    odd = fleet.odd_facts([node for node in nodes if node.facts])
    return FleetSummary(
        case, unit, fleet.distribution(values) if values else {}, fleet.threshold(values),
        [OutlierSummary(outlier.node.name, outlier.node.value, outlier.deviation, outlier.score, outlier.node.noisy,
                        fleet.explained(outlier.node, odd)) for outlier in fleet.outliers(nodes)],
        odd,
        {node.name: node.why_not for node in nodes if node.value is None})


def rows(case: str, unit: str, nodes: Sequence[Node]) -> list[dict[str, Cell]]:
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
    found = summarised(case, unit, nodes)
    spread = found.distribution
    yield f"Fleet: {case}: {len(nodes)} nodes"
    if spread:
        yield (f"  {unit}: sum {spread['sum']:.2f}, median {spread['median']:.2f}, {spread['min']:.2f} to "
               f"{spread['max']:.2f}" + (f", quartiles {spread['q1']:.2f} and {spread['q3']:.2f}, coefficient of "
                                         f"variation {100 * spread['cv']:.2f} %" if "cv" in spread else ""))
    if found.threshold is None:
        yield f"  too few nodes to tell one that differs: {fleet.LEAST_NODES} are needed"
    else:
        yield (f"  a node is an outlier from {100 * found.threshold:.1f} % off the median; less does not show in "
               "this spread")
    for outlier in found.outliers:
        why = f"; also differs: {', '.join(outlier.differs)}" if outlier.differs else ""
        noisy = ", and its result is noisy" if outlier.noisy else ""
        yield (f"  OUTLIER {outlier.node}: {outlier.value:.2f} {unit}, {100 * outlier.deviation:+.1f} % (score "
               f"{outlier.score:+.1f}){noisy}{why}")
    for odd in found.odd_facts:
        others = "; ".join(f"{value} on {fleet.counted(names)}" for value, names in odd.others.items())
        yield f"  DIFFERS {odd.fact}: {others}" + (f"; elsewhere {odd.usual}" if odd.usual else "")
    for name, why in found.without_result.items():
        yield f"  MISSING {name}: {why}"
