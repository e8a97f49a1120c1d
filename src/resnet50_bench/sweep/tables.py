"""A sweep's points -> the table and heat maps that a user reads, and a ``--config`` file of the best; pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..case.case import option_of, words_choosing
from ..case.parameters import CATALOGUE, Role, having
from ..result.blocks import FIRST_LOOK
from ..tables import aligned
from .known_points import KnownPoints
from .search import Place, Score, combined, finalists, ranking, standing

#: Effort is not what is best; the rest is what the name of the case says.
_NOT_IN_CONFIG = (*having(Role.EFFORT | Role.NAME), "WORKLOAD", "PLATFORM")


def ending(precisions: Sequence[KnownPoints]) -> str:
    """Every measured point, the best of each precision, the heat maps."""
    parts = [_points("All points", [(points, place) for points in precisions for place, _ in ranking(points.scores)])]
    parts.append(_points("The best of each precision", [(points, points.best) for points in precisions if points.best]))
    parts += [_decision(points) for points in precisions]
    parts += [_heat_map(points) for points in precisions]
    parts += [f"{points.precision} BS {batch} CPI {cores}: {why}" for points in precisions
              for (batch, cores), why in sorted(points.unmeasured.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


#: Of the lines on the screen: precisions, and of their rivals.
_MOST_PRECISIONS, _MOST_RIVALS = 6, 4


def outcome(precisions: Sequence[KnownPoints], table: str, best: str) -> list[str]:
    """Ten lines at most: the best of each precision, what it could not be told from, where the rest stands."""
    runs = sum(len(runs) for points in precisions for runs in points.runs.values())
    lines = [f"-- sweep: {sum(len(points.runs) for points in precisions)} points in {runs} runs"]
    shown = precisions[:_MOST_PRECISIONS] if len(precisions) > _MOST_PRECISIONS + 1 else precisions
    lines += [f"   {points.precision:<11} {_best_in_words(points)}" for points in shown]
    if len(precisions) > len(shown):
        lines.append(f"   and {len(precisions) - len(shown)} precisions more")
    next_line = [f"   Next        {best}"] if any(points.best for points in precisions) else []
    return [*lines, f"   Tables      {table}", *next_line]


def choosing(precisions: Sequence[KnownPoints]) -> str:
    """ctest.sh's words for the cases that have a best point: a --config file alone lets every case run."""
    return words_choosing([option_of(points.cases[points.best]) for points in precisions if points.best])


def _best_in_words(points: KnownPoints) -> str:
    if not points.best:
        return f"no point could be measured: {points.why_none()}"
    value, low, high = points.value(points.best)
    interval = f"95 % interval {_short(low)} to {_short(high)}" if high > low else "no interval: too few steps"
    rivals = [place for place in standing(points.scores) if place != points.best]
    more = f" and {len(rivals) - _MOST_RIVALS} more" if len(rivals) > _MOST_RIVALS else ""
    no_difference = f"; no difference shown to {named(rivals[:_MOST_RIVALS])}{more}" if rivals else ""
    noisy = " (noisy)" if any(run.verdict == "noisy" for run in points.runs[points.best]) else ""
    failed = f"; {len(points.unmeasured)} failed or left out" if points.unmeasured else ""
    return (f"{named([points.best])}: {_short(value)} {points.unit}{noisy}, {interval}{no_difference}{failed}")


def between(low: float, high: float) -> str:
    """``9.1 - 9.8``; a run of too few steps has no interval, and low is high."""
    return f"{_short(low)} - {_short(high)}" if high > low else "no interval"


def named(places: Sequence[Place]) -> str:
    """``BS 8 CPI 2, BS 16 CPI 2``."""
    return ", ".join(f"BS {batch} CPI {cores}" for batch, cores in places)


def _decision(points: KnownPoints) -> str:
    """What the duel has told from the best and what not; empty where nothing came close."""
    last = [place for place in standing(points.scores) if place != points.best]
    beaten = [place for place in finalists(points.scores) if place not in (*last, points.best)]
    parts = [f"restarts show that the best is better than {named(beaten)}"] if beaten else []
    if last:
        rounds = min(sum(run.score.restart for run in points.runs[place]) for place in (points.best, *last) if place)
        parts.append(f"no difference shown between the best and {named(last)}" + (
            f" in {rounds} rounds of restarts" if rounds >= FIRST_LOOK else
            ": too few restarts to decide"))
    return f"{points.precision}: {'; '.join(parts)}" if parts else ""


def _points(title: str, rows: Sequence[tuple[KnownPoints, Place]]) -> str:
    """The description's table, with the interval and the runs that it is of; ``~``: a run of it is noisy."""
    if not rows:
        return ""
    head = ("precision", "BS", "CPI", "CPU", "value", "95 % interval", "runs")
    cells = [head, tuple("-" * len(word) for word in head)]
    for points, place in rows:
        value, low, high = points.value(place)
        noisy = any(run.verdict == "noisy" for run in points.runs[place])
        cells.append((points.precision, str(place[0]), str(place[1]), points.cases[place].platform,
                      _short(value) + ("~" if noisy else ""), between(low, high),
                      _basis(points.scores[place])))
    lines = [f"| {line} |" for line in aligned(cells, left=(0, 3), between=" | ")]
    return "\n".join([f"{title} ({rows[0][0].unit}):", *lines])


def _basis(scores: Sequence[Score]) -> str:
    restarts = sum(score.restart for score in scores)
    return f"{restarts} restart{'s' * (restarts > 1)}" if restarts else str(len(scores))


def _heat_map(points: KnownPoints) -> str:
    """Batch sizes down, cores across; ``*`` the best, ``~`` noisy, ``.`` not measured, ``!`` failed or left out."""
    ranked = ranking(points.scores)
    if not ranked:
        return ""
    shades = " ░▒▓█"
    low, high = ranked[-1][1].value, ranked[0][1].value
    rows = [["BS \\ CPI", *map(str, points.grid.cores)]]
    for batch in points.grid.batches:
        row = [str(batch)]
        for cores in points.grid.cores:
            place = batch, cores
            if not points.runs.get(place):
                row.append("!" if place in points.unmeasured else ".")
                continue
            share = (combined(points.scores[place]).value - low) / (high - low) if high > low else 1.0
            mark = "*" if place == points.best else ""
            mark += "~" if any(run.verdict == "noisy" for run in points.runs[place]) else ""
            row.append(f"{mark}{_short(points.value(place)[0])} {shades[min(4, int(5 * share))]}")
        rows.append(row)
    return "\n".join([f"{points.precision} (* best, ~ noisy, . not needed, ! failed or left out):",
                      *aligned(rows, left=())])


def _short(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def config(precisions: Sequence[KnownPoints]) -> str:
    """YAML for ``ctest.sh --config``: the best point of each precision, with what else was given."""
    lines = [f"# The best points of a sweep. To run them: ./ctest.sh --config THIS_FILE {choosing(precisions)}"]
    for points in precisions:
        if points.best:
            case = points.cases[points.best]
            value, low, high = points.value(points.best)
            ties = [place for place in standing(points.scores) if place != points.best]
            lines += [f"# no difference shown to: {named(ties)}"] * bool(ties)
            lines += [f"# {_short(value)} ({between(low, high)}) {points.unit} on {case.platform}"
                      + (f", measured with RESNET50_BENCH_STACK={case.stack}" if case.stack else ""),
                      f"{json.dumps('*_' + option_of(case))}:"]
            lines += [f"  {name}: {json.dumps(text)}" for name, text in case.texts().items()
                      if name in CATALOGUE and name not in _NOT_IN_CONFIG and not case.is_default(name) and text]
    return "\n".join(lines) + "\n"
