"""Runs of one thing enter; those that are restarts leave: only between them shows what changes from start to start."""

from __future__ import annotations

from collections.abc import Sequence

from ..result.result import WARM
from .collection import Entry


def restarts(runs: Sequence[Entry]) -> list[Entry]:
    """Those that were measured by fresh processes, in the same order; the first alone where none was.

    A sweep's workers stay for the next point: their further runs of a point are no restarts.
    """
    return [entry for entry in runs if entry.result.placement.workers != WARM] or list(runs[:1])
