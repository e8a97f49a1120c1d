"""Two results, or two folders of repeated runs, enter; by case and point what differs and a ratio leave.

Prints nothing: ``lines``, ``as_json`` and ``errors`` are the words and records of a comparison.
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
from ..files import json_text
from ..result.comparison_stats import CANNOT_TELL, ratio_interval
from ..result.kpi import KPIS, NO_DIFFERENCE
from ..result.measurement import accuracy_difference
from ..spelling import plural
from . import comparability
from .collection import Entry, find, restarts, values
from .comparability import CPU, VERSIONS

#: What people compare on purpose: it may differ where nothing else does.
_ON_PURPOSE = {*having(Role.COMPARED), VERSIONS, CPU}
_LONGEST_VALUE = 100
Runs = Mapping[str, list[Entry]]
Pairs = dict[str, tuple[list[Entry], list[Entry]]]


class Barrier(Enum):
    """Why the runs of a point are not comparable, in words with a place for the things that it is about."""

    MIXED_A = "A's runs differ in {}"
    MIXED_B = "B's runs differ in {}"
    MUST_BE_EQUAL = "{} must be equal"
    MORE_THAN_ONE = "more than one setting differs: {}"
    NO_RATIO = "{} have no ratio, not even with --anyway"


@dataclass(frozen=True)
class Objection:
    """``things``: the parameters, facts or KPIs that it is about."""

    barrier: Barrier
    things: Sequence[str]

    def __str__(self) -> str:
        return self.barrier.value.format((" and " if self.barrier is Barrier.NO_RATIO else ", ").join(self.things))


class SpeedRatio(msgspec.Struct, frozen=True):
    """Means over each side's restarts in ``unit``; ``ratio`` is B / A, ``ci95`` None with a single restart a side."""

    kpi: str
    unit: str
    a: float
    b: float
    ratio: float
    ci95: tuple[float, float] | None


class AccuracyGap(msgspec.Struct, frozen=True):
    """The top-1 of each side's newest run (a repetition gives the same answers) in %; B - A in points."""

    kpi: str
    unit: str
    a: float
    b: float
    difference: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class ComparedPoint:
    """A case, or a point of its sweep: the runs of both sides, the newest first.

    ``outcome`` is None where the objections forbid a verdict.
    """

    label: str
    a: Sequence[Entry]
    b: Sequence[Entry]
    objections: Sequence[Objection]
    outcome: SpeedRatio | AccuracyGap | None


@dataclass(frozen=True)
class Alone:
    """A ``case`` or ``point`` (the ``kind``) of one side which the other lacks."""

    side: str
    label: str
    kind: str


@dataclass(frozen=True)
class ComparedSide:
    """The results at ``path``; ``notices``: what is no result."""

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
    """Both sides by point; ``anyway``: a verdict was asked for in spite of objections."""

    sides: Sequence[ComparedSide]
    points: Sequence[ComparedPoint]
    alone: Sequence[Alone]
    anyway: bool


def compare(path_a: Path, path_b: Path, anyway: bool) -> Comparison:
    """Compare what is there. Raises BadInput where there is no such folder or file."""
    sides = []
    for name, path in (("A", path_a), ("B", path_b)):
        notices: list[str] = []
        sides.append(ComparedSide(name, path, find([path], notices), notices))
    a, b = (side.usable for side in sides)
    pairs, alone = _pairs(a, b) if a and b else ({}, [])
    points = []
    for label, runs in pairs.items():
        against = objections(*runs)
        is_refused = bool(against) and (not anyway or against[-1].barrier is Barrier.NO_RATIO)
        points.append(ComparedPoint(label, *runs, against, None if is_refused else measure(*runs)))
    return Comparison(sides, points, alone, anyway)


def _pairs(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Pairs, list[Alone]]:
    """(label -> both sides' repeated runs, what has no counterpart).

    Cases match by name, and the points of a sweep by the parameters swept; one case a side matches whatever its name.
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
    """Runs with different parameters on one side are a sweep, not repeated runs: compared point by point."""
    swept = sorted({name for side in (a, b) for entry in side
                    for group, name, _, _ in comparability.differences(side[0].result, entry.result)
                    if group == "parameter"})

    def point(entry: Entry) -> str:
        return " ".join([label, *(f"{name}={entry.result.parameter(name)}" for name in swept)])

    return _grouped(a, point), _grouped(b, point)


def objections(a: Sequence[Entry], b: Sequence[Entry]) -> list[Objection]:
    """Why the runs are not comparable; empty where at most one thing differs that people compare on purpose.

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
    """Runs of one KPI -> what they come to; runs that are no restarts are left out of a ratio."""
    kpi = KPIS[a[0].mode]
    mine, other = a[0].result.statistics.accuracy, b[0].result.statistics.accuracy
    if kpi is KPIS["accuracy"] and mine and other:
        points, low, high = accuracy_difference(mine, other)
        return AccuracyGap(kpi.name, kpi.unit, mine.top1, other.top1, points, (low, high))
    values_a, values_b = (values(restarts(side)) for side in (a, b))
    ratio = ratio_interval(values_a, values_b)
    return SpeedRatio(kpi.name, kpi.unit, fmean(values_a), fmean(values_b), ratio.value, ratio.ci)


def lines(comparison: Comparison) -> Iterator[str]:
    """What was left out, then each point with what differs, the ratio and the verdict."""
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
    """Why nothing, or not everything, could be compared; empty where all was."""
    empty = [f"{side.name}: {side.path} has no valid result to compare" for side in comparison.sides if not side.usable]
    if empty:
        return empty
    if not comparison.points:
        a, b = comparison.sides
        return [f"{a.path} and {b.path} have no case in common: nothing to compare"]
    refused = [f"{point.label}: no verdict: {'; '.join(map(str, point.objections))}"
               for point in comparison.points if not point.outcome]
    return [*refused, *(["--anyway compares what is not comparable"] if refused and not comparison.anyway else [])]


def as_json(comparison: Comparison) -> str:
    """A list with an object for each point; without a verdict it ends at ``not_comparable``."""
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
            yield f"NOTICE: {side}'s runs differ among themselves in {', '.join(sorted(names))}"
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
