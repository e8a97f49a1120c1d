"""What a process's instances run, prepared and proven: the values between preparing, measuring and reporting.

Nothing here needs torch; what an instance wants of it comes as a Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ..protocol.messages import Part, Spec
from ..result.processes import Agreement, Answers
from .evidence import Evidence
from .stepper import Feed

#: ``operations_per_s``, and where memory was looked at ``bytes_per_s`` and ``stream_bytes``.
Peak: TypeAlias = dict[str, float]
#: Gets the peak measurement of an instance ready; what it returns takes the measurement.
GetPeakReady: TypeAlias = Callable[[Part], Callable[[], Peak]]
#: One line for the log.
Say: TypeAlias = Callable[[str], None]


class Runtime(Protocol):
    """What an instance's thread wants of torch."""

    def inference(self, enabled: bool) -> AbstractContextManager[object]:
        """While entered, no gradients are recorded in this thread; or they are, where it is not ``enabled``."""

    def num_threads(self) -> int:
        """Threads that this one computes with."""

    def look_at(self, output: Any) -> Answers:
        """How many answers of a step's output are finite numbers; nothing of None."""


class Peaks:
    """What the cpus of each instance reach, measured in the process's first case and kept for its next ones."""

    def __init__(self) -> None:
        self._measured: dict[tuple[int, ...], Peak] = {}

    def are_known(self) -> bool:
        """Whether the instances of this process, which are the same in each case, have measured them."""
        return bool(self._measured)

    def look(self, part: Part, get_ready: GetPeakReady | None) -> Callable[[], Peak]:
        """Get an instance's measurement ready; all take it together. ``get_ready`` is None where all are known."""
        if get_ready is None:
            return lambda: self._measured[part.cpus]
        measure = get_ready(part)

        def look() -> Peak:
            self._measured[part.cpus] = measure()
            return self._measured[part.cpus]

        return look


@dataclass
class Kept:
    """What holds for every case of a process: the peaks, and the share of denormals by the weights' SHA-256."""

    peaks: Peaks = field(default_factory=Peaks)
    denormal_shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What one step ran and how long it took; how far the model's answers agree with the plain one's."""

    evidence: Evidence
    step_s: float
    agreement: Agreement


@dataclass(frozen=True)
class Job:
    """``step`` takes what the feeds give; ``feeds`` are by instance."""

    step: Callable[[Any], Any]
    feeds: Mapping[int, Feed[Any, Any, Any]]
    runtime: Runtime
    proof: Proof
    #: Of each instance, as ``Peaks.look``.
    peak_look: GetPeakReady
    #: hit, built, rebuilt (why) or unused.
    model_cache: str
    prepare_s: float
    #: The share of denormal numbers among the activations of these weights.
    denormal_share: Callable[[], float]
    #: The file with the quantisation's scales, and how many nodes of an exported graph quantise.
    recipe: Path | None = None
    quantise_nodes: int | None = None


#: Prepares and proves. Raises what BenchError the failure is.
MakeJob: TypeAlias = Callable[[Spec, Say, Kept], Job]
