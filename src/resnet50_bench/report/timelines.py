"""Results enter; every case's KPI over time on one machine leaves, with changes by the gate's rule.

The gate judges a run by earlier ones of the same versions. Here versions may change along the way: to see whether the
KPI changed with them is what the picture is for. All else that comparability asks for is equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from ..history import comparability
from ..history.collection import LOGS_FOLDER, Entry, node_file
from ..history.judgement import LAST, LEAST_HISTORY, as_many, change, expected
from ..versus.record import PLAN
from . import charts
from .drawing import Gallery
from .figures import AS_BEFORE, BETTER, EARLY, NOISY, WORSE, Occasion, Timeline
from .markup import Html, el

#: Two occasions are no course of time yet.
LEAST_OCCASIONS = 3
#: A chart costs time and room.
DRAWN = 8
Runs = Sequence[Entry]


def section(entries: Sequence[Entry], gallery: Gallery) -> Html:
    """The section; empty where nothing ran on several occasions."""
    lines = timelines(entries)
    if not lines:
        return Html("")
    left = len(lines) - DRAWN
    return el("section", el("h2", "Over time"),
              el("p", "Each mark is one logs folder, by the median of its iterations. ▲ and ▼ lie beyond what the "
                      f"median of the last {LAST} valid ones lets expect (the band, once there are {LEAST_HISTORY}) by "
                      "the rule of the gate. Versions may differ along a line. The axis of values does not begin at 0.",
                 class_="hint"),
              el("div", *(el("article", el("h3", line.title),
                            gallery.figure(f"time {line.title}", charts.timeline(line)), class_="card")
                          for line in lines[:DRAWN]), class_="gallery"),
              el("p", f"{left} more are left out: name fewer folders to see them.", class_="hint") if left > 0 else "",
              id="time")


def timelines(entries: Iterable[Entry]) -> list[Timeline]:
    """One for each case, set of parameters and machine with enough occasions; the one that ran last is the first."""
    groups: dict[tuple[str, str, str, str], dict[object, list[Entry]]] = {}
    for entry in entries:
        if entry.primary and not _is_turn(entry):
            occasion = entry.logs if LOGS_FOLDER.fullmatch(entry.logs.name) else entry.path
            key = (entry.case, _machine(entry), entry.primary[0], _key(entry))
            groups.setdefault(key, {}).setdefault(occasion, []).append(entry)
    several = {key: sorted(inside.values(), key=lambda runs: runs[-1].started_at)
               for key, inside in groups.items() if len(inside) >= LEAST_OCCASIONS}
    newest = sorted(several, key=lambda key: several[key][-1][0].started_at, reverse=True)
    return [_timeline(several[key], _differing(several, key)) for key in newest]


def _is_turn(entry: Entry) -> bool:
    """A comparison's turns have a picture of their own."""
    return len(entry.path.parents) > 2 and (entry.path.parents[2] / PLAN).exists()


def _key(entry: Entry) -> str:
    return json.dumps(comparability.key_but_versions(entry.result), sort_keys=True, default=str)


def _machine(entry: Entry) -> str:
    """What the scheduler or the machine calls itself; a container has another name each time."""
    system = entry.result.system
    return node_file(entry.path.parent) or ("" if system.container else system.node or "")


def _differing(groups: dict[tuple[str, str, str, str], list[list[Entry]]], key: tuple[str, str, str, str]) -> list[str]:
    """``NAME value`` of what tells a case's lines apart."""
    mine = json.loads(key[3])
    others = [json.loads(other[3]) for other in groups if other[0] == key[0]]
    return [f"{name} {value}" for name, value in mine.items()
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
        values = _values(runs)
        value = median(values)
        earlier = [median(_values(as_many(before, runs))) for before in history[-LAST:]]
        drawn.append(Occasion(value, min(values), max(values), len(values), runs[-1].started_at, label(runs[0]),
                              _kind(newest.mode, value, earlier, not valid), expected(earlier)))
        history += [valid] if valid else []
    return Timeline(" · ".join([newest.case, *differing]), f"{name} on {machine or 'an unknown machine'}",
                    label_name, f"{name} ({unit})", drawn)


def _values(runs: Runs) -> list[float]:
    return [entry.primary[2] for entry in runs if entry.primary]


def _kind(kpi: str, value: float, earlier: Sequence[float], noisy: bool) -> str:
    direction = change(kpi, value, earlier)
    if direction:
        return BETTER if direction > 0 else WORSE
    return EARLY if len(earlier) < LEAST_HISTORY else NOISY if noisy else AS_BEFORE


def _labels(newest: Runs) -> tuple[str, Callable[[Entry], str]]:
    """(what the axis tells, the label of a run): the first that differs of commits, versions and days."""
    def commit(entry: Entry) -> str:
        software = entry.result.software
        return str(software.get("git_commit") or "?")[:7] + ("+" if software.get("git_changed") else "")

    def of(package: str) -> Callable[[Entry], str]:
        return lambda entry: str(entry.result.software.get(package) or "?")[:16]

    choices = (("commit", commit), *((f"version of {package}", of(package))
                                     for package in ("resnet50-bench", *comparability.PACKAGES)),
               ("day (UTC)", lambda entry: entry.started_at[:10]))
    return next((choice for choice in choices if len(set(map(choice[1], newest))) > 1),
                ("time (UTC)", lambda entry: entry.started_at[11:16]))
