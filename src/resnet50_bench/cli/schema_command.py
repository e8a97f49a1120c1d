"""``result-schema``: the JSON Schema of a result file on stdout, as it stands in docs/result-schema.json."""

from __future__ import annotations

from ..arguments import Parser
from ..result import schema


def parser() -> Parser:
    """There are no words."""
    return Parser("resnet50-bench result-schema", "The JSON Schema of a result file: docs/result-schema.json.",
                  "resnet50-bench result-schema > docs/result-schema.json")


def main(argv: list[str]) -> int:
    """Print it."""
    parser().parse_args(argv)
    print(schema.text(), end="")
    return 0
