"""The types of a worker process's report: each instance's step times, and facts about the process."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec

from .server import Served


class Run(msgspec.Struct, frozen=True):
    """One instance's measurement.

    ``starts_ns`` and ``ends_ns`` bound each step by the monotonic clock, which all processes of
    a machine share; step i took ``ends_ns[i] - starts_ns[i]``.
    """

    instance: int
    process: int
    pid: int
    cpus: tuple[int, ...]
    observed_cpus: tuple[int, ...]
    memory_node: int | None
    warmup_steps: int
    warmup_s: float
    steady: bool
    peak: dict[str, float]
    starts_ns: tuple[int, ...]
    ends_ns: tuple[int, ...]

    def times_ms(self, begin_ns: float = -math.inf, end_ns: float = math.inf) -> list[float]:
        """The times in ms of the steps completely between two moments."""
        return [(end - begin) / 1e6 for begin, end in zip(self.starts_ns, self.ends_ns, strict=True)
                if begin >= begin_ns and end <= end_ns]


class Convolution(msgspec.Struct, frozen=True):
    """One convolution of the proving step, in oneDNN's terms. ``time_ms`` in ms."""

    kernel: str
    source_type: str
    shape: str
    time_ms: float


class Agreement(msgspec.Struct, omit_defaults=True):
    """The agreement of the prepared model with plain fp32 over ``images`` images. ``top1_agreement`` is a share."""

    images: int = 0
    top1_agreement: float = 0.0
    largest_logit_difference: float = 0.0
    logit_spread: float = 0.0


class Answers(msgspec.Struct, frozen=True):
    """The number of checked answers, and how many of them have NaN or infinite numbers."""

    count: int
    not_finite: int


class RightAnswers(msgspec.Struct, omit_defaults=True):
    """How many of ``count`` images had the right class first, and among the first five.

    ``not_finite``: number of answers with NaN or infinite numbers.
    """

    count: int
    top1: int
    top5: int
    not_finite: int = 0


class Training(msgspec.Struct, kw_only=True):
    """One instance's training. ``top1`` is the share of right answers during the last tenth of the steps.

    A loss is None if it was NaN or infinite.
    """

    losses: list[float | None] = []
    began_at: int = 0
    steps: int = 0
    total_steps: int = 0
    rank: int = 0
    world: int = 1
    backend: str = ""
    top1: float = 0.0
    weights_sha256: str


class FeedRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The source of an instance's images. All None for dummy images. ``bad``: (file, why it could not be decoded)."""

    decoded: int | None = None
    bad: list[tuple[str, str]] | None = None
    animated: int | None = None
    decode_s: float | None = None
    wait_s: float | None = None
    loader_images_per_s: float | None = None
    loader_workers: int | None = None
    pool_batches: int | None = None
    counts: RightAnswers | None = None
    served: Served | None = None
    training: Training | None = None


class Facts(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A process's facts about itself. Instance numbers are text. ``usage`` is getrusage's over the window.

    ``answers``: of each instance's last output. ``computing_cpus``: the allowed cpus of each computing thread, by
    instance. ``unproven``: why the kernels cannot be proven, or None if they are. ``local_memory`` and
    ``denormal_share`` are shares, None if not measured.
    """

    layers: list[Convolution] = []
    usage: dict[str, int | float] = {}
    agreement: Agreement | None = None
    data: dict[str, FeedRecord] = {}
    answers: dict[str, Answers] = {}
    omp_threads: dict[str, int] = {}
    computing_cpus: dict[str, list[list[int]]] = {}
    memory: dict[str, int] = {}
    torch_version: str | None = msgspec.field(default=None, name="Torch_Version")
    torchvision_version: str | None = msgspec.field(default=None, name="Torchvision_Version")
    ipex_version: str | None = msgspec.field(default=None, name="IPEX_Version")
    quantise_nodes: int | None = None
    unproven: str | None = None
    local_memory: float | None = None
    denormal_share: float | None = None


class ProcessReport(msgspec.Struct, frozen=True):
    """One process's facts, with the runs of its instances. ``kernels`` counts how often each ran."""

    process: int
    pid: int
    prepare_s: float
    model_cache: str
    allocator: str
    kernels: dict[str, int]
    runs: tuple[Run, ...]
    facts: Facts = msgspec.field(default_factory=Facts)


def read_report(path: Path) -> ProcessReport:
    """Read a worker's report. msgspec.ValidationError names the place of an error in it."""
    return msgspec.convert(json.loads(path.read_text()), ProcessReport)  # json accepts NaN, msgspec does not
