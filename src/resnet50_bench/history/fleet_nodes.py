"""Results of one case on several nodes -> the nodes, also those that gave no result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from . import fleet
from .collection import Entry, find, node_file
from .fleet import Node


def gather(folders: Sequence[Path]) -> dict[tuple[str, str], list[Node]]:
    """(case, unit of its KPI) -> its nodes by name; a worker folder without a result is a node without a value."""
    return _groups(find(folders), [folder.resolve() for folder in folders])


def compared(entries: Sequence[Entry]) -> dict[tuple[str, str], list[Node]]:
    """As ``gather``, of results that are read already: the cases that ran on two or more nodes."""
    found = _groups(entries, [Path("/")])
    return {key: nodes for key, nodes in found.items() if len(nodes) > 1}


def _groups(entries: Sequence[Entry], tops: Sequence[Path]) -> dict[tuple[str, str], list[Node]]:
    """Empty worker folders count below ``tops`` only."""
    cases: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        cases.setdefault(entry.case, {}).setdefault(entry.node, []).append(entry)
    empty: dict[str, dict[str, str]] = {}
    for logs, case in {entry.logs: entry.case for entry in entries}.items():
        for folder in logs.glob("itr-*/worker-*-c0"):
            if any(map(folder.is_relative_to, tops)) and not any(folder.glob("benchmark_*.json")):
                empty.setdefault(case, {})[node_file(folder) or folder.name] = _status(folder)
    made = {}
    for case, by_name in cases.items():
        nodes = [_node(name, runs) for name, runs in by_name.items()]
        nodes += [Node(name, None, why, {}) for name, why in empty.get(case, {}).items() if name not in by_name]
        unit = next((run.primary[1] for runs in by_name.values() for run in runs if run.primary), "")
        made[case, unit] = sorted(nodes, key=lambda node: node.name)
    return made


def _status(folder: Path) -> str:
    try:
        return f"no result, exit status {(folder / 'status').read_text().strip()}"
    except OSError:
        return "no result and no exit status: it never came to its end"


def _node(name: str, runs: Sequence[Entry]) -> Node:
    values = [run.primary[2] for run in runs if run.primary]
    return Node(name, median(values) if values else None, "" if values else runs[0].unusable,
                fleet.facts_of(runs[0].result), any(run.verdict == "noisy" for run in runs))
