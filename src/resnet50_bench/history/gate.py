"""A folder of results, references and earlier runs enter; one judgement of the newest runs leaves. Prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BadInput, Regression, RunFailed
from ..result.gated import Gated
from ..result.kpi import KPIS
from .collection import LOGS_FOLDER, Entry, find, of_cases
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
    """A point with all that was found of it."""

    point: RepeatedRuns
    findings: Sequence[Finding]

    def of_kind(self, kind: type[AgainstReference] | type[AgainstHistory]) -> list[AgainstReference | AgainstHistory]:
        """Its comparisons of a kind that were made."""
        return [finding for finding in self.findings if isinstance(finding, kind)]

    @property
    def is_compared(self) -> bool:
        """Whether anything was there to judge by."""
        return any(finding.state != SKIPPED for finding in self.findings)

    @property
    def regressions(self) -> list[Finding]:
        """What failed."""
        return [finding for finding in self.findings if finding.state == FAILED]


@dataclass(frozen=True)
class WithoutReference:
    """A judged result that the references file holds nothing for. ``label`` names it, ``newest`` is its newest run."""

    label: str
    newest: Entry
    why: NoReference


@dataclass
class Judgement:
    """Each point with its findings, and what could not be judged. ``references``: the file, None for none.

    ``allow_missing``: whether results without a reference pass.
    """

    references: Path | None = None
    allow_missing: bool = False
    judged: list[JudgedPoint] = field(default_factory=list)
    #: (case, why): the newest runs that failed, are invalid or left no result.
    broken: list[tuple[str, str]] = field(default_factory=list)
    without_reference: list[WithoutReference] = field(default_factory=list)
    #: What disturbs the judgement, for people.
    notices: list[str] = field(default_factory=list)

    @property
    def regressions(self) -> list[tuple[RepeatedRuns, Finding]]:
        """Every finding that failed, with its point."""
        return [(judged.point, finding) for judged in self.judged for finding in judged.regressions]

    @property
    def missing(self) -> list[WithoutReference]:
        """The results without a reference that fail the gate."""
        return [] if self.allow_missing else self.without_reference

    @property
    def status(self) -> int:
        """The exit status: a regression beats what is broken or compared nothing."""
        return (Regression.exit_status if self.regressions else RunFailed.exit_status if self.broken or self.missing
                else 0)

    def gated(self) -> Gated:
        """The judgement in short, for a case's card."""
        by_reference = [made for judged in self.judged if (made := judged.of_kind(AgainstReference))]
        by_history = [made for judged in self.judged if (made := judged.of_kind(AgainstHistory))]
        return Gated(
            passed=self.status == 0, compared_nothing=bool(self.missing and not self.regressions and not self.broken),
            references=str(self.references or ""), points=len(self.judged), by_reference=len(by_reference),
            expected={each.kpi: each.expected for each in by_reference[0]} if len(self.judged) == 1 and by_reference
            else {}, by_history=len(by_history),
            earlier=max((each.earlier for made in by_history for each in made if isinstance(each, AgainstHistory)),
                        default=0))


def judge(logs: Path, references: References | None = None, last: int = LAST, base: Path | None = None,
          allow_missing: bool = False) -> Judgement:
    """The newest occasion of each case below ``logs``; of each case's results those before are the history.

    ``base``: where the earlier results are, if not beside the judged ones; ``last``: how many of them count. Raises
    BadInput where there is no result at all.
    """
    notices: list[str] = []
    entries = of_cases(find([logs], notices), notices)
    if not entries:
        raise BadInput(f"{logs}: there is no result to judge", *notices)
    newest = _newest(entries)
    without_kpi = [entry for entry in newest if _has_no_kpi(entry)]
    notices += [f"{entry.path} is not judged: {entry.unusable}" for entry in without_kpi]
    unusable = [entry for entry in newest if not entry.primary and entry not in without_kpi]
    made = Judgement(references.path if references else None, allow_missing, notices=notices,
                     broken=[*_without_result(logs, entries),
                             *((entry.case, f"{entry.path}: {entry.unusable}") for entry in unusable)])
    for point in points([entry for entry in newest if entry.primary]):
        # Beside a logs folder are the earlier ones; results outside any are in one folder.
        here = point.newest.logs
        beside = here.parent if LOGS_FOLDER.fullmatch(here.name) else here
        made.judged.append(JudgedPoint(point, findings(point, references, base or beside, last)))
    if references:
        made.without_reference = [*_without_reference(made.judged), *(
            WithoutReference(entry.case, entry, why) for entry in without_kpi
            if isinstance(why := references.of(entry), NoReference))]
    return made


def _without_reference(judged: Sequence[JudgedPoint]) -> list[WithoutReference]:
    found = []
    for each in judged:
        lacks = [finding.why for finding in each.findings
                 if isinstance(finding, NotCompared) and isinstance(finding.why, NoReference)]
        if lacks and not each.of_kind(AgainstReference):
            found.append(WithoutReference(each.point.label, each.point.newest, lacks[0]))
    return found


def _has_no_kpi(entry: Entry) -> bool:
    """Whether the run is sound, but of a MODE whose results are not compared."""
    return entry.failure is None and entry.verdict != "invalid" and entry.mode not in KPIS


def _newest(entries: Sequence[Entry]) -> list[Entry]:
    """Each case's newest logs folder with all its iterations; outside of logs folders the newest file."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.case, entry)
    return [entry for entry in entries
            if entry is first[entry.case] or (entry.iteration is not None and entry.logs == first[entry.case].logs)]


def _without_result(logs: Path, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """A case whose newest logs folder holds no result was not measured: an older result must not pass for it."""
    found: dict[str, Path] = {}
    for folder in sorted([logs, *logs.rglob("*-logs-*")], key=lambda folder: folder.resolve().name):
        named = LOGS_FOLDER.fullmatch(folder.resolve().name)
        if named and folder.is_dir():
            found[named.group(1)] = folder.resolve()
    measured = {entry.logs for entry in entries}
    return [(case, f"{folder} holds no result") for case, folder in found.items() if folder not in measured]
