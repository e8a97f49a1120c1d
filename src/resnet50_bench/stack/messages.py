"""What the set-up says while it works, on stderr: stdout is for what a script reads."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line."""
    print(f"setup: {text}", file=sys.stderr, flush=True)
