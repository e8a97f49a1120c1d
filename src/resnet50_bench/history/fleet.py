"""Results of the same case on several nodes -> nodes that differ in speed or facts, and nodes without a result.

Rule: modified z-score above 3.5 (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers"), which is robust
against a few bad nodes, and at least 1 % from the median, so that a very uniform fleet raises no alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, median, quantiles, stdev

import msgspec

from ..files import read_text
from ..result.result import ResultSummary
from ..result.stats import MAD_TO_SIGMA, OUTLIER_SCORE
from ..spelling import plural
from ..tables import Cell
from .collection import Entry, find, node_file, values
from .comparability import system_facts

LEAST_DEVIATION = 0.01
#: With fewer nodes there is no majority.
LEAST_NODES = 4
#: Facts that name a node or change all the time, and so explain nothing.
_OWN = ("node", "cpu_mhz", "uptime_s", "load")


@dataclass(frozen=True)
class Node:
    """One node: its primary KPI (the median of its runs; None without a valid result), why None, and its facts."""

    name: str
    value: float | None
    why_not: str
    facts: Mapping[str, str]
    noisy: bool = False


class Outlier(msgspec.Struct, frozen=True):
    """A node far from the median. ``deviation`` is a share of the median, ``score`` the modified z-score. ``differs``:
    its differing facts."""

    node: str
    value: float
    deviation: float
    score: float
    noisy: bool
    differs: list[str]


class OddFact(msgspec.Struct, frozen=True):
    """A fact that differs on some nodes: their names by value. ``usual`` is None without a majority."""

    fact: str
    usual: str | None
    others: dict[str, list[str]]


class FleetSummary(msgspec.Struct, frozen=True):
    """The summary of one case's nodes. ``threshold`` is None if too few nodes have a value."""

    case: str
    unit: str
    distribution: dict[str, float]
    threshold: float | None
    outliers: list[Outlier]
    odd_facts: list[OddFact]
    without_result: dict[str, str]


@dataclass(frozen=True)
class Fleet:
    """The nodes of one case by name. ``unit`` is the KPI's."""

    case: str
    unit: str
    nodes: Sequence[Node]

    @cached_property
    def values(self) -> list[float]:
        """The KPI of each node with a valid result."""
        return [node.value for node in self.nodes if node.value is not None]

    @cached_property
    def middle(self) -> float:
        """The median of the values, 0 without values."""
        return median(self.values) if self.values else 0.0

    @cached_property
    def threshold(self) -> float | None:
        """The deviation, as a share of the median, above which a node is an outlier. None for too few nodes."""
        if len(self.values) < LEAST_NODES:
            return None
        spread = median(abs(value - self.middle) for value in self.values)
        return max(LEAST_DEVIATION, OUTLIER_SCORE * spread / MAD_TO_SIGMA / self.middle)

    @cached_property
    def outliers(self) -> dict[str, Outlier]:
        """The nodes beyond the threshold, the farthest first."""
        if self.threshold is None:
            return {}
        far = [Outlier(node.name, node.value, deviation, OUTLIER_SCORE * deviation / self.threshold, node.noisy,
                       self.differs(node))
               for node in self.nodes if node.value is not None
               and abs(deviation := node.value / self.middle - 1) > self.threshold]
        return {outlier.node: outlier for outlier in sorted(far, key=lambda outlier: -abs(outlier.deviation))}

    @cached_property
    def odd_facts(self) -> list[OddFact]:
        """The facts that differ between nodes. Ignores a fact with a different value on almost every node."""
        nodes = [node for node in self.nodes if node.facts]
        odd = []
        for fact in sorted({name for node in nodes for name in node.facts}):
            by_value: dict[str, list[str]] = {}
            for node in nodes:
                by_value.setdefault(node.facts.get(fact, "(not there)"), []).append(node.name)
            if len(by_value) < 2 or (len(by_value) > 2 and len(by_value) > len(nodes) / 2):
                continue
            value, members = max(by_value.items(), key=lambda item: len(item[1]))
            usual = value if len(members) > len(nodes) / 2 else None
            odd.append(OddFact(fact, usual, {value: sorted(names) for value, names in by_value.items()
                                             if value != usual}))
        return odd

    def differs(self, node: Node) -> list[str]:
        """The node's unusual facts: ``microcode 0x1 instead of 0x2b``."""
        return [f"{odd.fact} {value}" + (f" instead of {odd.usual}" if odd.usual else "")
                for odd in self.odd_facts for value, names in odd.others.items()
                if node.name in names and (odd.usual is not None or len(names) == 1)]

    @property
    def summary(self) -> FleetSummary:
        """The summary without the single nodes."""
        return FleetSummary(self.case, self.unit, _distribution(self.values), self.threshold,
                            list(self.outliers.values()), self.odd_facts,
                            {node.name: node.why_not for node in self.nodes if node.value is None})


def _distribution(values: Sequence[float]) -> dict[str, float]:
    """``nodes``, ``sum``, ``median``, ``min``, ``max``; from two nodes on also ``q1``, ``q3`` and ``cv``."""
    if not values:
        return {}
    spread = {"nodes": len(values), "sum": sum(values), "median": median(values), "min": min(values),
              "max": max(values)}
    if len(values) > 1:
        q1, _, q3 = quantiles(values, n=4, method="inclusive")
        spread |= {"q1": q1, "q3": q3, "cv": stdev(values) / fmean(values)}
    return spread


def gather(folders: Sequence[Path]) -> list[Fleet]:
    """A fleet for each case. A worker folder without a result is a node without a value."""
    return _fleets(find(folders), [folder.resolve() for folder in folders])


def of_several_nodes(entries: Sequence[Entry]) -> list[Fleet]:
    """As ``gather``, from results already read: only cases that ran on two or more nodes."""
    return [fleet for fleet in _fleets(entries, [Path("/")]) if len(fleet.nodes) > 1]


def _fleets(entries: Sequence[Entry], tops: Sequence[Path]) -> list[Fleet]:
    """A fleet for each case. Searches for empty worker folders only below ``tops``."""
    cases: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        cases.setdefault(entry.case, {}).setdefault(entry.node, []).append(entry)
    nodes = {case: {name: _node(name, runs) for name, runs in by_name.items()} for case, by_name in cases.items()}
    for logs, case in {entry.logs: entry.case for entry in entries}.items():
        for folder in logs.glob("itr-*/worker-*-c0"):
            if any(map(folder.is_relative_to, tops)) and not any(folder.glob("benchmark_*.json")):
                name, status = node_file(folder) or folder.name, read_text(folder / "status")
                why = ("no result and no exit status: it did not finish" if status is None
                       else f"no result, exit status {status}")
                nodes[case].setdefault(name, Node(name, None, why, {}))
    units = {entry.case: entry.primary[1] for entry in reversed(entries) if entry.primary}
    return [Fleet(case, units.get(case, ""), sorted(by_name.values(), key=lambda node: node.name))
            for case, by_name in nodes.items()]


def _node(name: str, runs: Sequence[Entry]) -> Node:
    measured = values(runs)
    return Node(name, median(measured) if measured else None, "" if measured else runs[0].unusable,
                _facts(runs[0].result), any(run.verdict == "noisy" for run in runs))


def _facts(result: ResultSummary) -> dict[str, str]:
    """System, software and usable cores as text. Memory in whole GiB, because firmware reserves varying amounts."""
    facts = {name: str(value) for name, value in system_facts(result).items() if name.split(".")[-1] not in _OWN}
    if "memory_bytes" in facts:
        facts["memory_GiB"] = str(round(int(facts.pop("memory_bytes")) / 2**30))
    facts |= {f"software.{name}": str(value) for name, value in result.software.items()}
    return facts | {"core_count": str(result.topology.core_count)}


def rows(fleet: Fleet) -> list[dict[str, Cell]]:
    """A row for each node. ``deviation`` is a share of the median."""
    return [{"case": fleet.case, "node": node.name, "value": node.value, "unit": fleet.unit,
             "deviation": node.value / fleet.middle - 1 if node.value is not None else None,
             "outlier": node.name in fleet.outliers, "noisy": node.noisy, "why_not": node.why_not,
             "differs": "; ".join(fleet.differs(node))} for node in fleet.nodes]


def lines(fleet: Fleet) -> Iterator[str]:
    """The summary as lines for people."""
    summary, unit = fleet.summary, fleet.unit
    spread = summary.distribution
    yield f"Fleet: {fleet.case}: {len(fleet.nodes)} nodes"
    if spread:
        yield (f"  {unit}: sum {spread['sum']:.2f}, median {spread['median']:.2f}, {spread['min']:.2f} to "
               f"{spread['max']:.2f}" + (f", quartiles {spread['q1']:.2f} and {spread['q3']:.2f}, coefficient of "
                                         f"variation {100 * spread['cv']:.2f} %" if "cv" in spread else ""))
    if summary.threshold is None:
        yield f"  too few nodes to find an outlier: {LEAST_NODES} or more are needed"
    else:
        yield (f"  a node is an outlier from {100 * summary.threshold:.1f} % from the median on; with this spread a "
               "smaller difference cannot be found")
    for outlier in summary.outliers:
        why = f"; also differs: {', '.join(outlier.differs)}" if outlier.differs else ""
        noisy = ", and its result is noisy" if outlier.noisy else ""
        yield (f"  OUTLIER {outlier.node}: {outlier.value:.2f} {unit}, {100 * outlier.deviation:+.1f} % (score "
               f"{outlier.score:+.1f}){noisy}{why}")
    for odd in summary.odd_facts:
        others = "; ".join(f"{value} on {counted(names)}" for value, names in odd.others.items())
        yield f"  DIFFERS {odd.fact}: {others}" + (f"; elsewhere {odd.usual}" if odd.usual else "")
    yield from (f"  MISSING {name}: {why}" for name, why in summary.without_result.items())


def counted(names: Sequence[str]) -> str:
    """``3 nodes (a, b, c)``, at most eight of them by name."""
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{plural(len(names), 'node')} ({shown})"
