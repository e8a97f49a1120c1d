"""``fleet FOLDER...``: the same case on several nodes -> its distribution, odd nodes, odd facts, missing nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ..arguments import Parser
from ..errors import BadInput, Regression, RunFailed
from ..history import fleet
from ..history.collection import Entry, find, node_file
from ..history.fleet import Node
from .list_command import as_csv, as_markdown

_TABLES = {"csv": as_csv, "markdown": as_markdown}


def main(argv: list[str]) -> int:
    """Print the summary; status 1 where a node failed or is missing, with --gate 4 where one is slow."""
    parser = Parser(prog="fleet", description="Compare the nodes that ran the same case.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="logs folders, or folders of them")
    parser.add_argument("--format", choices=("text", *_TABLES, "json"), default="text",
                        help="csv and markdown: a row for each node")
    parser.add_argument("--gate", action="store_true", help="a node below the others ends with status 4")
    given = parser.parse_args(argv)
    groups = gather(given.folders)
    if not groups:
        raise BadInput(f"no results below {', '.join(map(str, given.folders))}")
    if given.format in _TABLES:
        print(_TABLES[given.format]([row for (case, unit), nodes in groups.items()
                                     for row in rows(case, unit, nodes)]), end="")
    elif given.format == "json":
        print(json.dumps([record(case, unit, nodes) for (case, unit), nodes in groups.items()], indent=1))
    else:
        print("\n\n".join("\n".join(summary(case, unit, nodes)) for (case, unit), nodes in groups.items()))
    lost = sorted({node.name for nodes in groups.values() for node in nodes if node.value is None})
    if lost:
        raise RunFailed(f"{fleet.counted(lost)} without a valid result")
    slow = sorted({outlier.node.name for (_, unit), nodes in groups.items() for outlier in fleet.outliers(nodes)
                   if (outlier.deviation < 0) != (unit == "ms")})
    if given.gate and slow:
        raise Regression(f"{fleet.counted(slow)} slower than the others")
    return 0


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
                fleet.facts_of(runs[0].document), any(run.verdict == "noisy" for run in runs))


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
