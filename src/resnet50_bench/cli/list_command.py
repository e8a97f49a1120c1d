"""``list-kpi.sh``: folders with results -> their KPIs in one of several formats on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from ..arguments import Parser, number_of
from ..ctest.build_folder import USUAL_RESULTS, readable_results
from ..files import json_text
from ..history import listing
from ..history.collection import find
from ..tables import as_csv, as_markdown

_TABLES = {"json": lambda rows: json_text(rows, indent=1) + "\n", "csv": as_csv, "markdown": as_markdown}


def parser() -> Parser:
    """The options of ``list``, with their meaning in WSF."""
    options = Parser("resnet50-bench list", "List the KPIs of all results in the folders.",
                     "resnet50-bench list --all --recent 5")
    which = options.add_mutually_exclusive_group()
    which.add_argument("--primary", action="store_true", help="only the primary KPI (default)")
    which.add_argument("--all", action="store_true", help="every KPI")
    add = options.add_argument
    add("--params", action="store_true", help="also the parameters")
    add("--recent", type=number_of(1), metavar="N", help="only the N newest logs folders")
    add("--format", choices=("list", *_TABLES, "prometheus"), default="list", help="the format (default: list)")
    add("--json", action="store_const", const="json", dest="format", help="as --format json")
    add("folders", nargs="*", type=Path, metavar="FOLDER", help=f"default: {USUAL_RESULTS}")
    return options


def main(argv: list[str]) -> int:
    """Print the KPIs. Files that are not results are named on stderr."""
    words = parser().parse_args(argv)
    notices: list[str] = []
    entries = find(words.folders or [readable_results()], notices)
    if words.recent:
        newest = list(dict.fromkeys(entry.logs for entry in entries))[:words.recent]
        entries = [entry for entry in entries if entry.logs in newest]
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    if words.format == "list":
        text = "".join(f"{line}\n" for line in listing.lines(entries, words.all, words.params))
    elif words.format == "prometheus":
        text = listing.prometheus(entries, words.all)
    else:
        text = _TABLES[words.format](listing.rows(entries, words.all, words.params))
    print(text, end="")
    return 0
