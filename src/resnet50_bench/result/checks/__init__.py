"""A measured Result -> checks, each with a reading, a verdict and a remedy; and the result's verdict."""

from __future__ import annotations

from ..records import Check, Verdict
from ..result import Result
from . import machine, process, server, window
from .base import overall

__all__ = ["Check", "Verdict", "machine_checks", "overall", "result_checks"]

#: The checks that need no run. ``--doctor`` runs only these.
machine_checks = machine.run_all


def result_checks(result: Result) -> list[Check]:
    """Run every check of a finished run."""
    if result.parameter("MODE") == "accuracy":
        return [*process.of_answers(result), *window.of_any_run(result)]
    asked = server if result.parameter("MODE") == "server" else window
    return [*asked.run_all(result), *process.run_all(result)]
