"""Runs of one point, references and earlier runs -> findings: passed, failed or skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import ClassVar

from ..result.comparison_stats import control_limit
from ..result.kpi import KPIS
from ..result.stats import DRIFT_MINIMUM, drift
from . import collection, comparability
from .collection import LOGS_FOLDER, Entry
from .references import Lack, NoReference, References

#: One run shows no spread. Two or more give a prediction interval: for two, 16 deviations on each side.
LEAST_HISTORY = 2
#: The number of restarts for a useful tolerance.
ENOUGH_RESTARTS = 5
#: The default number of earlier logs folders that count.
LAST = 10
#: A significant decline matters from this share on.
TREND_TOLERANCE = 0.05
#: The most folders of one case read in search of comparable runs, so that the end of a case does not take minutes.
_MOST_FOLDERS = 300
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class _Against:
    """A comparison. ``value``: the median of the judged runs. ``expected``: its counterpart. Both in the KPI's unit.
    ``tolerance``: a share of ``expected``."""

    kpi: str
    value: float
    expected: float
    tolerance: float

    @property
    def change(self) -> float:
        """The deviation from the expected value, as a share of it."""
        return self.value / self.expected - 1

    @property
    def state(self) -> str:
        """Failed if the value is worse by more than the tolerance. A better value never fails."""
        return FAILED if _is_beyond(-KPIS[self.kpi].sign * self.change, self.tolerance) else PASSED


@dataclass(frozen=True)
class AgainstReference(_Against):
    """A KPI compared with a reference. ``runs``: number of judged runs."""

    runs: int
    kind: ClassVar = "reference"


@dataclass(frozen=True)
class AgainstHistory(_Against):
    """A KPI compared with the median of ``earlier`` valid runs."""

    earlier: int
    kind: ClassVar = "earlier runs"


@dataclass(frozen=True)
class Trend:
    """A line fitted to the last ``runs`` runs, from ``first`` to ``newest``. ``change``: its relative change over them.

    ``is_significant``: whether it is statistically significant.
    """

    kpi: str
    change: float
    first: float
    newest: float
    runs: int
    is_significant: bool
    kind: ClassVar = "trend"

    @property
    def state(self) -> str:
        """Failed at a significant decline that is large enough to matter."""
        return FAILED if self.is_significant and -KPIS[self.kpi].sign * self.change > TREND_TOLERANCE else PASSED


@dataclass(frozen=True)
class FewEarlier:
    """Too few earlier runs: ``there`` of ``needed`` comparable valid ones. ``noisy`` ones do not count.

    ``differing``: the differences of the newest earlier run, if none is comparable.
    """

    needed: int
    there: int
    noisy: int
    differing: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotCompared:
    """A comparison of this ``kind`` that could not be made, with the reason."""

    kind: str
    kpi: str
    why: NoReference | FewEarlier
    state: ClassVar = SKIPPED


#: The outcome of one comparison.
Finding = AgainstReference | AgainstHistory | Trend | NotCompared


@dataclass(frozen=True)
class RepeatedRuns:
    """Repeated runs of one configuration on one node, newest first: valid and noisy ones with one comparability key."""

    label: str
    runs: Sequence[Entry]

    @property
    def newest(self) -> Entry:
        """The newest run."""
        return self.runs[0]

    @property
    def noisy(self) -> list[Entry]:
        """The noisy runs."""
        return [entry for entry in self.runs if entry.verdict == "noisy"]

    def value(self, kpi: str) -> float | None:
        """The runs' median of a KPI, in its unit."""
        return _median(self.runs, kpi)


def _median(runs: Sequence[Entry], kpi: str) -> float | None:
    found = [KPIS[kpi].value(entry.result.statistics) for entry in runs]
    values = [value for value in found if value is not None and value > 0]
    return median(values) if values else None


def points(runs: Sequence[Entry]) -> list[RepeatedRuns]:
    """Group usable runs by case, comparability key and node. Labels name the differences between a case's points.

    Groups by node because a fleet's median would hide its slow node. A single node may have a new name per container.
    """
    fleets = {entry.case for entry in runs if entry.worker != "worker-0-c0" and entry.iteration is not None}
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in runs:
        found.setdefault((entry.case, _key(entry), entry.node if entry.case in fleets else ""), []).append(entry)
    made = []
    for (case, _, node), inside in sorted(found.items(), key=lambda item: item[0][2]):
        same_case = [others[0].result for (other_case, *_), others in found.items() if other_case == case]
        mine = inside[0].result
        differing = dict.fromkeys(name for other in same_case
                                  for _, name, _, _ in comparability.differences(mine, other))
        values = comparability.key(mine)
        words = [f"{name}={values[name]}" for name in differing if name in values]
        made.append(RepeatedRuns(" ".join([case, *words, *([f"on {node}"] if node else [])]), inside))
    return made


def _key(entry: Entry) -> str:
    return json.dumps(comparability.key(entry.result), sort_keys=True, default=str)


@dataclass
class Earlier:
    """The last earlier logs folders with valid runs of a point's key, newest first, and the number of skipped ``noisy``
    runs. ``differing``: see ``FewEarlier``."""

    occasions: list[list[Entry]] = field(default_factory=list)
    noisy: int = 0
    differing: tuple[str, ...] = ()

    def lack(self, needed: int, there: int) -> FewEarlier:
        """The finding for too few earlier runs."""
        return FewEarlier(needed, there, self.noisy, () if there or self.noisy else self.differing)


def earlier(point: RepeatedRuns, base: Path, last: int) -> Earlier:
    """Find the earlier runs of a point, in at most ``last`` logs folders.

    One logs folder counts once, however many iterations it has. Otherwise a run with --loop 20 would be the whole
    history, and would hide a drift over weeks.
    """
    found = Earlier()
    for runs in _occasions(point.newest, base):
        before = [entry for entry in runs if entry.primary
                  and entry.started_at < min(run.started_at for run in point.runs)]
        same = [entry for entry in before if _key(entry) == _key(point.newest)]
        valid = [entry for entry in same if entry.verdict == "valid"]
        found.noisy += len(same) - len(valid)
        if valid:
            found.occasions.append(valid)
        elif before and not same and not found.differing:
            found.differing = tuple(sorted(comparability.things(point.newest.result, before[0].result)))
        if len(found.occasions) == last:
            break
    return found


def _occasions(judged: Entry, base: Path) -> Iterator[list[Entry]]:
    """Yield the earlier runs of the case below ``base``, newest first, one logs folder at a time. Reads lazily."""
    if LOGS_FOLDER.fullmatch(judged.logs.name):
        named = [(folder, LOGS_FOLDER.fullmatch(folder.name)) for folder in base.rglob("*-logs-*")]
        folders = [folder for folder, match in named if match and match.group(1) == judged.case
                   and folder.resolve() != judged.logs]
        for folder in sorted(folders, key=lambda folder: folder.name, reverse=True)[:_MOST_FOLDERS]:
            yield collection.find([folder], [])
    else:
        yield from ([entry] for entry in collection.of_cases(collection.find([base], [])) if entry.path != judged.path)


def findings(point: RepeatedRuns, references: References | None, base: Path, last: int) -> list[Finding]:
    """All findings of a point, in order."""
    made: list[Finding] = [] if references is None else list(_by_reference(point, references))
    before = earlier(point, base, last)
    kpi = point.newest.mode
    medians = (_median(as_many(runs, point.runs), kpi) for runs in before.occasions)
    values = [value for value in medians if value is not None]
    return [*made, _by_history(point, kpi, values, before), _by_trend(point, kpi, values, before)]


def as_many(runs: Sequence[Entry], judged: Sequence[Entry]) -> list[Entry]:
    """As many earlier iterations as are judged, because the median of many varies less than a single restart."""
    iterations = sorted({entry.iteration or 0 for entry in runs})[:len({entry.iteration for entry in judged})]
    return [entry for entry in runs if (entry.iteration or 0) in iterations]


def _by_reference(point: RepeatedRuns, references: References) -> Iterator[Finding]:
    found = references.of(point.newest)
    if isinstance(found, NoReference):
        yield NotCompared(AgainstReference.kind, point.newest.mode, found)
        return
    for kpi, reference in found.items():
        value = point.value(kpi)
        yield (NotCompared(AgainstReference.kind, kpi, NoReference(Lack.KPI, (kpi,))) if value is None else
               AgainstReference(kpi, value, reference.value, reference.tolerance, len(point.runs)))


def _by_history(point: RepeatedRuns, kpi: str, values: Sequence[float], before: Earlier) -> Finding:
    value = point.value(kpi)
    if value is None or len(values) < LEAST_HISTORY:
        return NotCompared(AgainstHistory.kind, kpi, before.lack(LEAST_HISTORY, len(values)))
    middle, tolerance = control_limit(values)
    return AgainstHistory(kpi, value, middle, tolerance, len(values))


def _by_trend(point: RepeatedRuns, kpi: str, values: Sequence[float], before: Earlier) -> Finding:
    value = point.value(kpi)
    series = [*reversed(values), *([] if value is None else [value])]
    if len(series) < DRIFT_MINIMUM:
        return NotCompared(Trend.kind, kpi, before.lack(DRIFT_MINIMUM - 1, len(values)))
    found = drift(series)
    return Trend(kpi, found.relative, series[0], series[-1], len(series), found.significant)


def _usual(earlier: Sequence[float]) -> tuple[float, float] | None:
    """(middle, tolerance) of the ``earlier`` values. None for too few."""
    return None if len(earlier) < LEAST_HISTORY or median(earlier) <= 0 else control_limit(earlier)


def expected(earlier: Sequence[float]) -> tuple[float, float] | None:
    """The range in which the next run is expected after the ``earlier`` values. None for too few."""
    usual = _usual(earlier)
    return usual and (usual[0] * (1 - usual[1]), usual[0] * (1 + usual[1]))


def change(kpi: str, value: float, earlier: Sequence[float]) -> int:
    """-1 if the value is worse than expected (the check against earlier runs fails), 1 if it is better by as much,
    else 0."""
    usual = _usual(earlier)
    if usual is None:
        return 0
    middle, tolerance = usual
    better = KPIS[kpi].sign * (value / middle - 1)
    return (better > 0) - (better < 0) if _is_beyond(abs(better), tolerance) else 0


def _is_beyond(share: float, tolerance: float) -> bool:
    """Whether the share exceeds the tolerance. Rounding must not fail a value exactly at the limit."""
    return share > tolerance + 1e-9
