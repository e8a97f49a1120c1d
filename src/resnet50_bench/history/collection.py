"""Folders -> the results below them, the newest first."""

from __future__ import annotations

import gc
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import WORKLOAD
from ..errors import BadInput
from ..files import read_text
from ..machine.cpu import is_emulated
from ..result.kpi import KPIS
from ..result.result import WARM, ResultSummary, read_summary
from ..result.server import RATES
from ..spelling import plural

#: Work other than a case's that writes results, by the file in its folder that marks it, and its greatest depth.
COMPARISON = "comparison"
_OTHER_WORK = {"sweep.json": "sweep", "versus.json": COMPARISON}
_POINT = "point"
#: What is said of several of each kind, and which commands make it.
_KINDS = {COMPARISON: " (versus, engines)", "sweep": "", _POINT: " of a sweep"}
_DEEPEST = 4
#: The case in the name of a logs folder, after the date and the workload.
_CASE_NAME = ("FUNCTION", "MODE", "PRECISION", "CASE_TYPE")
LOGS_FOLDER = re.compile(rf"\d{{8}}-\d{{6}}-logs-(?:{WORKLOAD}_)?(.+)")


@dataclass(frozen=True)
class Entry:
    """One result file. ``iteration`` is None outside a logs folder."""

    path: Path
    logs: Path
    case: str
    iteration: int | None
    result: ResultSummary

    @property
    def started_at(self) -> str:
        """The start in ISO 8601 and UTC, so that text order is time order."""
        return self.result.started_at

    @property
    def verdict(self) -> str:
        """``valid``, ``noisy`` or ``invalid``."""
        return self.result.verdict

    @property
    def outcome(self) -> str:
        """The verdict, or ``failed``. Any unknown word in a file counts as ``invalid``."""
        if self.failure is not None:
            return "failed"
        return self.verdict if self.verdict in ("valid", "noisy") else "invalid"

    @property
    def failure(self) -> str | None:
        """The reason why the run failed, None if it passed."""
        return None if self.result.failure is None else self.result.failure or "failed"

    @property
    def worker(self) -> str:
        """The name of its folder. ``worker-1-c0`` is the second node of a case on several nodes."""
        return self.path.parent.name

    @property
    def node(self) -> str:
        """The name of the machine, by the scheduler if there is one."""
        return node_file(self.path.parent) or self.result.system.node or self.worker

    @property
    def mode(self) -> str:
        """The parameter MODE."""
        return self.result.parameter("MODE")

    @property
    def reasons(self) -> str:
        """The reasons of a verdict other than ``valid``, else empty."""
        return "; ".join(self.result.reasons)

    @property
    def burst(self) -> int:
        """How many runs shared the cores (``ctest.sh --burst``). 1: it ran alone."""
        return self.result.placement.burst or 1

    @property
    def primary(self) -> tuple[str, str, float] | None:
        """(name, unit, value) of the primary KPI. None for a result that failed, is invalid, or is of emulated AMX."""
        if self.outcome not in ("valid", "noisy") or self.mode not in KPIS or is_emulated(self.result.system.cpu):
            return None
        kpi = KPIS[self.mode]
        value = kpi.value(self.result.statistics)
        # An accuracy may be 0, a time may not.
        return (kpi.name, kpi.unit, value) if value is not None and (value > 0 or kpi.unit == "%") else None

    @property
    def unusable(self) -> str:
        """The reason why there is no primary KPI, "" if there is one."""
        if self.primary:
            return ""
        if self.outcome in ("failed", "invalid"):
            return " ".join((self.failure or self.reasons or "invalid, without a reason").split())
        if is_emulated(self.result.system.cpu):
            return f"{self.result.system.cpu} computes AMX in software: its speed cannot be compared"
        return f"no primary KPI of MODE {self.mode or '(none)'} in its statistics"


def node_file(folder: Path) -> str:
    """The scheduler's name for the node of a worker folder, "" without scheduler. One host may be several nodes."""
    return read_text(folder / "node") or ""


@contextmanager
def uncollected() -> Iterator[None]:
    """A context without garbage collection. Thousands of parsed results have no cycles, so collecting wastes time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@uncollected()
def find(folders: Sequence[Path], notices: list[str] | None = None) -> list[Entry]:
    """Read every result below ``folders``, or named by them, the newest first.

    ``notices`` gets a line for each unusable file and each logs folder without a result. Raises BadInput if a folder
    or file does not exist.
    """
    told = notices if notices is not None else []
    if missing := [f"{folder}: there is no such folder or file" for folder in folders if not folder.exists()]:
        raise BadInput(*missing)
    paths: dict[Path, None] = {}
    silent: dict[Path, None] = {}
    for top in map(Path.resolve, folders):
        if top.is_file():
            paths[top] = None
            continue
        for name, below, files in os.walk(top, onerror=lambda error: told.append(str(error))):
            below[:] = sorted(each for each in below if each != RATES)  # tried rates of a search are not results
            folder = Path(name)
            if LOGS_FOLDER.fullmatch(folder.name):
                silent[folder] = None
            paths |= {folder / file: None for file in sorted(files)
                      if file.startswith("benchmark_") and file.endswith(".json")}
    entries = []
    for path in paths:
        silent.pop(_logs_folder(path), None)
        try:
            entries.append(_read(path))
        except BadInput as error:
            told.append(str(error))
    for folder in silent:
        why = re.search(r"^# INVALID RESULT: (.+)$", read_text(folder / "kpi.txt") or "", re.M)
        told.append(f"{folder} contains no result" + (f": {why[1]}" if why else ""))
    return sorted(entries, key=lambda entry: (entry.started_at, str(entry.path)), reverse=True)


def restarts(runs: Sequence[Entry]) -> list[Entry]:
    """The ``runs`` measured by new processes, in the same order. If there are none, the first run.

    Only restarts show effects that change from start to start. A sweep keeps its workers for the next point, so their
    further runs of a point are not restarts.
    """
    return [entry for entry in runs if entry.result.placement.workers != WARM] or list(runs[:1])


def of_cases(entries: Sequence[Entry], notices: list[str] | None = None) -> list[Entry]:
    """The entries without points of sweeps and runs of comparisons, which are not runs of a case.

    ``notices`` gets one line with the number of omitted folders.
    """
    work = [other_work(entry) for entry in entries]
    if notices is not None and (omitted := Counter(kind for kind, _ in set(filter(None, work)))):
        named = ", ".join(plural(omitted[kind], kind) + made_by for kind, made_by in _KINDS.items() if omitted[kind])
        is_one = omitted.total() == 1
        notices.append(f"{named} {'is' if is_one else 'are'} left out: {'its' if is_one else 'their'} runs are not "
                       "runs of a case")
    return [entry for entry, other in zip(entries, work, strict=True) if not other]


def values(runs: Sequence[Entry]) -> list[float]:
    """The primary KPIs of the runs that have one."""
    return [entry.primary[2] for entry in runs if entry.primary]


def other_work(entry: Entry) -> tuple[str, Path] | None:
    """(``sweep``, ``point`` or ``comparison``, its folder) of the work that left a result. None for a case's."""
    if LOGS_FOLDER.fullmatch(entry.logs.name):
        return None
    for folder in entry.path.parents[:_DEEPEST]:
        for name, what in _OTHER_WORK.items():
            if (folder / name).exists():
                return what, folder
    return (_POINT, entry.path) if entry.result.placement.workers else None


def _read(path: Path) -> Entry:
    """Read a result. Raises BadInput if it is not a result, damaged, or of a newer schema."""
    result = read_summary(path)
    logs = _logs_folder(path)
    named = LOGS_FOLDER.fullmatch(logs.name)
    iteration = re.search(r"/itr-(\d+)/", str(path))
    case = named[1] if named else "_".join(filter(None, map(result.parameter, _CASE_NAME)))
    return Entry(path, logs, case, int(iteration[1]) if iteration else None, result)


def _logs_folder(path: Path) -> Path:
    """The logs folder that contains ``path``, else the folder of the file."""
    return next((folder for folder in path.parents if LOGS_FOLDER.fullmatch(folder.name)), path.parent)
