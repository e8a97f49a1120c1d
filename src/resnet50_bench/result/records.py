"""The types of what is made of step times: statistics, and the checks with their verdicts."""

from __future__ import annotations

from enum import Enum

import msgspec

from .server import Server
from .stats import Drift, SlowSteps, Summary


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time common to all instances; ``overlap`` is its share of the longest one's."""

    duration_s: float
    overlap: float
    start_skew_ms: float = 0.0
    end_skew_ms: float = 0.0


class InstanceStatistics(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One instance's. A pass over a data set has no common window, so neither steps in it, outliers nor drift."""

    instance: int
    steps: int | None = None
    steps_in_window: int | None = None
    throughput_images_per_s: float | None = None
    latency_ms: Summary | None = None
    outliers: SlowSteps | None = None
    drift: Drift | None = None


class Accuracy(msgspec.Struct, frozen=True):
    """Right answers over ``count`` images in percent, top-1 with its 95 % interval."""

    count: int
    top1: float
    top5: float
    top1_ci95: tuple[float, float]


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All instances together; everything is None where nothing was measured."""

    window: Window | None = None
    throughput_images_per_s: float | None = None
    latency_ms: Summary | None = None
    instances: tuple[InstanceStatistics, ...] = ()
    throughput_ci95: tuple[float, float] | None = None
    interval_kind: str | None = None
    accuracy: Accuracy | None = None
    server: Server | None = None


class Verdict(str, Enum):
    """From harmless to fatal. ``UNKNOWN``: this machine cannot tell. ``NOTE``: worth knowing only."""

    OK = "ok"
    UNKNOWN = "unknown"
    NOTE = "note"
    NOISY = "noisy"
    INVALID = "invalid"


class Check(msgspec.Struct, frozen=True):
    """One check: ``reading`` is what was seen, ``remedy`` what the user can do about it.

    ``of_machine``: whether it tells what the machine did, which may be the cause of what other checks tell.
    """

    name: str
    reading: str
    verdict: Verdict
    message: str = ""
    remedy: str = ""
    of_machine: bool = False

    def line(self) -> str:
        """For the log and the doctor: ``[noisy] steal time: 3.1 % - a neighbour ...; do ...``."""
        words = f"[{self.verdict.value}] {self.name}: {self.reading}"
        if self.message and self.verdict is not Verdict.OK:
            words += f" - {self.message}"
        if self.remedy and self.verdict is not Verdict.OK:
            words += f"; {self.remedy}"
        return words
