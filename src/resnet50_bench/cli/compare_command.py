"""``compare A B``: two results, or folders of repeated runs -> differences, a ratio and a verdict."""

from __future__ import annotations

import sys
from pathlib import Path

from ..arguments import Parser
from ..errors import BadInput
from ..history import comparison


def parser() -> Parser:
    options = Parser("resnet50-bench compare", "Compare two results, or two folders of repeated runs, case by case.",
                     "resnet50-bench compare monday/ tuesday/")
    add = options.add_argument
    add("a", type=Path, metavar="A", help="the baseline: a result file or a folder")
    add("b", type=Path, metavar="B", help="a result file or a folder")
    add("--json", action="store_true", help="print one JSON document. Everything else goes to stderr")
    add("--anyway", action="store_true", help="give a verdict even if the settings differ")
    return options


def main(argv: list[str]) -> int:
    """Print the comparison. Raises BadInput if nothing, or not everything, can be compared."""
    words = parser().parse_args(argv)
    compared = comparison.compare(words.a, words.b, words.anyway)
    for line in comparison.lines(compared):
        print(line, file=sys.stderr if words.json else sys.stdout)
    if words.json:
        print(comparison.as_json(compared))
    if errors := comparison.errors(compared):
        raise BadInput(*errors)
    return 0
