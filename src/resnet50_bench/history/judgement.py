"""Runs of one point, references and earlier runs enter; checks that passed, failed or were skipped leave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from ..result.comparison_stats import control_limit
from ..result.kpi import KPIS
from ..result.stats import DRIFT_MINIMUM, drift
from . import collection, comparability
from .collection import LOGS_FOLDER, Entry
from .references import References

#: With fewer runs their spread says little: where runs vary by 2 %, 6 % of sound runs would fail by 3 earlier ones,
#: 4 % by 5, 2 % by 10 (simulated, 8000 times each).
LEAST_HISTORY = 5
#: So many earlier occasions count, unless the user says otherwise.
LAST = 10
#: A significant decline may still be too small to matter: this is where it does.
TREND_TOLERANCE = 0.05
#: Folders of one case that are read in search of comparable runs, so that a case's end does not take minutes.
_MOST_FOLDERS = 300
#: What a tolerance says of a single run, whose reference may have a spread but which has none itself.
ONE_RESTART = ("of one restart: that run keeps the tolerance or not; whether the case is slower it cannot tell "
               f"(--loop {LEAST_HISTORY} can)")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Check:
    """One comparison; ``text`` says with numbers how it ended or why it was skipped."""

    name: str
    state: str
    text: str


@dataclass(frozen=True)
class Point:
    """Repeated runs of one thing on one node: valid and noisy ones, newest first, with the same comparability key."""

    label: str
    runs: Sequence[Entry]

    @property
    def newest(self) -> Entry:
        """The newest run."""
        return self.runs[0]

    @property
    def noisy(self) -> list[Entry]:
        """The runs that other load or the clock disturbed."""
        return [entry for entry in self.runs if entry.verdict == "noisy"]

    def value(self, kpi: str) -> float | None:
        """The runs' median of a KPI, in its unit."""
        return _median(self.runs, kpi)


def _median(runs: Sequence[Entry], kpi: str) -> float | None:
    found = [KPIS[kpi].value(entry.result.statistics) for entry in runs]
    values = [value for value in found if value is not None and value > 0]
    return median(values) if values else None


def points(runs: Sequence[Entry]) -> list[Point]:
    """Usable runs by case, comparability key and node; labels name what tells a case's points apart.

    A fleet's median would hide its slow node. Where there is one node, every container may call it otherwise.
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
        made.append(Point(" ".join([case, *words, *([f"on {node}"] if node else [])]), inside))
    return made


def _key(entry: Entry) -> str:
    return json.dumps(comparability.key(entry.result), sort_keys=True, default=str)


def earlier(point: Point, base: Path, last: int) -> tuple[list[list[Entry]], int]:
    """(the last ``last`` earlier occasions with valid runs of the same key, newest first; how many noisy runs were
    passed over).

    One logs folder is one occasion, however many iterations it has: else a run with --loop 20 would be the whole
    history, and a drift over weeks would be none over its minutes.
    """
    found: list[list[Entry]] = []
    noisy = 0
    for runs in _occasions(point.newest, base):
        same = [entry for entry in runs if _key(entry) == _key(point.newest) and entry.primary
                and entry.started_at < min(run.started_at for run in point.runs)]
        valid = [entry for entry in same if entry.verdict == "valid"]
        noisy += len(same) - len(valid)
        if valid:
            found.append(valid)
        if len(found) == last:
            break
    return found, noisy


def _occasions(judged: Entry, base: Path) -> Iterator[list[Entry]]:
    """Runs of the judged one's case below ``base``, newest first, an occasion at a time; read only as asked for."""
    if LOGS_FOLDER.fullmatch(judged.logs.name):
        named = [(folder, LOGS_FOLDER.fullmatch(folder.name)) for folder in base.rglob("*-logs-*")]
        folders = [folder for folder, match in named if match and match.group(1) == judged.case
                   and folder.resolve() != judged.logs]
        for folder in sorted(folders, key=lambda folder: folder.name, reverse=True)[:_MOST_FOLDERS]:
            yield collection.find([folder], [])
    else:
        yield from ([entry] for entry in collection.find([base], []) if entry.path != judged.path)


def checks(point: Point, references: References | None, base: Path, last: int) -> list[Check]:
    """Everything that can be said of a point, in order."""
    made = [] if references is None else list(_by_reference(point, references))
    occasions, noisy = earlier(point, base, last)
    kpi = point.newest.mode
    values = [value for value in (_median(as_many(runs, point.runs), kpi) for runs in occasions) if value is not None]
    passed_over = f" ({noisy} noisy runs do not count)" if noisy else ""
    return [*made, _by_history(point, kpi, values, passed_over), _by_trend(point, kpi, values, passed_over)]


def as_many(runs: Sequence[Entry], judged: Sequence[Entry]) -> list[Entry]:
    """As many iterations of an earlier occasion as are judged: the median of many varies less than a single restart."""
    iterations = sorted({entry.iteration or 0 for entry in runs})[:len({entry.iteration for entry in judged})]
    return [entry for entry in runs if (entry.iteration or 0) in iterations]


def _by_reference(point: Point, references: References) -> Iterator[Check]:
    found, why = references.of(point.newest)
    if not found:
        yield Check("reference", SKIPPED, why)
    for kpi, reference in found.items():
        value = point.value(kpi)
        if value is None:
            yield Check(f"{kpi} against the reference", SKIPPED, f"the result has no {kpi}")
            continue
        made = _compared(f"{kpi} against the reference", kpi, value, f"the reference {_shown(reference.value)}",
                         reference.value, reference.tolerance)
        yield made if len(point.runs) > 1 else replace(made, text=f"{made.text}; {ONE_RESTART}")


def _by_history(point: Point, kpi: str, values: Sequence[float], passed_over: str) -> Check:
    name = f"{kpi} against earlier runs"
    value = point.value(kpi)
    if value is None or len(values) < LEAST_HISTORY:
        return Check(name, SKIPPED, f"{LEAST_HISTORY} comparable valid earlier runs are needed, {len(values)} are "
                                    f"there{passed_over}")
    middle, tolerance = control_limit(values)
    return _compared(name, kpi, value, f"{_shown(middle)}, the median of the last {len(values)} valid runs",
                     middle, tolerance)


def _by_trend(point: Point, kpi: str, values: Sequence[float], passed_over: str) -> Check:
    name = f"{kpi} trend"
    value = point.value(kpi)
    series = [*reversed(values), *([] if value is None else [value])]
    if len(series) < DRIFT_MINIMUM:
        return Check(name, SKIPPED, f"{DRIFT_MINIMUM - 1} comparable valid earlier runs are needed, {len(values)} "
                                    f"are there{passed_over}")
    found = drift(series)
    decline = -KPIS[kpi].sign * found.relative
    verb = "rose" if found.relative > 0 else "fell"
    text = (f"{kpi} {verb} by {_percent(abs(found.relative))} along a line through the last "
            f"{len(series)} runs (first {_shown(series[0])}, newest {_shown(series[-1])})")
    if found.significant and decline > TREND_TOLERANCE:
        return Check(name, FAILED, f"{text}, which chance does not explain (tolerance {_percent(TREND_TOLERANCE)})")
    return Check(name, PASSED, text + ("" if found.significant else ", which chance explains"))


def expected(earlier: Sequence[float]) -> tuple[float, float] | None:
    """Between which values the next run of what ran before is expected; None where too few ran to say."""
    if len(earlier) < LEAST_HISTORY or median(earlier) <= 0:
        return None
    middle, tolerance = control_limit(earlier)
    return middle * (1 - tolerance), middle * (1 + tolerance)


def change(kpi: str, value: float, earlier: Sequence[float]) -> int:
    """-1 where the value is worse than expected (the check against earlier runs fails), 1 where it is as much better
    than that, else 0."""
    if expected(earlier) is None:
        return 0
    middle, tolerance = control_limit(earlier)
    better = KPIS[kpi].sign * (value / middle - 1)
    return (better > 0) - (better < 0) if _is_beyond(abs(better), tolerance) else 0


def _is_beyond(share: float, tolerance: float) -> bool:
    """Rounding must not fail what lies on the border."""
    return share > tolerance + 1e-9


def _compared(name: str, kpi: str, value: float, what: str, reference: float, tolerance: float) -> Check:
    """Fails where the value is worse than the reference by more than the tolerance; better never fails."""
    change = value / reference - 1
    worse = -KPIS[kpi].sign * change
    how = f"{_percent(abs(change))} {'above' if change > 0 else 'below'}" if abs(change) >= 0.0005 else "equal to"
    text = f"{kpi} {_shown(value)} is {how} {what} (tolerance {_percent(tolerance)})"
    return Check(name, FAILED if _is_beyond(worse, tolerance) else PASSED, text)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _shown(value: float) -> str:
    """One decimal as a rule; small values with three digits that count."""
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
