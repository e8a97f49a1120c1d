"""A folder of results, references and earlier runs -> one judgement of the newest runs. Prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..checkout import typed
from ..errors import BadInput, Regression, RunFailed
from ..result.gated import Gated
from ..result.kpi import KPIS
from .collection import COMPARISON, LOGS_FOLDER, Entry, find, of_cases, other_work
from .judgement import (
    FAILED,
    LAST,
    SKIPPED,
    AgainstHistory,
    AgainstReference,
    Finding,
    NotCompared,
    RepeatedRuns,
    findings,
    points,
)
from .references import NoReference, References


@dataclass(frozen=True)
class JudgedPoint:
    """A point with all its findings."""

    point: RepeatedRuns
    findings: Sequence[Finding]

    @property
    def by_reference(self) -> list[AgainstReference]:
        """Its comparisons with references."""
        return [finding for finding in self.findings if isinstance(finding, AgainstReference)]

    @property
    def by_history(self) -> list[AgainstHistory]:
        """Its comparisons with earlier runs."""
        return [finding for finding in self.findings if isinstance(finding, AgainstHistory)]

    @property
    def is_compared(self) -> bool:
        """Whether the point was compared with anything."""
        return any(finding.state != SKIPPED for finding in self.findings)


@dataclass(frozen=True)
class WithoutReference:
    """A judged result without a reference in the file. ``label`` names it, ``newest`` is its newest run."""

    label: str
    newest: Entry
    why: NoReference


@dataclass
class Judgement:
    """Each point with its findings, and the results that could not be judged. ``references``: the file, or None.

    ``allow_missing``: whether results without a reference pass. ``notices``: problems that affect the judgement.
    """

    references: Path | None = None
    allow_missing: bool = False
    judged: list[JudgedPoint] = field(default_factory=list)
    #: (case, reason) of the newest runs that failed, are invalid or have no result.
    broken: list[tuple[str, str]] = field(default_factory=list)
    without_reference: list[WithoutReference] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def regressions(self) -> list[tuple[RepeatedRuns, Finding]]:
        """Every failed finding, with its point."""
        return [(judged.point, finding) for judged in self.judged for finding in judged.findings
                if finding.state == FAILED]

    @property
    def missing(self) -> list[WithoutReference]:
        """The results without a reference that fail the gate."""
        return [] if self.allow_missing else self.without_reference

    @property
    def status(self) -> int:
        """The exit status. A regression takes precedence over a broken run and over nothing compared."""
        return (Regression.exit_status if self.regressions else RunFailed.exit_status if self.broken or self.missing
                else 0)

    def gated(self) -> Gated:
        """The short form of the judgement, for a case's card."""
        by_reference = [judged.by_reference for judged in self.judged if judged.by_reference]
        by_history = [judged.by_history for judged in self.judged if judged.by_history]
        alone = by_reference[0] if len(self.judged) == 1 and by_reference else []
        return Gated(
            passed=self.status == 0, compared_nothing=bool(self.missing and not self.regressions and not self.broken),
            references=str(self.references or ""), points=len(self.judged), by_reference=len(by_reference),
            expected={finding.kpi: finding.expected for finding in alone}, by_history=len(by_history),
            earlier=max((finding.earlier for findings in by_history for finding in findings), default=0))


def judge(logs: Path, references: References | None = None, last: int = LAST, base: Path | None = None,
          allow_missing: bool = False) -> Judgement:
    """Judge the newest logs folder of each case below ``logs``. The case's earlier results are its history.

    ``base``: the folder of earlier results, by default that of the judged ones. ``last``: how many of them count.
    Raises BadInput without any result.
    """
    notices: list[str] = []
    found = find([logs], notices)
    entries = of_cases(found, notices)
    if not entries:
        raise _nothing_to_judge(logs, found, notices)
    newest = _newest(entries)
    judgement = Judgement(references.path if references else None, allow_missing, notices=notices,
                          broken=_without_result(logs, entries))
    for point in points([entry for entry in newest if entry.primary]):
        # Earlier logs folders are beside the judged one. Results outside logs folders are in one folder.
        here = point.newest.logs
        beside = here.parent if LOGS_FOLDER.fullmatch(here.name) else here
        judged = JudgedPoint(point, findings(point, references, base or beside, last))
        judgement.judged.append(judged)
        lacks = [finding.why for finding in judged.findings
                 if isinstance(finding, NotCompared) and isinstance(finding.why, NoReference)]
        if lacks and not judged.by_reference:
            judgement.without_reference.append(WithoutReference(point.label, point.newest, lacks[0]))
    for entry in newest:
        if entry.primary:
            continue
        if entry.failure is not None or entry.verdict == "invalid" or entry.mode in KPIS:
            judgement.broken.append((entry.case, f"{entry.path}: {entry.unusable}"))
            continue
        # The run is sound, but its MODE is not compared.
        notices.append(f"{entry.path} is not judged: {entry.unusable}")
        if references and isinstance(why := references.of(entry), NoReference):
            judgement.without_reference.append(WithoutReference(entry.case, entry, why))
    return judgement


def _nothing_to_judge(logs: Path, found: Sequence[Entry], notices: Sequence[str]) -> BadInput:
    """The error if no result ``found`` at ``logs`` is of a case."""
    if logs.is_file() and not found:
        return BadInput(*notices)
    works = dict.fromkeys(filter(None, map(other_work, found)))
    if len(works) != 1 or next(iter(works))[0] != COMPARISON:
        return BadInput(f"{logs} has no result of a case to judge", notices=notices)
    (_, folder), = works
    sides = sorted({place.parent for place in folder.glob("[A-Z]/round-*")})[:2]
    remedy = f" Compare its sides: {typed('scripts/resnet50-bench.sh')} compare {' '.join(map(str, sides))}"
    return BadInput(f"{logs} has no result of a case to judge. It belongs to the comparison {folder}."
                    + remedy * (len(sides) == 2), notices=notices)


def _newest(entries: Sequence[Entry]) -> list[Entry]:
    """Each case's newest logs folder with all its iterations. Outside of logs folders, the newest file."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.case, entry)
    return [entry for entry in entries
            if entry is first[entry.case] or (entry.iteration is not None and entry.logs == first[entry.case].logs)]


def _without_result(logs: Path, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Cases whose newest logs folder has no result. They were not measured, so an older result must not count."""
    newest: dict[str, Path] = {}
    for folder in sorted([logs, *logs.rglob("*-logs-*")], key=lambda folder: folder.resolve().name):
        named = LOGS_FOLDER.fullmatch(folder.resolve().name)
        if named and folder.is_dir():
            newest[named.group(1)] = folder.resolve()
    measured = {entry.logs for entry in entries}
    return [(case, f"{folder} contains no result") for case, folder in newest.items() if folder not in measured]
