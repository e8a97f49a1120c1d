"""The parts of docs/reference that are made from the code. ``scripts/docs.sh`` writes them, a test compares them.

A page marks such a part by a line ``<!-- made: NAME -->`` before it and ``<!-- end -->`` after it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from resnet50_bench.arguments import Parser
from resnet50_bench.case import engines, flags, platforms
from resnet50_bench.cli.completion_command import parser_of
from resnet50_bench.cli.tree import COMMANDS, SHOWN
from resnet50_bench.result.result import json_schema
from resnet50_bench.stack import stacks

FOLDER = Path(__file__).parents[2] / "docs/reference"
SCHEMA = FOLDER / "result-schema.json"
_PART = re.compile(r"(<!-- made: ([a-z]+) -->\n).*?(<!-- end -->)", re.S)


def every() -> list[Path]:
    """The files that are made from the code, or have such parts."""
    return sorted([*FOLDER.glob("*.md"), SCHEMA])


def current(page: Path) -> str:
    """The text of a file with each made part as the code says now. The whole schema is made."""
    if page == SCHEMA:
        return json_schema()
    return _PART.sub(lambda part: f"{part[1]}\n{_MAKERS[part[2]]()}\n\n{part[3]}", page.read_text())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def _platforms() -> str:
    return _table(("platform", "precisions"), ((f"`{name}`", _code(platform.precisions))
                                               for name, platform in platforms.PLATFORMS.items()))


def _engines() -> str:
    return _table(("`TORCH_TYPE`", "stacks", "precisions", "trains", "kernels"), (
        (f"`{name}`", _code(engine.stacks), _code(engine.precisions()), "yes" if engine.trains else "no",
         "proven" if engine.proven else "not proven") for name, engine in engines.ENGINES.items()))


def _stacks() -> str:
    return _table(("stack", "what it has", "oldest Python", "free disk space needed, default builds"), (
        (f"`{name}`", stack.purpose, ".".join(map(str, stack.oldest_python)), f"{stack.needed_gb:.0f} GB")
        for name, stack in stacks.STACKS.items()))


def _commands() -> str:
    return "\n\n".join("\n\n".join(_command(name)) for name in SHOWN)


def _command(name: str) -> Iterator[str]:
    """Heading, description, options and example of one command."""
    parser = parser_of(name)
    yield f"## {name}"
    if parser is None:
        yield f"{COMMANDS[name].about[:1].upper()}{COMMANDS[name].about[1:]}."
        return
    yield (parser.description or "").replace("<", "\\<")
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if action.help != argparse.SUPPRESS
                 and not {"--help", "--version"} & {*action.option_strings}]
        if (group.title or "").startswith("parameters"):
            yield "Each [parameter](parameters.md) is an option, too, for example `--batch_size=8`."
        elif shown:
            yield _table(("word" if group.title == "positional arguments" else "option", "meaning"),
                         (_option(parser, action) for action in shown))
    for text in filter(None, re.split(r"^example:$\n?", parser.epilog or "", flags=re.M)):
        yield from _epilog(text)


def _option(parser: Parser, action: argparse.Action) -> tuple[str, str]:
    words = parser._get_formatter()._format_action_invocation(action)
    return f"`{words}`", (action.help or "").replace("%%", "%").replace("<", "\\<")


def _epilog(text: str) -> Iterator[str]:
    """Lines that begin with two spaces are commands, the others text."""
    lines = text.splitlines()
    examples = [line.strip() for line in lines if line.startswith("  ")]
    words = [line for line in lines if line and not line.startswith("  ")]
    if examples:
        yield "\n".join(("```sh", *examples, "```"))
    if words:
        yield "\n".join(words)


_MAKERS = {"parameters": flags.markdown_table, "platforms": _platforms, "engines": _engines, "stacks": _stacks,
           "commands": _commands}

if __name__ == "__main__":
    for page in every():
        text = current(page)
        if text != page.read_text():
            page.write_text(text)
            print(f"written: {page}", file=sys.stderr)
