"""``parameters [--markdown | --json]``: the catalogue of parameters -> text on stdout."""

from __future__ import annotations

import json

from ..arguments import Parser
from ..case.parameters import markdown_table, plain_text, rows

_COLUMNS = ("name", "meaning", "values", "default", "applies_to")


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench parameters", "Every parameter with its values, its default and the cases it applies "
                  "to.", "resnet50-bench parameters")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--markdown", action="store_true", help="print the table of docs/reference/parameters.md")
    how.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def main(argv: list[str]) -> int:
    """Print the catalogue for people, or as the table of docs/reference/parameters.md."""
    words = parser().parse_args(argv)
    if words.json:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows()], indent=1))
    else:
        print(markdown_table() if words.markdown else plain_text())
    return 0
