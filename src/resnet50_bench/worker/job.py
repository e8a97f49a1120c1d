"""The prepared and proven work of a process's instances. Does not need torch.

``preparation.make_job`` makes a Job from a Spec, each Instance measures it, and ``measurement`` reports it.
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

#: ``operations_per_s``, and if memory was measured ``bytes_per_s`` and ``stream_bytes``.
Peak: TypeAlias = dict[str, float]
#: Peaks by an instance's cpus. Measured in a process's first case and kept for its later ones.
Peaks: TypeAlias = dict[tuple[int, ...], Peak]
#: Prepares the peak measurement of an instance, and returns the function that measures.
GetPeakReady: TypeAlias = Callable[[Part], Callable[[], Peak]]
#: One line for the log.
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class PreparedModel:
    """A model ready to be called with a batch. ``cache`` is hit, built, rebuilt (with the reason) or unused.

    ``recipe`` is the file with the quantisation's scales, if there is one. ``quantise_nodes`` is the number of nodes of
    an exported graph that quantise or dequantise. ``read_kernels`` returns the kernels if oneDNN's log does not show
    them. ``threads`` is the number of computing threads if it is not torch's.
    """

    model: Callable[[Any], Any]
    cache: str
    recipe: Path | None = None
    quantise_nodes: int | None = None
    read_kernels: Callable[[], Evidence] | None = None
    threads: Callable[[], int] | None = None


@dataclass(frozen=True)
class Job:
    """A model or trainer with its ``feeds``, one for each instance. ``prepared.model`` takes their batches.

    ``step_s`` is the time of the step that gave ``evidence``. ``agreement`` compares the model's answers with the plain
    model's. ``denormal_share`` is the share of denormal numbers among the activations of these weights.
    """

    prepared: PreparedModel
    feeds: Mapping[int, Feed]
    evidence: Evidence
    step_s: float
    agreement: Agreement
    prepare_s: float
    denormal_share: Callable[[], float]
    #: None if the process's first case has measured the peaks.
    get_peak_ready: GetPeakReady | None
    #: A context for this thread that records no gradients if called with True, else records them.
    inference: Callable[[bool], AbstractContextManager[object]]
    #: Number of threads that the calling thread computes with.
    num_threads: Callable[[], int]
    #: Counts the finite answers in a step's output. Empty for None.
    look_at: Callable[[Any], Answers]


#: Prepares a job and proves its kernels. Raises the BenchError that fits the failure.
MakeJob: TypeAlias = Callable[[Spec, Say, Peaks], Job]
