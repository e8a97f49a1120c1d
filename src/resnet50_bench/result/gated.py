"""What a gate came to for one case, in short: handed from the case to its card, so it needs no other package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Gated:
    """``references``: the file, empty for none; ``points``: how many results were judged (nodes, values of a --set), of
    them ``by_reference`` and ``by_history``, which is of ``earlier`` runs at most.

    ``expected``: the reference by KPI, where there is one point; ``compared_nothing``: it failed for that alone.
    """

    passed: bool
    compared_nothing: bool = False
    references: str = ""
    points: int = 0
    by_reference: int = 0
    by_history: int = 0
    earlier: int = 0
    expected: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_judged(self) -> bool:
        """Whether anything was there to judge by."""
        return bool(self.by_reference or self.by_history)
