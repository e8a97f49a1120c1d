"""``result-schema``: the JSON Schema of a result file on stdout, as it stands in docs/reference/result-schema.json."""

from __future__ import annotations

from ..arguments import Parser
from ..result import schema


def parser() -> Parser:
    """There are no words."""
    return Parser("resnet50-bench result-schema", "Print the JSON Schema of a result file.",
                  "resnet50-bench result-schema > docs/reference/result-schema.json")


def main(argv: list[str]) -> int:
    """Print it."""
    parser().parse_args(argv)
    print(schema.text(), end="")
    return 0
