"""``python3 -m resnet50_bench COMMAND``: by this Python, or where it lacks libraries by the one that measures."""

from __future__ import annotations

import os
import sys

from .cli.tree import main
from .errors import BenchError
from .stack.environment import AGAIN, run_again


def start(argv: list[str]) -> int:
    """The command's exit status. A command's modules are imported before it does anything, so it can begin again."""
    again = os.environ.pop(AGAIN, "")  # what this command starts begins anew
    try:
        return main(argv)
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
    try:
        run_again(argv, bool(again))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
