"""Estimate the duration of cases from their last runs here, and show their progress."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .. import WORKLOAD
from ..files import read_text
from .build_folder import results_folder
from .handover import read_records

#: Without -V nothing else is printed while a case runs.
EVERY_S = 25.0


def last_durations(results: Path) -> dict[str, float]:
    """Seconds that one iteration of a case took when it last passed, by the case's name without the workload."""
    durations: dict[str, float] = {}
    for logs in sorted(results.glob(f"*-logs-{WORKLOAD}_*"), reverse=True):
        option = logs.name.partition(f"-logs-{WORKLOAD}_")[2]
        if option not in durations and (took_s := _duration_s(logs)) is not None:
            durations[option] = took_s
    return durations


def usual_case_s() -> float | None:
    """Median seconds of the cases that have passed here, None without any."""
    known = last_durations(results_folder()).values()
    return median(known) if known else None


def _duration_s(logs: Path) -> float | None:
    """From the configuration, which is written first, to the KPIs, which are written last; None if it failed."""
    try:
        statuses = [path.read_text().strip() for path in logs.glob("itr-*/worker-0-c0/status")]
        took_s = (logs / "kpi.txt").stat().st_mtime - (logs / "workload-config.yaml").stat().st_mtime
    except OSError:
        return None
    return took_s / len(statuses) if statuses and {*statuses} == {"0"} and took_s > 0 else None


def options_of(cases: Sequence[str]) -> list[str]:
    """Cases' names without the workload."""
    return [name.removeprefix(f"test_{WORKLOAD}_") for name in cases]


def forecast(cases: Sequence[str], known: Mapping[str, float], rounds: int = 1) -> str:
    """One line on several cases of ``rounds`` iterations each: how long they are likely to take."""
    options = options_of(cases)
    unknown = [option for option in options if option not in known]
    if len(unknown) == len(options):
        return f"{len(options)} cases: the time is unknown, because none has passed here yet"
    sum_s = rounds * sum(known.get(option, 0.0) for option in options)
    rest = f", and {len(unknown)} that have not passed here yet" if unknown else ""
    return f"{len(options)} cases: about {_clock(sum_s)} if each takes as long as its last run here{rest}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h" if whole >= 3600 else (
        f"{whole // 60}:{whole % 60:02d} min" if whole >= 60 else f"{whole} s")


@dataclass(frozen=True)
class Watch:
    """What a call of ctest.sh knows of its cases while they run.

    ``started``: the file that each case writes its name to; ``state``: the file that says what it does and how far it
    is; ``statuses``: what cases told of their end. ``shown_elsewhere``: whether the screen shows a new state at once.
    """

    cases: Sequence[str]
    known: Mapping[str, float]
    rounds: int
    started: Path
    state: Path
    statuses: Path
    shown_elsewhere: bool = False

    def line(self) -> str:
        """The running case's progress and the remaining time. "" if no case runs or the screen shows it already."""
        option, ended = read_text(self.started), {record.option for record in read_records(self.statuses)}
        state = read_text(self.state) or ""
        if not option or option in ended or (self.shown_elsewhere and _age_s(self.state) < EVERY_S):
            return ""
        parts = [f"{option} for {_clock(_age_s(self.started))}", state]
        if "left" not in state and option in self.known:
            parts.append(f"its last run took {_clock(self.rounds * self.known[option])}")
        if len(self.cases) > 1:
            parts.append(self._rest([name for name in options_of(self.cases) if name not in {*ended, option}]))
        return " | ".join(filter(None, parts))

    def _rest(self, options: Sequence[str]) -> str:
        """The estimated duration of the cases after the running one."""
        known = [self.known[option] for option in options if option in self.known]
        lengths = [f"about {_clock(self.rounds * sum(known))}"] if known else []
        lengths += [f"{len(options) - len(known)} of unknown length"] if len(known) < len(options) else []
        return f"then {len(options)} more: {' and '.join(lengths)}" if options else "the last case"


def _age_s(file: Path) -> float:
    """Seconds since the file was written; infinite if there is none."""
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return math.inf


@contextmanager
def telling(watch: Watch | None) -> Iterator[None]:
    """Print the watch's line every EVERY_S while the body runs."""
    over = threading.Event()

    def tell() -> None:
        with suppress(BrokenPipeError):  # nobody reads any more; the cases run on
            while not over.wait(EVERY_S):
                if watch and (line := watch.line()):
                    print(f"      {line}", flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    if watch:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if watch:
            thread.join()
