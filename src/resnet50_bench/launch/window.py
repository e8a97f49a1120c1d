"""Observe a launch: write its lines to the log, show progress on a terminal, and read the machine's counters."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ..case.case import Case
from ..errors import RunFailed
from ..machine import counters
from ..protocol.messages import Progress as State
from ..result import logfile
from ..result.logfile import Log
from .plan import least_queries
from .surroundings import STATE_VARIABLE, Surroundings

#: Seconds between progress reports of the workers. Each report costs an instance about 50 microseconds.
LIVE_S, PLAIN_S = 1.0, 15.0
_MOST_LINES = 8


class LaunchWindow:
    """The observer of one launch: from just before the first measured step until just after the last."""

    def __init__(self, case: Case, cpus: tuple[int, ...], log: Log, surroundings: Surroundings) -> None:
        """Observe the run of ``case`` on ``cpus``, which are those of all instances."""
        self._case, self._log = case, log
        rate = case.queries_per_s if case.serving else None
        shortest_s = max(case.min_duration, least_queries(case) / rate) if rate else case.min_duration
        self.view = ProgressView(0 if case.serving else case.batch_size, shortest_s, surroundings)
        self._clocks = counters.FrequencySamples(cpus)
        self._readings: list[counters.Snapshot] = []

    def say(self, line: str) -> None:
        """Write a line to the log, and report it to ctest.sh as the current activity."""
        self.view.tell(line)
        self._log.line(line)

    def started(self, pids: Sequence[int]) -> None:
        """Read the counters, then write the log's line, so that a trace begins with the first step."""
        self._readings = [counters.snapshot(pids)]
        self._log.line(logfile.start_line(self._case))

    def progressed(self, state: State) -> None:
        """Show the progress. It is not logged."""
        self.view.update(state)

    def second_passed(self) -> None:
        """Sample the clock frequencies."""
        self._clocks.sample()

    def ended(self, pids: Sequence[int]) -> None:
        """Write the log's line, then read the counters, so that a trace ends with the last step."""
        self.view.close()
        self._log.line(logfile.END_LINE)
        self._readings.append(counters.snapshot(pids))

    def counted(self) -> counters.Counters:
        """The increase of the counters during the launch, and the frequencies if they were sampled.

        Raises RunFailed if the launch did not end.
        """
        if len(self._readings) != 2:
            raise RunFailed("the instances did not measure")
        gained = counters.difference(*self._readings)
        gained.frequency = self._clocks.record()
        return gained


class ProgressView:
    """Shows the progress of the instances. It is not logged."""

    def __init__(self, batch_size: int, min_duration_s: float, surroundings: Surroundings) -> None:
        self._batch_size, self._min_duration_s = batch_size, min_duration_s
        self._terminal = _terminal(surroundings.terminal)
        self._file = Path(named) if (named := surroundings.variables.get(STATE_VARIABLE)) else None
        self.every_s = LIVE_S if self._terminal else PLAIN_S
        self._states: dict[int, State] = {}
        self._drawn, self._shown = 0, time.monotonic()

    def update(self, state: State) -> None:
        """Store one instance's state, and show all of them if it is time."""
        self._states[state.instance] = state
        if time.monotonic() - self._shown >= 0.8 * self.every_s or self._terminal:
            self._shown = time.monotonic()
            self._show()

    def tell(self, text: str) -> None:
        """Report the current activity or progress to ctest.sh while it runs."""
        if self._file and self._file.parent.is_dir():
            self._file.write_text(text)

    def close(self) -> None:
        """Remove the live view, because lines of the log follow."""
        if self._file:
            self._file.unlink(missing_ok=True)
        if self._terminal and self._drawn:
            self._terminal.write(f"\x1b[{self._drawn}F\x1b[J")
            self._terminal.flush()
            self._drawn = 0

    def _show(self) -> None:
        lines = [line(state, self._batch_size, self._min_duration_s) for _, state in sorted(self._states.items())]
        self.tell(lines[0] if len(lines) == 1 else self._summary())
        if len(lines) > (_MOST_LINES if self._terminal else 1):
            lines = [self._summary()]
        if self._terminal:
            up = f"\x1b[{self._drawn}F" if self._drawn else ""
            width = _width(self._terminal)
            self._terminal.write(up + "".join(f"\x1b[2K{text[:width]}\n" for text in lines))
            self._terminal.flush()
            self._drawn = max(self._drawn, len(lines))
        else:
            print(*lines, sep="\n", flush=True)

    def _summary(self) -> str:
        states = list(self._states.values())
        slowest = min(states, key=lambda state: state.done)
        rate = sum(state.done * self._batch_size / state.elapsed_s for state in states if state.elapsed_s)
        top1 = _top1(sum(state.right for state in states), sum(state.counted for state in states))
        shown = f"{rate:.1f} images/s" if self._batch_size else f"{sum(state.done for state in states)} steps"
        return (f"{len(states)} instances: {shown}{top1}; the last is "
                + line(slowest, self._batch_size, self._min_duration_s))


def line(state: State, batch_size: int, min_duration_s: float) -> str:
    """``instance 0: 140 of 290 steps, 48 % | 4.1 images/s | last 1951.0 ms | loss 1.203 | 2:10 left``."""
    share = state.done / state.wanted if state.wanted else 0.0
    if min_duration_s:
        share = min(share or 1.0, state.elapsed_s / min_duration_s)
    words = [f"instance {state.instance}: {state.done}" + (f" of {state.wanted}" if state.wanted else "") + " steps"
             + (f", {100 * min(1.0, share):.0f} %" if share else "")]
    if state.done and state.elapsed_s:
        if batch_size:  # else it is not the same for each step
            words.append(f"{state.done * batch_size / state.elapsed_s:.1f} images/s")
        words.append(f"last {state.last_ms:.1f} ms")
    shown = _top1(state.right, state.counted) + (f" | loss {state.loss}" if state.loss else "")
    left = f" | {_clock(state.elapsed_s * (1 - share) / share)} left" if 0 < share < 1 else ""
    return " | ".join(words) + shown + left


def _top1(right: int, counted: int) -> str:
    return f" | top-1 {100 * right / counted:.2f} %" if counted else ""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _terminal(named: str | None) -> TextIO | None:
    if sys.stdout.isatty():
        return sys.stdout
    try:
        return open(named, "w") if named else None  # noqa: SIM115 - open as long as the process
    except OSError:
        return None


def _width(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns - 1
    except OSError:
        return 79
