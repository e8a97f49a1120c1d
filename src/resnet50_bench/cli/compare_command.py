"""``compare A B``: two results, or folders of repeated runs, enter; what differs, a ratio and a verdict leave."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ..arguments import Parser
from ..case.engines import UNPROVEN_WORDS
from ..case.parameters import Role, having
from ..errors import BadInput
from ..files import json_text
from ..history import collection, comparability
from ..history.collection import Entry, restarts
from ..history.comparability import CPU, VERSIONS
from ..result.accuracy import difference
from ..result.comparison_stats import CANNOT_TELL, ratio_interval
from ..result.kpi import KPIS
from ..result.records import Accuracy

#: What people compare on purpose: it may differ where nothing else does.
ON_PURPOSE = (*having(Role.COMPARED), VERSIONS, CPU)
_LONGEST_VALUE = 100
#: (label, A's runs, B's runs)
Pairs = list[tuple[str, list[Entry], list[Entry]]]


@dataclass(frozen=True)
class Ratio:
    """B / A; ``low`` and ``high`` bound its 95 % interval between restarts, None where a side has only one."""

    value: float
    low: float | None
    high: float | None


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench compare", "Compare two results, or two folders of repeated runs, case by case.",
                  "resnet50-bench compare monday/ tuesday/")
    made.add_argument("a", type=Path, metavar="A", help="a result file or a folder: the reference")
    made.add_argument("b", type=Path, metavar="B", help="a result file or a folder")
    made.add_argument("--json", action="store_true", help="print one JSON document; all else goes to stderr")
    made.add_argument("--anyway", action="store_true", help="give a verdict on what is not comparable, too")
    return made


def main(argv: list[str]) -> int:
    """Print the comparison. Raises BadInput where nothing, or not everything, can be compared."""
    words = parser().parse_args(argv)
    records: list[dict[str, object]] = []
    try:
        with redirect_stdout(sys.stderr) if words.json else nullcontext():
            _compare(words.a, words.b, words.anyway, records)
    finally:
        if words.json:
            print(json_text(records, indent=1))
    return 0


def _compare(path_a: Path, path_b: Path, anyway: bool, records: list[dict[str, object]]) -> None:
    """Print the comparison, and add to ``records`` what a program may read of it."""
    a, b = _usable("A", path_a), _usable("B", path_b)
    pairs, alone = pair(a, b)
    for line in alone:
        print(f"LEFT OUT: {line}")
    if not pairs:
        raise BadInput(f"{path_a} and {path_b} have no case in common: nothing to compare")
    refused = []
    for label, mine, others in pairs:
        print(f"== {label}: A has {_count(mine)}, B has {_count(others)}")
        for line in _differing(mine, others):
            print(line)
        why = list(objections(mine, others))
        kinds = {entry.primary[0] for entry in (*mine, *others) if entry.primary}
        if len(kinds) > 1:
            why.append(f"{' and '.join(sorted(kinds))} have no ratio, not even with --anyway")
        for line in why or [f"{thing} differs" for thing in comparability.things(mine[0].result, others[0].result)]:
            print(f"WARNING: {'not comparable: ' if why else ''}{line}")
        records.append({"case": label, "a_runs": len(mine), "b_runs": len(others), "not_comparable": why})
        if len(kinds) > 1 or (why and not anyway):
            refused.append(f"{label}: no verdict: {'; '.join(why)}")
            continue
        for line in outcome(mine, others):
            print(line)
        records[-1] |= as_record(mine, others)
    if refused:
        raise BadInput(*refused, *([] if anyway else ["--anyway compares what is not comparable"]))


def _usable(side: str, path: Path) -> list[Entry]:
    """The valid and noisy results of one side; the others are named."""
    notices: list[str] = []
    entries = collection.find([path], notices)
    for notice in notices:
        print(f"LEFT OUT: {side}: {notice}")
    for entry in entries:
        if not entry.primary:
            print(f"LEFT OUT: {side}: {entry.path}: {entry.unusable}")
        elif entry.verdict == "noisy":
            print(f"WARNING: {side}: {entry.path} is noisy: {entry.reasons}")
    for engine in sorted({entry.result.parameter("TORCH_TYPE") for entry in entries if entry.result.is_unproven}):
        print(f"NOTICE: {side}: {engine}: {UNPROVEN_WORDS}")
    usable = [entry for entry in entries if entry.primary]
    if not usable:
        raise BadInput(f"{side}: {path} has no valid result to compare")
    return usable


def pair(a: Sequence[Entry], b: Sequence[Entry]) -> tuple[Pairs, list[str]]:
    """([(label, A's repeated runs, B's)], what has no counterpart).

    Cases match by name, and the points of a sweep by the parameters swept; one case a side matches whatever its name.
    """
    mine, others = _by_case(a), _by_case(b)
    if len(mine) == len(others) == 1 and mine.keys() != others.keys():
        (name, runs), (other_name, other_runs) = *mine.items(), *others.items()
        return _by_point(f"{name} -> {other_name}", runs, other_runs)
    pairs = []
    alone = [f"{side}: {name}: the other side has no such case"
             for side, here, there in (("A", mine, others), ("B", others, mine)) for name in here if name not in there]
    for name in mine:
        if name in others:
            found, missing = _by_point(name, mine[name], others[name])
            pairs += found
            alone += missing
    return pairs, alone


def _by_case(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.case, []).append(entry)
    return found


def _by_point(label: str, a: list[Entry], b: list[Entry]) -> tuple[Pairs, list[str]]:
    """Runs with different parameters on one side are a sweep, not repeated runs: compared point by point."""
    swept = sorted({name for side in (a, b) for entry in side
                    for group, name, _, _ in comparability.differences(side[0].result, entry.result)
                    if group == "parameter"})
    sides: list[dict[str, list[Entry]]] = [{}, {}]
    for side, entries in zip(sides, (a, b), strict=True):
        for entry in entries:
            values = entry.result.parameters()
            point = " ".join([label, *(f"{name}={values.get(name, '')}" for name in swept)])
            side.setdefault(point, []).append(entry)
    alone = [f"{name}: {point}: the other side has no such point" for name, here, there
             in (("A", *sides), ("B", *reversed(sides))) for point in here if point not in there]
    return [(point, runs, sides[1][point]) for point, runs in sides[0].items() if point in sides[1]], alone


def objections(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[str]:
    """Why the runs are not comparable; nothing where at most one thing differs that people compare on purpose."""
    for side, runs in (("A", a), ("B", b)):
        mixed = sorted(set().union(*(comparability.things(runs[0].result, entry.result) for entry in runs)))
        if mixed:
            yield f"{side}'s runs are not of one thing: {', '.join(mixed)} differ among them"
    differing = comparability.things(a[0].result, b[0].result)
    foreign = sorted(differing - set(ON_PURPOSE))
    if foreign:
        yield f"{', '.join(foreign)} must be equal"
    if len(differing) > 1:
        yield f"more than one thing differs: {', '.join(sorted(differing))}"


def _differing(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[str]:
    """A line for each parameter, version and fact that differs between the newest runs of both sides."""
    found = comparability.differences(a[0].result, b[0].result)
    for group, name, mine, other in found:
        yield f"{group} {name}: {_shown(mine)} -> {_shown(other)}"
    for side, runs in (("A", a), ("B", b)):
        names = sorted({name for entry in runs
                        for _, name, _, _ in comparability.differences(runs[0].result, entry.result)})
        if names:
            yield f"NOTICE: {side}'s runs differ among themselves in {', '.join(names)}"


def _shown(value: object) -> str:
    text = "(absent)" if value is None else str(value) or "(empty)"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _count(runs: Sequence[Entry]) -> str:
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}"


def outcome(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[str]:
    """The means, their ratio, and the verdict in words; runs that are no restarts are left out of it."""
    sides = [restarts(side) for side in (a, b)]
    for side, runs, kept in zip("AB", (a, b), sides, strict=True):
        if len(kept) < len(runs):
            yield f"NOTICE: {side}: {_count(kept)} of {len(runs)} counts: a warm worker's further runs are no restarts"
    mine, others = ([entry.primary[2] for entry in side if entry.primary] for side in sides)
    name, unit, _ = a[0].primary or ("", "", 0)
    if name == KPIS["accuracy"].name:
        yield from _accuracies(a[0], b[0])
        return
    found = Ratio(*ratio_interval(mine, others))
    means = [math.fsum(side) / len(side) for side in (mine, others)]
    yield f"{name}: A {means[0]:.4f} {unit}, B {means[1]:.4f} {unit}"
    interval = (f" (95 % interval {found.low:.4f} to {found.high:.4f}; between restarts, by Welch's t of the "
                "logarithms)" if found.low is not None else "")
    yield f"Ratio B/A: {found.value:.4f}{interval}"
    yield verdict(found, lower_is_better=name == KPIS["latency"].name)


def as_record(a: Sequence[Entry], b: Sequence[Entry]) -> dict[str, object]:
    """What ``outcome`` says, for a program; of accuracies the difference B - A in points."""
    name, unit, _ = a[0].primary or ("", "", 0)
    if name == KPIS["accuracy"].name:
        mine, other = _both_accuracies(a[0], b[0])
        points, low, high = difference(mine, other)
        return {"kpi": name, "unit": unit, "a": mine.top1, "b": other.top1, "difference": points,
                "ci95": [low, high], "verdict": list(_accuracies(a[0], b[0]))[-1]}
    values = [[entry.primary[2] for entry in restarts(side) if entry.primary] for side in (a, b)]
    ratio = Ratio(*ratio_interval(values[0], values[1]))
    return {"kpi": name, "unit": unit, "a": math.fsum(values[0]) / len(values[0]),
            "b": math.fsum(values[1]) / len(values[1]), "ratio": ratio.value,
            "ci95": None if ratio.low is None else [ratio.low, ratio.high],
            "verdict": verdict(ratio, lower_is_better=name == KPIS["latency"].name)}


def _both_accuracies(a: Entry, b: Entry) -> tuple[Accuracy, Accuracy]:
    mine, other = a.result.statistics.accuracy, b.result.statistics.accuracy
    if mine is None or other is None:
        raise ValueError("an accuracy was asked for of a result without one")
    return mine, other


def _accuracies(a: Entry, b: Entry) -> Iterator[str]:
    """Two accuracies (the first of each side: a repetition gives the same answers) and their difference."""
    mine, other = _both_accuracies(a, b)
    found, low, high = difference(mine, other)
    yield f"Accuracy: A {mine.top1:.4f} % of {mine.count} images, B {other.top1:.4f} % of {other.count}"
    word = "no difference shown" if low <= 0 <= high else f"B is {'more' if found > 0 else 'less'} accurate"
    yield f"{word}: {found:+.3f} points (95 % interval {low:+.3f} to {high:+.3f})"


def verdict(found: Ratio, lower_is_better: bool) -> str:
    """``B is faster by 12.3 % (95 % interval 10.1 to 14.6 %)``, slower, or no difference shown."""
    if found.low is None or found.high is None:
        return f"no difference shown: {CANNOT_TELL}"
    low, middle, high = (100 * (value - 1) for value in (found.low, found.value, found.high))
    if low <= 0 <= high:
        return f"no difference shown (95 % interval {low:+.1f} to {high:+.1f} %)"
    word = "faster" if (low > 0) != lower_is_better else "slower"
    near, far = sorted((abs(low), abs(high)))
    kpi = f": {'higher' if low > 0 else 'lower'} latency" if lower_is_better else ""
    return f"B is {word} by {abs(middle):.1f} % (95 % interval {near:.1f} to {far:.1f} %){kpi}"
