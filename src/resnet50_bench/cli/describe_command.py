"""``describe-params [--markdown]``: the catalogue of parameters -> text on stdout."""

from __future__ import annotations

from ..case.parameters import markdown_table, plain_text
from ..errors import BadInput


def main(argv: list[str]) -> int:
    """Print the catalogue for people, or as the README's table."""
    if argv not in ([], ["--markdown"]):
        raise BadInput(f"describe-params takes only --markdown, not {' '.join(argv)}")
    print(markdown_table() if argv else plain_text())
    return 0
