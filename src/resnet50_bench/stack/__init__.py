"""Pinned requirements -> an environment that measures."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line of what the set-up does, on stderr: stdout is for what a script reads."""
    print(f"setup: {text}", file=sys.stderr, flush=True)
