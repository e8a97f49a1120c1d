"""What the command ``engines`` has found to be the fastest on this CPU: values that TORCH_TYPE=auto is made of.

``sweep/known_engines.py`` reads and writes them; a case only takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KnownEngine:
    """An engine with proven kernels on a stack, and what it reached on the day ``found_at``."""

    engine: str
    stack: str
    images_per_s: float
    batch_size: int
    cores_per_instance: int
    found_at: str

    def shown(self, precision: str) -> str:
        """For a notice: what it reached, at which settings, and when."""
        return (f"the proven one that reached the most here at {precision}, {self.images_per_s:.1f} images/s with "
                f"BATCH_SIZE={self.batch_size} CORES_PER_INSTANCE={self.cores_per_instance}, found on {self.found_at}")


@dataclass(frozen=True)
class KnownEngines:
    """The fastest by precision; ``why_not`` says at which precisions what was found does not count, and why.

    ``why_none``: why nothing counts, whatever the precision. Each is a sentence that ends with what to do.
    """

    fastest: Mapping[str, KnownEngine] = field(default_factory=dict)
    why_not: Mapping[str, str] = field(default_factory=dict)
    why_none: str = ""

    def missing(self, precision: str) -> str:
        """Why there is none at a precision, and what finds one."""
        return (self.why_none or self.why_not.get(precision)
                or f"which engine is the fastest here at {precision} is not known; {remedy(precision)}")


def remedy(precision: str) -> str:
    """What finds the fastest."""
    return f"this finds it: scripts/resnet50-bench.sh engines --precision={precision}"
