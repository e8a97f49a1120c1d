"""What a sweep tells whoever watches it; it prints nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..case.case import Case, UndecidedCase
from .known_points import KnownPoints
from .outlook import Standing
from .search import Place


class SweepObserver(Protocol):
    """Told of each thing as it happens."""

    def search_begins(self, case: UndecidedCase) -> None:
        """No numbers are known for the case's ``auto``: a short search is made."""

    def known_before(self, runs: int) -> None:
        """So many runs are in the folder already and are not measured again."""

    def duel_begins(self, points: KnownPoints, places: Sequence[Place]) -> None:
        """The places are close: fresh processes of each will take turns."""

    def tried(self, case: Case, line: str) -> None:
        """One rate of a case with TARGET_QPS=auto was tried; ``line`` says how it ended."""

    def measured(self, points: KnownPoints, place: Place, standing: Standing) -> None:
        """The place was measured, or failed; where the sweep stands."""

    def ended(self, precisions: Sequence[KnownPoints], table: Path, best: Path) -> None:
        """What is known of each precision, the file with all tables, and the one that reproduces the best."""
