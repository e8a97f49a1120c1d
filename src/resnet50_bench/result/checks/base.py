"""Make one check, and combine several into a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..records import Check, Verdict
from ..result import ResultSummary

#: Prefixes of the variables that set the number, place and waiting of OpenMP's threads.
OPENMP = ("OMP_", "KMP_", "GOMP_")


def judge(name: str, reading: str, bad: bool, verdict: Verdict, message: str, remedy: str = "") -> Check:
    """The Check with ``verdict`` if it is ``bad``, else with OK."""
    return Check(name, reading, verdict if bad else Verdict.OK, message if bad else "", remedy if bad else "")


def unknown(name: str, why: str) -> Check:
    """A check that this machine cannot make."""
    return Check(name, "not readable", Verdict.UNKNOWN, why)


def of_machine(checks: Iterable[Check]) -> list[Check]:
    """The same checks, marked as facts about the machine."""
    return [msgspec.structs.replace(check, of_machine=True) for check in checks]


def without(result: ResultSummary, prefixes: tuple[str, ...], otherwise: str) -> str:
    """The remedy to remove variables with these prefixes from CUSTOMER_ENV. ``otherwise`` if the user set none."""
    typed = [name for name in result.customer_env() if name.startswith(prefixes)]
    return f"remove {', '.join(typed)} from CUSTOMER_ENV" if typed else otherwise


def overall(checks: Sequence[Check]) -> tuple[str, list[str]]:
    """Return (``valid`` | ``noisy`` | ``invalid``, the reasons of that verdict)."""
    for verdict in (Verdict.INVALID, Verdict.NOISY):
        reasons = [f"{c.name}: {c.message} ({c.reading})" for c in checks if c.verdict is verdict]
        if reasons:
            return verdict.value, reasons
    return "valid", []
