"""Results of the same case on several nodes -> which nodes differ in speed, and in what else; pure.

Rule: modified z-score above 3.5 (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers"), which a few bad
nodes do not spoil, and at least 1 % from the median, so that a fleet of hardly any spread raises no alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles, stdev

import msgspec

from ..result.result import ResultSummary
from ..result.stats import MAD_TO_SIGMA, OUTLIER_SCORE
from .comparability import system_facts

LEAST_DEVIATION = 0.01
#: Fewer nodes have no majority to differ from.
LEAST_NODES = 4
#: What names a node, or changes from look to look, and explains nothing.
_OWN = ("node", "cpu_mhz", "uptime_s", "load")


@dataclass(frozen=True)
class Node:
    """One node: its primary KPI (the median of its runs; None: no valid result), why not, and its facts."""

    name: str
    value: float | None
    why_not: str
    facts: Mapping[str, str]
    noisy: bool = False


@dataclass(frozen=True)
class Outlier:
    """A node whose KPI is far off: ``deviation`` from the median as a share, ``score`` its modified z-score."""

    node: Node
    deviation: float
    score: float


class OddFact(msgspec.Struct, frozen=True):
    """A fact that some nodes have otherwise than most: value -> their names; ``usual`` is None without a majority."""

    fact: str
    usual: str | None
    others: dict[str, list[str]]


def distribution(values: Sequence[float]) -> dict[str, float]:
    """``nodes``, ``sum``, ``median``, ``min``, ``max``; with two or more also ``q1``, ``q3`` and ``cv``."""
    found = {"nodes": len(values), "sum": sum(values), "median": median(values), "min": min(values),
             "max": max(values)}
    if len(values) > 1:
        q1, _, q3 = quantiles(values, n=4, method="inclusive")
        found |= {"q1": q1, "q3": q3, "cv": stdev(values) / fmean(values)}
    return found


def threshold(values: Sequence[float]) -> float | None:
    """The share of the median by which a node has to differ to be an outlier here; None for too few nodes."""
    if len(values) < LEAST_NODES:
        return None
    middle = median(values)
    spread = median(abs(value - middle) for value in values)
    return max(LEAST_DEVIATION, OUTLIER_SCORE * spread / MAD_TO_SIGMA / middle)


def outliers(nodes: Sequence[Node]) -> list[Outlier]:
    """The nodes beyond the threshold, the farthest first."""
    measured = [(node, node.value) for node in nodes if node.value is not None]
    values = [value for _, value in measured]
    least = threshold(values)
    if least is None:
        return []
    middle = median(values)
    found = [Outlier(node, value / middle - 1, OUTLIER_SCORE * (value / middle - 1) / least)
             for node, value in measured if abs(value / middle - 1) > least]
    return sorted(found, key=lambda outlier: -abs(outlier.deviation))


def odd_facts(nodes: Sequence[Node]) -> list[OddFact]:
    """What is not the same on all nodes; a fact that nearly every node has a value of its own for is no fact here."""
    found = []
    for fact in sorted({name for node in nodes for name in node.facts}):
        by_value: dict[str, list[str]] = {}
        for node in nodes:
            by_value.setdefault(node.facts.get(fact, "(not there)"), []).append(node.name)
        if len(by_value) < 2 or (len(by_value) > 2 and len(by_value) > len(nodes) / 2):
            continue
        usual, members = max(by_value.items(), key=lambda item: len(item[1]))
        majority = usual if len(members) > len(nodes) / 2 else None
        found.append(OddFact(fact, majority, {value: sorted(names) for value, names in by_value.items()
                                          if value != majority}))
    return found


def facts_of(result: ResultSummary) -> dict[str, str]:
    """System, software and usable cores of a result, as text; memory in whole GiB, for it varies by what firmware
    keeps.
    """
    found = {name: str(value) for name, value in system_facts(result).items()
             if name.split(".")[-1] not in _OWN}
    if "memory_bytes" in found:
        found["memory_GiB"] = str(round(int(found.pop("memory_bytes")) / 2**30))
    found |= {f"software.{name}": str(value) for name, value in result.software.items()}
    return found | {"core_count": str(result.topology.core_count)}


def explained(node: Node, odd: Sequence[OddFact]) -> list[str]:
    """What else sets the node apart: ``microcode 0x1 instead of 0x2b``."""
    return [f"{each.fact} {value}" + (f" instead of {each.usual}" if each.usual else "")
            for each in odd for value, names in each.others.items()
            if node.name in names and (each.usual is not None or len(names) == 1)]


def counted(names: Sequence[str]) -> str:
    """``3 nodes (a, b, c)``, at most eight of them by name."""
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} node{'s' if len(names) != 1 else ''} ({shown})"


def repeated(names: Sequence[str]) -> dict[str, int]:
    """Names that stand more than once, with how often."""
    return {name: count for name, count in Counter(names).items() if count > 1}
