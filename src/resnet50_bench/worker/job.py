"""What the instances of a process run, prepared and proven; nothing here needs torch.

``preparation.make_job`` makes a Job of a Spec; each Instance measures it; ``measurement`` reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..protocol.messages import Part, Spec
from ..result.processes import Agreement, Answers
from .evidence import Evidence
from .stepper import Feed

#: ``operations_per_s``, and where memory was looked at ``bytes_per_s`` and ``stream_bytes``.
Peak: TypeAlias = dict[str, float]
#: By an instance's cpus; measured in a process's first case, and kept for its next ones.
Peaks: TypeAlias = dict[tuple[int, ...], Peak]
#: Gets the peak measurement of an instance ready; what it returns takes the measurement.
GetPeakReady: TypeAlias = Callable[[Part], Callable[[], Peak]]
#: One line for the log.
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class PreparedModel:
    """A model ready to be called with a batch; ``cache`` says hit, built, rebuilt (why) or unused.

    ``recipe`` is the file with the quantisation's scales, where there is one; ``quantise_nodes`` is how many nodes
    of an exported graph turn numbers into 8 bits or back. ``read_kernels`` says what the model ran, where that is not
    oneDNN's log; ``threads`` is how many it computes with, where that is not torch's number.
    """

    model: Callable[[Any], Any]
    cache: str
    recipe: Path | None = None
    quantise_nodes: int | None = None
    read_kernels: Callable[[], Evidence] | None = None
    threads: Callable[[], int] | None = None


@dataclass(frozen=True)
class Job:
    """``prepared.model`` takes what the feeds give; ``feeds`` are by instance.

    ``step_s`` is how long the step took that ``evidence`` is of, ``agreement`` how far the model's answers are the
    plain one's, ``denormal_share`` that of denormal numbers among the activations of these weights.
    """

    prepared: PreparedModel
    feeds: Mapping[int, Feed]
    evidence: Evidence
    step_s: float
    agreement: Agreement
    prepare_s: float
    denormal_share: Callable[[], float]
    #: None where the process's first case has measured the peaks.
    get_peak_ready: GetPeakReady | None
    #: While entered, no gradients are recorded in this thread; or they are, where it is not given True.
    inference: Callable[[bool], AbstractContextManager[object]]
    #: Threads that this one computes with.
    num_threads: Callable[[], int]
    #: How many answers of a step's output are finite numbers; nothing of None.
    look_at: Callable[[Any], Answers]


#: Prepares and proves. Raises what BenchError the failure is.
MakeJob: TypeAlias = Callable[[Spec, Say, Peaks], Job]
