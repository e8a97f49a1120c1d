"""``reference [LOGS...]``: measured results -> a references file for ``gate``, as YAML on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from ..arguments import Parser
from ..ctest.build_folder import USUAL_RESULTS, readable_results
from ..history import new_references
from ..history.collection import find


def parser() -> Parser:
    options = Parser("resnet50-bench reference", "Print a references file: the median of the valid runs of each case, "
                     "and a tolerance from their spread (at least 3 %).", "resnet50-bench reference > references.yaml")
    options.add_argument("logs", nargs="*", type=Path, metavar="LOGS",
                         help=f"logs folders, folders with logs folders, or results (default: {USUAL_RESULTS})")
    options.add_argument("--noisy", action="store_true", help="also use noisy results (for a machine that is never "
                         "quiet)")
    return options


def main(argv: list[str]) -> int:
    """Print the file. Omissions are named on stderr. Raises BadInput if no result is valid."""
    words = parser().parse_args(argv)
    notices: list[str] = []
    lines = new_references.made_of(find(words.logs or [readable_results()], notices), words.noisy, notices)
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    print("\n".join(lines))
    return 0
