"""A launch, as it is observed -> lines in the log, a live view, and what the machine did while instances measured."""

from __future__ import annotations

from collections.abc import Sequence

from ..case.case import Case
from ..errors import RunFailed
from ..machine import counters
from ..protocol.messages import Progress as State
from ..result import logfile
from ..result.logfile import Log
from .plan import Surroundings
from .progress import ProgressView


class LaunchWindow:
    """The observer of one launch: from just before the first measured step until just after the last."""

    def __init__(self, case: Case, cpus: tuple[int, ...], log: Log, surroundings: Surroundings) -> None:
        """``cpus`` are those of all instances."""
        self._case, self._log = case, log
        self._view = ProgressView(case.batch_size, case.min_duration, surroundings)
        self._clocks = counters.FrequencySamples(cpus)
        self._readings: list[counters.Snapshot] = []

    @property
    def progress_s(self) -> float:
        """How often the view wants to know where instances stand."""
        return self._view.every_s

    def say(self, line: str) -> None:
        """Into the log, and to ctest.sh as what is done now."""
        self._view.tell(line)
        self._log.line(line)

    def started(self, pids: Sequence[int]) -> None:
        """Read the counters; the log's line comes last, so that a trace begins with the first step."""
        self._readings = [counters.snapshot(pids)]
        self._log.line(logfile.start_line(self._case))

    def progressed(self, state: State) -> None:
        """Show it; nothing of it reaches the log."""
        self._view.update(state)

    def second_passed(self) -> None:
        """Sample the clock frequencies."""
        self._clocks.sample()

    def ended(self, pids: Sequence[int]) -> None:
        """The log's line comes first, so that a trace ends with the last step."""
        self.close()
        self._log.line(logfile.END_LINE)
        self._readings.append(counters.snapshot(pids))

    def close(self) -> None:
        """Take the live view away; also of a launch that failed."""
        self._view.close()

    def counted(self) -> counters.Counters:
        """What the counters gained, and the frequencies where they were sampled.

        Raises RunFailed where the launch did not come to its end.
        """
        if len(self._readings) != 2:
            raise RunFailed("the instances did not measure")
        gained = counters.difference(*self._readings)
        gained.frequency = self._clocks.record()
        return gained
