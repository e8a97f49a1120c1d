"""``fleet FOLDER...``: the same case on several nodes -> its distribution, odd nodes, odd facts, missing nodes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..arguments import Parser
from ..errors import BadInput, Regression, RunFailed
from ..files import json_text
from ..history import fleet
from ..history.fleet_nodes import gather
from ..history.fleet_summary import rows, summarised, summary
from ..tables import as_csv, as_markdown

_TABLES = {"csv": as_csv, "markdown": as_markdown}


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench fleet", "Compare the nodes that ran the same case.",
                  "resnet50-bench fleet LOGS --format markdown")
    made.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="logs folders, or folders of them")
    made.add_argument("--format", choices=("text", *_TABLES, "json"), default="text",
                      help="csv and markdown: a row for each node")
    made.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")
    made.add_argument("--gate", action="store_true", help="a node below the others ends with status 4")
    return made


def main(argv: list[str]) -> int:
    """Print the summary; status 1 where a node failed or is missing, with --gate 4 where one is slow."""
    given = parser().parse_args(argv)
    groups = gather(given.folders)
    if not groups:
        raise BadInput(f"no results below {', '.join(map(str, given.folders))}")
    if given.format in _TABLES:
        print(_TABLES[given.format]([row for (case, unit), nodes in groups.items()
                                     for row in rows(case, unit, nodes)]), end="")
    elif given.format == "json":
        print(json_text([msgspec.to_builtins(summarised(case, unit, nodes)) for (case, unit), nodes in groups.items()],
                         indent=1))
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
