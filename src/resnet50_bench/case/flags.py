"""Command-line words -> parameter texts and the remaining words; the catalogue as readable text.

Shared by ``run_test.sh`` and ``ctest.sh``: ``--batch_size=8``, ``--batch_size 8``, ``--VERBOSE``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..arguments import Parser, doubled
from ..errors import BadInput
from ..tables import as_markdown
from .parameters import CATALOGUE, SWITCHES


def parse_flags(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return (texts by parameter name, the other words in order).

    Raises BadInput for a flag with no value or with two.
    """
    texts: dict[str, str] = {}
    others: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").upper().replace("-", "_")
        if not flag.startswith("--") or name not in CATALOGUE:
            others.append(word)
            continue
        if not equals and name in SWITCHES:
            value = "True"
        elif not equals and words and not words[0].startswith("--"):
            value = words.pop(0)
        elif not equals:
            raise BadInput(f"{flag} needs a value: {flag}=VALUE ({CATALOGUE[name].allowed})")
        if texts.setdefault(name, value) != value:
            raise BadInput(doubled(flag, texts[name], value))
    return texts, others


def add_parameters(parser: Parser) -> None:
    """Show the parameters in ``--help``. ``parse_flags`` removes them before the parser sees the words."""
    group = parser.add_argument_group("parameters, also variables of the environment")
    for name, meaning, allowed, default, _ in rows():
        text = f"{meaning} (default: {default})".replace("%", "%%")
        flag = f"--{name.lower()}"
        if name in SWITCHES:
            group.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            choices = [word for word in allowed.split() if word != "empty"]
            one_of = allowed != "a path" and 1 < len(choices) < 4 and all(map(str.isalpha, choices))
            metavar = "|".join(choices) if one_of else "PATH" if allowed == "a path" else "VALUE"
            group.add_argument(flag, metavar=metavar, default=argparse.SUPPRESS, help=text)


def rows() -> list[tuple[str, str, str, str, str]]:
    """A row of texts for every parameter: name, meaning, allowed, default, applies to."""
    return [(p.name, p.meaning, p.allowed, p.default_text(), p.applies_to) for p in CATALOGUE.values()]


def markdown_table() -> str:
    """The table of docs/reference/parameters.md."""
    columns = ("parameter", "meaning", "values", "default", "applies to")
    return as_markdown([dict(zip(columns, (f"`{name}`", *rest), strict=True)) for name, *rest in rows()]).rstrip()


def plain_text() -> str:
    """The text of ``--describe-params``: one block for each parameter."""
    return "\n".join(
        f"{name} (--{name.lower()})\n    {meaning}\n    values: {allowed}\n"
        f"    default: {default}\n    applies to: {applies}"
        for name, meaning, allowed, default, applies in rows())
