"""What a check is, and how many checks make one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum


class Verdict(str, Enum):
    """From harmless to fatal. ``UNKNOWN``: this machine cannot tell. ``NOTE``: worth knowing only."""

    OK = "ok"
    UNKNOWN = "unknown"
    NOTE = "note"
    NOISY = "noisy"
    INVALID = "invalid"


@dataclass(frozen=True)
class Check:
    """One check: ``reading`` is what was seen, ``remedy`` what the user can do about it."""

    name: str
    reading: str
    verdict: Verdict
    message: str = ""
    remedy: str = ""

    def as_record(self) -> dict[str, str]:
        """For the result file."""
        return {key: value.value if isinstance(value, Verdict) else value
                for key, value in asdict(self).items()}

    def line(self) -> str:
        """For the log and the doctor: ``[noisy] steal time: 3.1 % - a neighbour ...; do ...``."""
        words = f"[{self.verdict.value}] {self.name}: {self.reading}"
        if self.message and self.verdict is not Verdict.OK:
            words += f" - {self.message}"
        if self.remedy and self.verdict is not Verdict.OK:
            words += f"; {self.remedy}"
        return words


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
