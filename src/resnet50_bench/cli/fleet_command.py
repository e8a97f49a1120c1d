"""``fleet FOLDER...``: the same case on several nodes -> its distribution, odd nodes, odd facts, missing nodes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..arguments import Parser
from ..errors import BadInput, Regression, RunFailed
from ..files import json_text
from ..history.fleet import counted, gather, lines, rows
from ..tables import as_csv, as_markdown

_TABLES = {"csv": as_csv, "markdown": as_markdown}


def parser() -> Parser:
    options = Parser("resnet50-bench fleet", "Compare the nodes that ran the same case.",
                     "resnet50-bench fleet LOGS --format markdown")
    add = options.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="logs folders, or folders with logs folders")
    add("--format", choices=("text", *_TABLES, "json"), default="text", help="csv and markdown: a row for each node")
    add("--json", action="store_const", const="json", dest="format", help="as --format json")
    add("--gate", action="store_true", help="end with status 4 if a node is slower than the others")
    return options


def main(argv: list[str]) -> int:
    """Print the summary; status 1 where a node failed or is missing, with --gate 4 where one is slow."""
    words = parser().parse_args(argv)
    fleets = gather(words.folders)
    if not fleets:
        raise BadInput(f"no results below {', '.join(map(str, words.folders))}")
    if words.format in _TABLES:
        print(_TABLES[words.format]([row for fleet in fleets for row in rows(fleet)]), end="")
    elif words.format == "json":
        print(json_text([msgspec.to_builtins(fleet.summary) for fleet in fleets], indent=1))
    else:
        print("\n\n".join("\n".join(lines(fleet)) for fleet in fleets))
    lost = sorted({node.name for fleet in fleets for node in fleet.nodes if node.value is None})
    if lost:
        raise RunFailed(f"{counted(lost)} without a valid result")
    slow = sorted({outlier.node for fleet in fleets for outlier in fleet.outliers.values()
                   if (outlier.deviation < 0) != (fleet.unit == "ms")})
    if words.gate and slow:
        raise Regression(f"{counted(slow)} slower than the others")
    return 0
