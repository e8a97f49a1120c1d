"""The environment that measures, as this process's variables choose it."""

from __future__ import annotations

import os

from resnet50_bench.stack.environment import StackChoice


def chosen() -> StackChoice:
    """At the time of the call."""
    return StackChoice.of(os.environ)
