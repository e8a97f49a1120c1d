"""Two results, or two folders of repeated runs -> for each case and point the differences and a ratio.

Prints nothing. ``lines``, ``as_json`` and ``errors`` return the texts and records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import fmean

import msgspec

from ..case.engines import UNPROVEN_WORDS
from ..case.parameters import Role, having
from ..errors import BadInput
from ..files import json_text
from ..result.comparison_stats import CANNOT_TELL, ratio_interval
from ..result.kpi import KPIS, NO_DIFFERENCE
from ..result.measurement import accuracy_difference
from ..spelling import plural
from . import comparability
from .collection import Entry, find, restarts, values
from .comparability import CPU, VERSIONS

#: The parameters that users compare on purpose: one of them may differ if nothing else does.
_ON_PURPOSE = {*having(Role.COMPARED), VERSIONS, CPU}
_LONGEST_VALUE = 100
Runs = Mapping[str, list[Entry]]
Pairs = dict[str, tuple[list[Entry], list[Entry]]]


class Barrier(Enum):
    """Reasons why runs are not comparable, as sentences with a placeholder for the things concerned."""

    MIXED_A = "the runs of A differ in {}"
    MIXED_B = "the runs of B differ in {}"
    MUST_BE_EQUAL = "{} must be equal"
    MORE_THAN_ONE = "more than one setting differs: {}"
    NO_RATIO = "{} cannot be compared, not even with --anyway"


@dataclass(frozen=True)
class Objection:
    """A reason against a comparison. ``things``: the parameters, facts or KPIs concerned."""

    barrier: Barrier
    things: Sequence[str]

    def __str__(self) -> str:
        return self.barrier.value.format((" and " if self.barrier is Barrier.NO_RATIO else ", ").join(self.things))


class SpeedRatio(msgspec.Struct, frozen=True):
    """Means over each side's restarts in ``unit``. ``ratio`` is B / A. ``ci95`` is None with one restart per side."""

    kpi: str
    unit: str
    a: float
    b: float
    ratio: float
    ci95: tuple[float, float] | None


class AccuracyGap(msgspec.Struct, frozen=True):
    """Top-1 in % of each side's newest run, and B - A in points. Repetitions would give the same answers."""

    kpi: str
    unit: str
    a: float
    b: float
    difference: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class ComparedPoint:
    """A case, or a point of its sweep, with the runs of both sides, the newest first.

    ``outcome`` is None if the objections prevent a verdict.
    """

    label: str
    a: Sequence[Entry]
    b: Sequence[Entry]
    objections: Sequence[Objection]
    outcome: SpeedRatio | AccuracyGap | None


@dataclass(frozen=True)
class Alone:
    """A ``case`` or ``point`` (the ``kind``) that only one side has."""

    side: str
    label: str
    kind: str


@dataclass(frozen=True)
class ComparedSide:
    """The results at ``path``. ``notices`` name the files that are not results."""

    name: str
    path: Path
    entries: Sequence[Entry]
    notices: Sequence[str]

    @property
    def usable(self) -> list[Entry]:
        """Its valid and noisy results."""
        return [entry for entry in self.entries if entry.primary]


@dataclass(frozen=True)
class Comparison:
    """Both sides by point. ``anyway``: the user wants a verdict despite objections."""

    sides: Sequence[ComparedSide]
    points: Sequence[ComparedPoint]
    alone: Sequence[Alone]
    anyway: bool


def compare(path_a: Path, path_b: Path, anyway: bool) -> Comparison:
    """Compare the results of two paths. Raises BadInput if one does not exist, or if both have the same result."""
    sides = []
    for name, path in (("A", path_a), ("B", path_b)):
        notices: list[str] = []
        sides.append(ComparedSide(name, path, find([path], notices), notices))
    if shared := {entry.path for entry in sides[0].entries} & {entry.path for entry in sides[1].entries}:
        raise BadInput(f"A and B both contain {min(shared)}: a run cannot be compared with itself. Name two paths "
                       "without a common result")
    a, b = (side.usable for side in sides)
    pairs, alone = _pairs(a, b) if a and b else ({}, [])
    points = []
    for label, runs in pairs.items():
        against = objections(*runs)
        is_refused = bool(against) and (not anyway or against[-1].barrier is Barrier.NO_RATIO)
        points.append(ComparedPoint(label, *runs, against, None if is_refused else measure(*runs)))
    return Comparison(sides, points, alone, anyway)


def _pairs(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Pairs, list[Alone]]:
    """Return (both sides' repeated runs by label, the cases and points without a counterpart).

    Cases match by name, points of a sweep by the swept parameters. If each side has one case, these match.
    """
    mine, others = (_grouped(side, lambda entry: entry.case) for side in (a, b))
    if len(mine) == len(others) == 1 and mine.keys() != others.keys():
        label = " -> ".join([*mine, *others])
        mine, others = ({label: runs} for side in (mine, others) for runs in side.values())
    alone = _without_counterpart(mine, others, "case")
    pairs: Pairs = {}
    for label in mine:
        if label in others:
            points = _by_point(label, mine[label], others[label])
            pairs |= {point: (runs, points[1][point]) for point, runs in points[0].items() if point in points[1]}
            alone += _without_counterpart(*points, "point")
    return pairs, alone


def _grouped(entries: Sequence[Entry], label: Callable[[Entry], str]) -> Runs:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(label(entry), []).append(entry)
    return groups


def _without_counterpart(a: Runs, b: Runs, kind: str) -> list[Alone]:
    return [Alone(side, label, kind) for side, here, there in (("A", a, b), ("B", b, a))
            for label in here if label not in there]


def _by_point(label: str, a: list[Entry], b: list[Entry]) -> tuple[Runs, Runs]:
    """Runs of one side by point. Runs with different parameters are a sweep, not repeated runs."""
    swept = sorted({name for side in (a, b) for entry in side
                    for group, name, _, _ in comparability.differences(side[0].result, entry.result)
                    if group == "parameter"})

    def point(entry: Entry) -> str:
        return " ".join([label, *(f"{name}={entry.result.parameter(name)}" for name in swept)])

    return _grouped(a, point), _grouped(b, point)


def objections(a: Sequence[Entry], b: Sequence[Entry]) -> list[Objection]:
    """The reasons why the runs are not comparable. Empty if at most one parameter that users compare differs.

    NO_RATIO is the last.
    """
    mixed = [set[str]().union(*(comparability.things(runs[0].result, entry.result) for entry in runs))
             for runs in (a, b)]
    differing = comparability.things(a[0].result, b[0].result)
    kpis = {entry.primary[0] for entry in (*a, *b) if entry.primary}
    return [Objection(barrier, sorted(things)) for barrier, things in (
        (Barrier.MIXED_A, mixed[0]), (Barrier.MIXED_B, mixed[1]), (Barrier.MUST_BE_EQUAL, differing - _ON_PURPOSE),
        (Barrier.MORE_THAN_ONE, differing if len(differing) > 1 else ()),
        (Barrier.NO_RATIO, kpis if len(kpis) > 1 else ())) if things]


def measure(a: Sequence[Entry], b: Sequence[Entry]) -> SpeedRatio | AccuracyGap:
    """Runs of one KPI -> their ratio or gap. A ratio uses restarts only."""
    kpi = KPIS[a[0].mode]
    mine, other = a[0].result.statistics.accuracy, b[0].result.statistics.accuracy
    if kpi is KPIS["accuracy"] and mine and other:
        points, low, high = accuracy_difference(mine, other)
        return AccuracyGap(kpi.name, kpi.unit, mine.top1, other.top1, points, (low, high))
    values_a, values_b = (values(restarts(side)) for side in (a, b))
    ratio = ratio_interval(values_a, values_b)
    return SpeedRatio(kpi.name, kpi.unit, fmean(values_a), fmean(values_b), ratio.value, ratio.ci)


def lines(comparison: Comparison) -> Iterator[str]:
    """The omitted files, then each point with its differences, ratio and verdict."""
    for side in comparison.sides:
        yield from (f"LEFT OUT: {side.name}: {notice}" for notice in side.notices)
        for entry in side.entries:
            if not entry.primary:
                yield f"LEFT OUT: {side.name}: {entry.path}: {entry.unusable}"
            elif entry.verdict == "noisy":
                yield f"WARNING: {side.name}: {entry.path} is noisy: {entry.reasons}"
        unproven = {entry.result.parameter("TORCH_TYPE") for entry in side.entries if entry.result.is_unproven}
        yield from (f"NOTICE: {side.name}: {engine}: {UNPROVEN_WORDS}" for engine in sorted(unproven))
    yield from (f"LEFT OUT: {alone.side}: {alone.label}: the other side has no such {alone.kind}"
                for alone in comparison.alone)
    for point in comparison.points:
        yield from _point(point)


def errors(comparison: Comparison) -> list[str]:
    """The reasons why nothing, or not everything, was compared. Empty if everything was."""
    empty = [f"{side.name}: {side.path} has no valid result to compare" for side in comparison.sides if not side.usable]
    if empty:
        return empty
    if not comparison.points:
        a, b = comparison.sides
        return [f"{a.path} and {b.path} have no case in common: nothing to compare"]
    refused = [f"{point.label}: no verdict: {'; '.join(map(str, point.objections))}"
               for point in comparison.points if not point.outcome]
    return [*refused, *(["--anyway compares them nevertheless"] if refused and not comparison.anyway else [])]


def as_json(comparison: Comparison) -> str:
    """A list with an object for each point. Without a verdict the object ends at ``not_comparable``."""
    return json_text([{
        "case": point.label, "a_runs": len(point.a), "b_runs": len(point.b),
        "not_comparable": list(map(str, point.objections)),
        **({**msgspec.to_builtins(point.outcome), "verdict": verdict(point.outcome)} if point.outcome else {})}
        for point in comparison.points], indent=1)


def _point(point: ComparedPoint) -> Iterator[str]:
    a, b = point.a, point.b
    yield f"== {point.label}: A has {plural(len(a), 'run')}, B has {plural(len(b), 'run')}"
    yield from (f"{group} {name}: {_shown(mine)} -> {_shown(other)}"
                for group, name, mine, other in comparability.differences(a[0].result, b[0].result))
    for side, runs in (("A", a), ("B", b)):
        names = {name for entry in runs
                 for _, name, _, _ in comparability.differences(runs[0].result, entry.result)}
        if names:
            yield f"NOTICE: {side}'s runs differ from each other in {', '.join(sorted(names))}"
    yield from ([f"WARNING: not comparable: {objection}" for objection in point.objections]
                or [f"WARNING: {thing} differs" for thing in sorted(comparability.things(a[0].result, b[0].result))])
    if not point.outcome:
        return
    for side, runs in (("A", a), ("B", b)):
        if len(counting := restarts(runs)) < len(runs):
            yield (f"NOTICE: {side}: {plural(len(counting), 'run')} of {len(runs)} counts: further runs of the same "
                   "process are not restarts")
    yield from _means(point)
    yield verdict(point.outcome)


def _means(point: ComparedPoint) -> Iterator[str]:
    a, b = (side[0].result.statistics.accuracy for side in (point.a, point.b))
    outcome = point.outcome
    if isinstance(outcome, AccuracyGap) and a and b:
        yield f"{outcome.kpi}: A {outcome.a:.4f} % of {a.count} images, B {outcome.b:.4f} % of {b.count}"
    elif isinstance(outcome, SpeedRatio):
        yield f"{outcome.kpi}: A {outcome.a:.4f} {outcome.unit}, B {outcome.b:.4f} {outcome.unit}"
        yield f"Ratio B/A: {outcome.ratio:.4f}" + (
            f" (95 % interval {outcome.ci95[0]:.4f} to {outcome.ci95[1]:.4f}; between restarts, by Welch's t of the "
            "logarithms)" if outcome.ci95 else "")


def verdict(outcome: SpeedRatio | AccuracyGap) -> str:
    """``B is faster by 12.3 % (95 % interval 10.1 to 14.6 %)``, slower, more or less accurate, or no difference."""
    if not outcome.ci95:
        return f"{NO_DIFFERENCE}: {CANNOT_TELL}"
    low, high = outcome.ci95
    if isinstance(outcome, SpeedRatio):
        kpi = next(kpi for kpi in KPIS.values() if kpi.name == outcome.kpi)
        told, by = kpi.told(low, outcome.ratio, high)
        return f"{'' if told == NO_DIFFERENCE else 'B is '}{told} {by}"
    word = NO_DIFFERENCE if low <= 0 <= high else f"B is {'more' if outcome.difference > 0 else 'less'} accurate"
    return f"{word}: {outcome.difference:+.3f} points (95 % interval {low:+.3f} to {high:+.3f})"


def _shown(value: comparability.Fact) -> str:
    text = "(absent)" if value is None else str(value) or "(empty)"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."
