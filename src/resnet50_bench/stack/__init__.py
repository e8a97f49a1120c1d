"""Pinned requirements -> an environment that measures."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print one line about the set-up on stderr. A script reads stdout."""
    print(f"setup: {text}", file=sys.stderr, flush=True)
