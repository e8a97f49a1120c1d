"""The types of a result's statistics, and of checks with their verdicts."""

from __future__ import annotations

from enum import Enum

import msgspec

from .server import Server
from .stats import Drift, SlowSteps, Summary


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time in which all instances measured. ``overlap`` is its share of the longest instance's time."""

    duration_s: float
    overlap: float
    start_skew_ms: float = 0.0
    end_skew_ms: float = 0.0


class InstanceStatistics(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One instance's statistics. A pass over a data set has no common window, so no steps in it, outliers or drift."""

    instance: int
    steps: int | None = None
    steps_in_window: int | None = None
    throughput_images_per_s: float | None = None
    latency_ms: Summary | None = None
    outliers: SlowSteps | None = None
    drift: Drift | None = None


class Accuracy(msgspec.Struct, frozen=True):
    """Right answers in percent over ``count`` images. Top-1 has its 95 % interval."""

    count: int
    top1: float
    top5: float
    top1_ci95: tuple[float, float]


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The statistics of all instances together. Everything is None if nothing was measured."""

    window: Window | None = None
    throughput_images_per_s: float | None = None
    latency_ms: Summary | None = None
    instances: tuple[InstanceStatistics, ...] = ()
    throughput_ci95: tuple[float, float] | None = None
    interval_kind: str | None = None
    accuracy: Accuracy | None = None
    server: Server | None = None


class Verdict(str, Enum):
    """Verdicts from harmless to fatal. ``UNKNOWN``: not available on this machine. ``NOTE``: information only."""

    OK = "ok"
    UNKNOWN = "unknown"
    NOTE = "note"
    NOISY = "noisy"
    INVALID = "invalid"


class Check(msgspec.Struct, frozen=True):
    """One check. ``reading`` is the observed value, ``remedy`` the user's possible action.

    ``of_machine``: whether it is about the machine, and so may explain findings of other checks.
    """

    name: str
    reading: str
    verdict: Verdict
    message: str = ""
    remedy: str = ""
    of_machine: bool = False

    def line(self) -> str:
        """The line for the log and the doctor: ``[noisy] steal time: 3.1 % - a neighbour ...; do ...``."""
        words = f"[{self.verdict.value}] {self.name}: {self.reading}"
        if self.message and self.verdict is not Verdict.OK:
            words += f" - {self.message}"
        if self.remedy and self.verdict is not Verdict.OK:
            words += f"; {self.remedy}"
        return words
