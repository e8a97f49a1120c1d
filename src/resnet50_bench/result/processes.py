"""The types of what worker processes report of themselves: each instance's step times, and the facts beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec

from .server import Served


class Run(msgspec.Struct, frozen=True):
    """One instance's values.

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
        """The times in ms of the steps that are wholly between two moments."""
        return [(end - begin) / 1e6 for begin, end in zip(self.starts_ns, self.ends_ns, strict=True)
                if begin >= begin_ns and end <= end_ns]


class Convolution(msgspec.Struct, frozen=True):
    """One convolution of the proving step, as oneDNN names it; ``time_ms`` in ms."""

    kernel: str
    source_type: str
    shape: str
    time_ms: float


class Agreement(msgspec.Struct, omit_defaults=True):
    """How far the prepared model's answers are plain fp32's, over ``images`` images; ``top1_agreement`` is a share."""

    images: int = 0
    top1_agreement: float = 0.0
    largest_logit_difference: float = 0.0
    logit_spread: float = 0.0


class Answers(msgspec.Struct, frozen=True):
    """Images whose answers were looked at, and how many of these hold NaN or infinite numbers."""

    count: int
    not_finite: int


class RightAnswers(msgspec.Struct, omit_defaults=True):
    """Of ``count`` images, how many had the right class first, and among the first five.

    ``not_finite`` answers held NaN or infinite numbers.
    """

    count: int
    top1: int
    top5: int
    not_finite: int = 0


class Training(msgspec.Struct, kw_only=True):
    """What one instance's training came to; ``top1`` is a share of the last tenth's images, as they were learnt.

    A loss is None where it was NaN or infinite.
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
    """What gave an instance its images; all None for dummy ones. ``bad``: (file, why it could not be decoded)."""

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
    """What a process says of itself. Instance numbers are text; ``usage`` is getrusage's over the window.

    ``answers``: of the last output of each instance. ``computing_cpus``: of each of an instance's threads that computed
    meanwhile, the cpus that it may run on. ``unproven``: why nothing can show which kernels ran; None where they were
    shown. ``local_memory`` and ``denormal_share`` are shares, None where nobody looked.
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
    """What one process found out about itself, with the runs of its instances; ``kernels`` are how often each ran."""

    process: int
    pid: int
    prepare_s: float
    model_cache: str
    allocator: str
    kernels: dict[str, int]
    runs: tuple[Run, ...]
    facts: Facts = msgspec.field(default_factory=Facts)


def read_report(path: Path) -> ProcessReport:
    """What a worker wrote. msgspec.ValidationError names the place of what is wrong in it."""
    return msgspec.convert(json.loads(path.read_text()), ProcessReport)  # json reads NaN, msgspec does not
