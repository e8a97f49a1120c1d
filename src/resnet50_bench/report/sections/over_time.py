"""Every case's KPI over time on one machine, with changes by the gate's rule.

The gate judges a run by earlier ones of the same versions. Here versions may change along the way: to see whether the
KPI changed with them is what the picture is for. All else that comparability asks for is equal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from ...case.engines import PACKAGES
from ...history import comparability
from ...history.collection import LOGS_FOLDER, Entry, node_file, values
from ...history.judgement import LAST, LEAST_HISTORY, as_many, change, expected
from ...spelling import plural
from ...versus.record import PLAN
from ..chart import HEIGHT, Chart, Spec, around, axis, frame, look, low_to_high, nice_ticks, plain
from ..drawing import Gallery
from ..markup import Html, el, short, when
from ..palette import Palette
from . import Results, Section, left_out

EARLY, AS_BEFORE, BETTER, WORSE, NOISY = "too few earlier runs", "as before", "better", "worse", "as before, noisy"
#: The kind of an occasion -> (colour, shape).
_KINDS = {EARLY: ("c7", "circle"), AS_BEFORE: ("c0", "circle"), BETTER: ("good", "triangle-up"),
         WORSE: ("bad", "triangle-down"), NOISY: ("warn", "square")}
#: Two occasions are no course of time yet.
_LEAST_OCCASIONS = 3
#: A chart costs time and room.
_DRAWN = 8
Runs = Sequence[Entry]
#: A case, the machine, the KPI, and all that comparability asks for but the versions.
Key = tuple[str, str, str, tuple[tuple[str, comparability.Fact], ...]]


@dataclass(frozen=True)
class Occasion:
    """The KPI of one logs folder; ``low`` and ``high`` are the smallest and largest of its iterations.

    ``limits``: between which the gate expects it, None where too few earlier ones are there; ``kind`` is one of _KINDS.
    """

    value: float
    low: float
    high: float
    runs: int
    started_at: str
    label: str
    kind: str
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Timeline:
    """``occasions`` of one thing on one machine, the oldest first; the axes' names say what their labels are."""

    title: str
    caption: str
    x_name: str
    y_name: str
    occasions: Sequence[Occasion]


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    lines = timelines(results.entries)
    cards = [el("article", el("h3", line.title), gallery.figure(f"time {line.title}", chart(line)), class_="card")
             for line in lines[:_DRAWN]]
    left = len(lines) - _DRAWN
    return [el("div", *cards, class_="gallery"), left_out(left, f"{left} more are", class_="hint")] if lines else []


def timelines(entries: Iterable[Entry]) -> list[Timeline]:
    """Timelines for each case, set of parameters and machine with enough occasions, the newest first."""
    groups: dict[Key, dict[Path, list[Entry]]] = {}
    for entry in entries:
        # A comparison's turns have a picture of their own.
        is_turn = len(entry.path.parents) > 2 and (entry.path.parents[2] / PLAN).exists()
        if entry.primary and not is_turn:
            occasion = entry.logs if LOGS_FOLDER.fullmatch(entry.logs.name) else entry.path
            facts = sorted(comparability.key(entry.result).items())
            key = (entry.case, _machine(entry), entry.primary[0],
                   tuple((name, value) for name, value in facts if name not in PACKAGES))
            groups.setdefault(key, {}).setdefault(occasion, []).append(entry)
    several = {key: sorted(inside.values(), key=lambda runs: runs[-1].started_at)
               for key, inside in groups.items() if len(inside) >= _LEAST_OCCASIONS}
    newest = sorted(several, key=lambda key: several[key][-1][0].started_at, reverse=True)
    return [_timeline(several[key], _differing(key, several)) for key in newest]


def _machine(entry: Entry) -> str:
    """The name of the machine: the scheduler's, else its own. A container has another name each time."""
    system = entry.result.system
    return node_file(entry.path.parent) or ("" if system.container else system.node or "")


def _differing(key: Key, every: Iterable[Key]) -> list[str]:
    """The parameters that differ between the lines of a case, as ``NAME value``."""
    others = [dict(other[3]) for other in every if other[0] == key[0]]
    return [f"{name} {value}" for name, value in key[3]
            if value not in (None, "") and any(other.get(name) != value for other in others)]


def _timeline(occasions: Sequence[Runs], differing: Sequence[str]) -> Timeline:
    newest = occasions[-1][0]
    name, unit, _ = newest.primary or ("", "", 0.0)
    label_name, label = _labels([runs[0] for runs in occasions])
    machine = " · ".join(filter(None, (newest.result.system.cpu, _machine(newest))))
    drawn: list[Occasion] = []
    history: list[Runs] = []
    for runs in occasions:
        valid = [entry for entry in runs if entry.verdict == "valid"]
        measured = values(runs)
        value = median(measured)
        earlier = [median(values(as_many(before, runs))) for before in history[-LAST:]]
        kinds = {1: BETTER, -1: WORSE, 0: EARLY if len(earlier) < LEAST_HISTORY else AS_BEFORE if valid else NOISY}
        drawn.append(Occasion(value, min(measured), max(measured), len(measured), runs[-1].started_at, label(runs[0]),
                              kinds[change(newest.mode, value, earlier)], expected(earlier)))
        history += [valid] if valid else []
    return Timeline(" · ".join([newest.case, *differing]), f"{name} on {machine or 'an unknown machine'}",
                    label_name, f"{name} ({unit})", drawn)


def _labels(newest: Runs) -> tuple[str, Callable[[Entry], str]]:
    """(title of the axis, function for the label of a run), from the first that differs: commits, versions or days."""
    def commit(entry: Entry) -> str:
        software = entry.result.software
        return str(software.get("git_commit") or "?")[:7] + ("+" if software.get("git_changed") else "")

    def version(package: str, entry: Entry) -> str:
        return str(entry.result.software.get(package) or "?")[:16]

    choices: list[tuple[str, Callable[[Entry], str]]] = [
        ("commit", commit),
        *((f"version of {package}", partial(version, package)) for package in ("resnet50-bench", *PACKAGES)),
        ("day (UTC)", lambda entry: entry.started_at[:10])]
    return next((choice for choice in choices if len(set(map(choice[1], newest))) > 1),
                ("time (UTC)", lambda entry: entry.started_at[11:16]))


def chart(line: Timeline) -> Chart:
    """A mark for each occasion in their order."""
    rows = [(when(one.started_at), one.label, short(one.value), one.kind, low_to_high(*(one.limits or (None, None))),
             str(one.runs)) for one in line.occasions]
    changes = [f"{one.kind} at {one.label}" for one in line.occasions if one.kind in (BETTER, WORSE)]
    return Chart(line.title, line.caption,
                 f"{plural(len(rows), 'logs folder')} from {rows[0][2]} to {rows[-1][2]}; "
                 f"{', '.join(changes) or 'no change shown'}.", lambda colours: _spec(line, colours),
                 ("Started (UTC)", line.x_name, line.y_name, "To earlier ones", "Expected between", "Runs"), rows)


def _spec(line: Timeline, colours: Palette) -> Spec:
    """The marks above the expected band of earlier occasions, with versions where they change.

    The axis of values does not begin at zero: a change of some percent has to be seen.
    """
    marks = [{"x": i, "y": one.value, "low": one.low, "high": one.high, "kind": one.kind,
              "least": one.limits and one.limits[0], "most": one.limits and one.limits[1]}
             for i, one in enumerate(line.occasions)]
    ends = around([value for one in line.occasions for value in (one.value, one.low, one.high, *(one.limits or ()))])
    labels = [plain(one.label) for one in line.occasions]
    changing = [i for i, label in enumerate(labels) if not i or label != labels[i - 1]]
    x = axis("x", line.x_name, [-0.5, len(labels) - 0.5], grid=False, values=changing, labelAngle=-35,
             labelAlign="right", labelOverlap="greedy", labelFlush=False,
             # A list of JSON texts: whatever a result contains, it stays text.
             labelExpr=f"{json.dumps(labels)}[datum.value]")
    looks = {kind: pair for kind, pair in _KINDS.items() if any(one.kind == kind for one in line.occasions)}
    colour = look("kind", list(looks), [colours[colour] for colour, _ in looks.values()], {"columns": 2})
    shape = look("kind", list(looks), [shape for _, shape in looks.values()], {"columns": 2})

    def y(field: str) -> Spec:
        return axis(field, line.y_name, ends, values=nice_ticks(ends[0], ends[1]))

    return frame(colours, [
        {"mark": {"type": "area", "color": colours["grid"], "opacity": 0.8, "interpolate": "step"},
         "transform": [{"filter": "isValid(datum.least)"}], "encoding": {"y": y("least"), "y2": {"field": "most"}}},
        {"mark": {"type": "rule", "color": colours["c0"], "strokeWidth": 1.5, "opacity": 0.75},
         "encoding": {"y": y("low"), "y2": {"field": "high"}}},
        {"mark": {"type": "line", "color": colours["c0"], "strokeWidth": 1.5}, "encoding": {"y": y("y")}},
        {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 55},
         "encoding": {"y": y("y"), "color": colour, "shape": shape}}],
        height=HEIGHT + 30 + 17 * math.ceil(len(looks) / 2), data={"values": marks}, encoding={"x": x})


SECTION = Section(30, "time", "Over time", _inside, hint=(
    "Each mark is the median of the iterations in one logs folder. ▲ and ▼ are outside the band that the gate "
    f"computes from the last {LAST} valid runs. The band needs {LEAST_HISTORY} of them. Versions may "
    "differ along a line. The axis of values does not begin at 0."))
