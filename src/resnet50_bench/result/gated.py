"""A gate's outcome for one case, in short. The case passes it to its card, so this needs only the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Gated:
    """``references``: the file, "" for none. ``points``: number of judged results (nodes, values of a --set), of which
    ``by_reference`` and ``by_history`` were compared so. ``earlier``: the most earlier runs used by the history.

    ``expected``: the reference by KPI, if there is one point. ``compared_nothing``: the gate failed only for that.
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
        """Whether the gate had anything to compare with."""
        return bool(self.by_reference or self.by_history)
