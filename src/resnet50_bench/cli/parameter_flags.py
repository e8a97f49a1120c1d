"""The parameters as options of a command: for its ``--help``, its completion, and the nearest right word."""

from __future__ import annotations

import argparse

from ..arguments import Parser
from ..case.flags import SWITCHES
from ..case.parameters import rows


def add_parameters(parser: Parser) -> None:
    """Show them; ``parse_flags`` has taken them out before the parser sees the words."""
    group = parser.add_argument_group("parameters, also variables of the environment")
    for name, meaning, allowed, default, _ in rows():
        text = f"{meaning} (default: {default})".replace("%", "%%")
        flag = f"--{name.lower()}"
        if name in SWITCHES:
            group.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            choices = [word for word in allowed.split() if word != "empty"]
            metavar = "|".join(choices) if 1 < len(choices) < 4 and all(map(str.isalpha, choices)) else "VALUE"
            group.add_argument(flag, metavar=metavar, default=argparse.SUPPRESS, help=text)
