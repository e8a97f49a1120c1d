"""Commands that print facts of the project and of this CPU. They run nothing."""

from __future__ import annotations

import json

from .. import WORKLOAD
from ..arguments import Parser
from ..case import platforms
from ..case.flags import markdown_table, plain_text, rows
from ..machine.cpu import read_cpu

_COLUMNS = ("name", "meaning", "values", "default", "applies_to")


def parameters_parser() -> Parser:
    """The options of ``parameters``."""
    options = Parser("resnet50-bench parameters", "List every parameter with its values, its default and the cases "
                     "that it applies to.", "resnet50-bench parameters")
    form = options.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print the table of docs/reference/parameters.md")
    form.add_argument("--json", action="store_true", help="print one JSON document")
    return options


def parameters(argv: list[str]) -> int:
    """Print the catalogue of parameters for people, for a program, or as a table in Markdown."""
    words = parameters_parser().parse_args(argv)
    if words.json:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows()], indent=1))
    else:
        print(markdown_table() if words.markdown else plain_text())
    return 0


def detect_platform(argv: list[str]) -> int:
    """Print the PLATFORM of this CPU; CMake reads it."""
    Parser("resnet50-bench detect-platform", "Print the PLATFORM of this CPU.", "cmake reads it").parse_args(argv)
    print(platforms.detect(read_cpu()).name)
    return 0


def best_case(argv: list[str]) -> int:
    """Print the ctest name of the fastest precision's gated throughput case."""
    Parser("resnet50-bench best-case", "Print the gated throughput case of this CPU's fastest precision.",
           './ctest.sh -V --testcase "$(resnet50-bench best-case)"').parse_args(argv)
    cpu = read_cpu()
    best, *_ = platforms.runnable((), cpu) or platforms.PLATFORMS[platforms.detect(cpu).name].precisions
    print(f"test_{WORKLOAD}_inference_throughput_{best}_gated")
    return 0


def result_schema(argv: list[str]) -> int:
    """Print the JSON Schema of a result file."""
    Parser("resnet50-bench result-schema", "Print the JSON Schema of a result file.",
           "resnet50-bench result-schema > result-schema.json").parse_args(argv)
    from ..result.result import json_schema  # the others need only Python's own library

    print(json_schema(), end="")
    return 0
