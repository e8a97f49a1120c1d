"""Two results, or two folders of repeated runs, enter; by case and point what differs and a ratio leave.

Prints nothing: ``comparison_words`` has the lines and the records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from statistics import fmean

import msgspec

from ..case.parameters import Role, having
from ..result import accuracy
from ..result.comparison_stats import ratio_interval
from ..result.kpi import KPIS
from . import comparability
from .collection import Entry, find, restarts
from .comparability import CPU, VERSIONS

#: What people compare on purpose: it may differ where nothing else does.
ON_PURPOSE = {*having(Role.COMPARED), VERSIONS, CPU}


class Barrier(Enum):
    """Why the runs of a point are not comparable."""

    MIXED_A = auto()
    MIXED_B = auto()
    MUST_BE_EQUAL = auto()
    MORE_THAN_ONE = auto()
    NO_RATIO = auto()


@dataclass(frozen=True)
class Objection:
    """``things``: the parameters, facts or KPIs that it is about."""

    barrier: Barrier
    things: Sequence[str]


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

    ``found`` is None where the objections forbid a verdict.
    """

    label: str
    a: Sequence[Entry]
    b: Sequence[Entry]
    objections: Sequence[Objection]
    found: SpeedRatio | AccuracyGap | None


@dataclass(frozen=True)
class Alone:
    """A ``case`` or ``point`` (the ``kind``) of one side which the other lacks."""

    side: str
    label: str
    kind: str


@dataclass(frozen=True)
class ComparedSide:
    """What was found at ``path``; ``notices``: what is no result."""

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
    points = [_compared(label, *runs, anyway) for label, runs in pairs.items()]
    return Comparison(sides, points, alone, anyway)


def _compared(label: str, a: Sequence[Entry], b: Sequence[Entry], anyway: bool) -> ComparedPoint:
    against = objections(a, b)
    is_refused = bool(against) and (not anyway or against[-1].barrier is Barrier.NO_RATIO)
    return ComparedPoint(label, a, b, against, None if is_refused else measure(a, b))


Runs = Mapping[str, list[Entry]]
Pairs = dict[str, tuple[list[Entry], list[Entry]]]


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
        values = entry.result.parameters()
        return " ".join([label, *(f"{name}={values.get(name, '')}" for name in swept)])

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
        (Barrier.MIXED_A, mixed[0]), (Barrier.MIXED_B, mixed[1]), (Barrier.MUST_BE_EQUAL, differing - ON_PURPOSE),
        (Barrier.MORE_THAN_ONE, differing if len(differing) > 1 else ()),
        (Barrier.NO_RATIO, kpis if len(kpis) > 1 else ())) if things]


def measure(a: Sequence[Entry], b: Sequence[Entry]) -> SpeedRatio | AccuracyGap:
    """Runs of one KPI -> what they come to; runs that are no restarts are left out of a ratio."""
    kpi = KPIS[a[0].mode]
    mine, other = a[0].result.statistics.accuracy, b[0].result.statistics.accuracy
    if kpi is KPIS["accuracy"] and mine and other:
        points, low, high = accuracy.difference(mine, other)
        return AccuracyGap(kpi.name, kpi.unit, mine.top1, other.top1, points, (low, high))
    values_a, values_b = ([entry.primary[2] for entry in restarts(side) if entry.primary] for side in (a, b))
    ratio = ratio_interval(values_a, values_b)
    return SpeedRatio(kpi.name, kpi.unit, fmean(values_a), fmean(values_b), ratio.value, ratio.ci)
