"""A comparison -> the lines that people read, the records that programs read, and why there is no verdict; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..case.engines import UNPROVEN_WORDS
from ..files import json_text
from ..result.comparison_stats import CANNOT_TELL, Ratio
from ..result.kpi import KPIS, NO_DIFFERENCE, Kpi
from . import comparability
from .collection import Entry, restarts
from .comparison import AccuracyGap, Barrier, ComparedPoint, ComparedSide, Comparison, Objection, SpeedRatio

_LONGEST_VALUE = 100
_OBJECTIONS = {
    Barrier.MIXED_A: "A's runs are not of one thing: {} differ among them",
    Barrier.MIXED_B: "B's runs are not of one thing: {} differ among them",
    Barrier.MUST_BE_EQUAL: "{} must be equal", Barrier.MORE_THAN_ONE: "more than one thing differs: {}",
    Barrier.NO_RATIO: "{} have no ratio, not even with --anyway"}


def lines(comparison: Comparison) -> Iterator[str]:
    """What was left out, then each point with what differs, the ratio and the verdict."""
    for side in comparison.sides:
        yield from _side(side)
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
    refused = [f"{point.label}: no verdict: {'; '.join(map(objection, point.objections))}"
               for point in comparison.points if not point.found]
    return [*refused, *(["--anyway compares what is not comparable"] if refused and not comparison.anyway else [])]


def as_json(comparison: Comparison) -> str:
    """A list with an object for each point; without a verdict it ends at ``not_comparable``."""
    return json_text([{
        "case": point.label, "a_runs": len(point.a), "b_runs": len(point.b),
        "not_comparable": [objection(each) for each in point.objections],
        **({**msgspec.to_builtins(point.found), "verdict": verdict(point.found)} if point.found else {})}
        for point in comparison.points], indent=1)


def _side(side: ComparedSide) -> Iterator[str]:
    """The results that are left out or used with a reserve."""
    yield from (f"LEFT OUT: {side.name}: {notice}" for notice in side.notices)
    for entry in side.entries:
        if not entry.primary:
            yield f"LEFT OUT: {side.name}: {entry.path}: {entry.unusable}"
        elif entry.verdict == "noisy":
            yield f"WARNING: {side.name}: {entry.path} is noisy: {entry.reasons}"
    unproven = sorted({entry.result.parameter("TORCH_TYPE") for entry in side.entries if entry.result.is_unproven})
    yield from (f"NOTICE: {side.name}: {engine}: {UNPROVEN_WORDS}" for engine in unproven)


def _point(point: ComparedPoint) -> Iterator[str]:
    a, b = point.a, point.b
    yield f"== {point.label}: A has {_count(a)}, B has {_count(b)}"
    yield from (f"{group} {name}: {_shown(mine)} -> {_shown(other)}"
                for group, name, mine, other in comparability.differences(a[0].result, b[0].result))
    for side, runs in (("A", a), ("B", b)):
        names = sorted({name for entry in runs
                        for _, name, _, _ in comparability.differences(runs[0].result, entry.result)})
        if names:
            yield f"NOTICE: {side}'s runs differ among themselves in {', '.join(names)}"
    yield from ([f"WARNING: not comparable: {objection(each)}" for each in point.objections]
                or [f"WARNING: {thing} differs" for thing in sorted(comparability.things(a[0].result, b[0].result))])
    if not point.found:
        return
    for side, runs in (("A", a), ("B", b)):
        if len(kept := restarts(runs)) < len(runs):
            yield f"NOTICE: {side}: {_count(kept)} of {len(runs)} counts: a warm worker's further runs are no restarts"
    yield from _means(point)
    yield verdict(point.found)


def objection(found: Objection) -> str:
    """Its words."""
    between = " and " if found.barrier is Barrier.NO_RATIO else ", "
    return _OBJECTIONS[found.barrier].format(between.join(found.things))


def _means(point: ComparedPoint) -> Iterator[str]:
    a, b = (side[0].result.statistics.accuracy for side in (point.a, point.b))
    found = point.found
    if isinstance(found, AccuracyGap) and a and b:
        yield f"{found.kpi}: A {found.a:.4f} % of {a.count} images, B {found.b:.4f} % of {b.count}"
    elif isinstance(found, SpeedRatio):
        yield f"{found.kpi}: A {found.a:.4f} {found.unit}, B {found.b:.4f} {found.unit}"
        yield f"Ratio B/A: {found.ratio:.4f}" + (
            f" (95 % interval {found.ci95[0]:.4f} to {found.ci95[1]:.4f}; between restarts, by Welch's t of the "
            "logarithms)" if found.ci95 else "")


def verdict(found: SpeedRatio | AccuracyGap) -> str:
    """``B is faster by 12.3 % (95 % interval 10.1 to 14.6 %)``, slower, more or less accurate, or no difference."""
    if isinstance(found, SpeedRatio):
        kpi = next(kpi for kpi in KPIS.values() if kpi.name == found.kpi)
        return ratio_verdict(Ratio(found.ratio, *(found.ci95 or (None, None))), kpi)
    low, high = found.ci95
    word = NO_DIFFERENCE if low <= 0 <= high else f"B is {'more' if found.difference > 0 else 'less'} accurate"
    return f"{word}: {found.difference:+.3f} points (95 % interval {low:+.3f} to {high:+.3f})"


def ratio_verdict(ratio: Ratio, kpi: Kpi) -> str:
    """Whether the interval tells B from A, and by how much."""
    if ratio.low is None or ratio.high is None:
        return f"{NO_DIFFERENCE}: {CANNOT_TELL}"
    told, by = kpi.told(ratio.low, ratio.value, ratio.high)
    return f"{'' if told == NO_DIFFERENCE else 'B is '}{told} {by}"


def _shown(value: comparability.Fact) -> str:
    text = "(absent)" if value is None else str(value) or "(empty)"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _count(runs: Sequence[Entry]) -> str:
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
