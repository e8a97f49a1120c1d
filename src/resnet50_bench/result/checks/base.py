"""What a check is, and how many checks make one verdict."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Check, Verdict


def judge(name: str, reading: str, bad: bool, verdict: Verdict, message: str, remedy: str = "") -> Check:
    """The Check with ``verdict`` where it is ``bad``, else with OK."""
    return Check(name, reading, verdict if bad else Verdict.OK, message if bad else "", remedy if bad else "")


def unknown(name: str, why: str) -> Check:
    """A check that this machine cannot make."""
    return Check(name, "not readable", Verdict.UNKNOWN, why)


def overall(checks: Sequence[Check]) -> tuple[str, list[str]]:
    """(``valid`` | ``noisy`` | ``invalid``, the reasons of that verdict)."""
    for verdict in (Verdict.INVALID, Verdict.NOISY):
        reasons = [f"{c.name}: {c.message} ({c.reading})" for c in checks if c.verdict is verdict]
        if reasons:
            return verdict.value, reasons
    return "valid", []
