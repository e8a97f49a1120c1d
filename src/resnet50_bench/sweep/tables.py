"""A sweep's points -> the table and heat maps that a user reads, and a ``--config`` file of the best; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..case.case import Case, option_of
from ..case.parameters import CATALOGUE
from .record import KPI, Run
from .search import LOOKS, Grid, Place, Score, combined, finalists, ranking, standing

#: How long was measured is not what is best; the rest is what the name of the case says.
_NOT_IN_CONFIG = ("STEPS", "WARMUP_STEPS", "MIN_DURATION", "FAIL_ON_NOISY", "VERBOSE", "WORKLOAD", "PLATFORM",
                  "FUNCTION", "MODE", "CASE_TYPE", "PRECISION")


@dataclass(frozen=True)
class Outcome:
    """What is known of one precision. ``unmeasured`` says of a place why it has no value."""

    precision: str
    grid: Grid
    cases: Mapping[Place, Case]
    runs: Mapping[Place, Sequence[Run]]
    unmeasured: Mapping[Place, str]

    @property
    def scores(self) -> dict[Place, list[Score]]:
        """As ``search`` knows them."""
        return {**{place: [] for place in self.unmeasured},
                **{place: [run.score for run in runs] for place, runs in self.runs.items()}}

    @property
    def best(self) -> Place | None:
        """The best point; None where none was measured."""
        ranked = ranking(self.scores)
        return ranked[0][0] if ranked else None

    def value(self, place: Place) -> tuple[float, float, float]:
        """(value, low, high) of a measured place in the KPI's unit."""
        score = combined(self.scores[place])
        sign = KPI[self.cases[place].mode][1]
        low, high = sorted((sign * score.low, sign * score.high))
        return sign * score.value, max(0.0, low), high


def ending(outcomes: Sequence[Outcome]) -> str:
    """Every measured point, the best of each precision, the heat maps."""
    parts = [_points("All points", [(each, place) for each in outcomes for place, _ in ranking(each.scores)])]
    parts.append(_points("The best of each precision", [(each, each.best) for each in outcomes if each.best]))
    parts += [_decision(each) for each in outcomes]
    parts += [_heat_map(each) for each in outcomes]
    parts += [f"{each.precision} BS {batch} CPI {cores}: {why}" for each in outcomes
              for (batch, cores), why in sorted(each.unmeasured.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def named(places: Sequence[Place]) -> str:
    """``BS 8 CPI 2, BS 16 CPI 2``."""
    return ", ".join(f"BS {batch} CPI {cores}" for batch, cores in places)


def _decision(each: Outcome) -> str:
    """What the duel has told from the best and what not; empty where nothing came close."""
    last = [place for place in standing(each.scores) if place != each.best]
    beaten = [place for place in finalists(each.scores) if place not in (*last, each.best)]
    parts = [f"the best is told from {named(beaten)} by restarts taking turns"] if beaten else []
    if last:
        rounds = min(sum(run.score.restart for run in each.runs[place]) for place in (each.best, *last) if place)
        parts.append(f"no difference shown between the best and {named(last)}" + (
            f" by {rounds} rounds of restarts taking turns" if rounds >= LOOKS[0] else
            ": restarts have not decided between them"))
    return f"{each.precision}: {'; '.join(parts)}" if parts else ""


def _points(title: str, rows: Sequence[tuple[Outcome, Place]]) -> str:
    """The description's table, with the interval and the runs that it is of; ``~``: a run of it is noisy."""
    if not rows:
        return ""
    head = ("precision", "BS", "CPI", "CPU", "value", "95 % interval", "runs")
    cells = [head, tuple("-" * len(word) for word in head)]
    for each, place in rows:
        value, low, high = each.value(place)
        noisy = any(run.verdict == "noisy" for run in each.runs[place])
        cells.append((each.precision, str(place[0]), str(place[1]), each.cases[place].platform,
                      _short(value) + ("~" if noisy else ""), f"{_short(low)} - {_short(high)}",
                      _basis(each.scores[place])))
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    left = (0, 3)
    unit = KPI[rows[0][0].cases[rows[0][1]].mode][0]
    lines = ["| " + " | ".join(word.ljust(width) if column in left else word.rjust(width)
                               for column, (word, width) in enumerate(zip(row, widths, strict=True))) + " |"
             for row in cells]
    return "\n".join([f"{title} ({unit}):", *lines])


def _basis(scores: Sequence[Score]) -> str:
    restarts = sum(score.restart for score in scores)
    return f"{restarts} restart{'s' * (restarts > 1)}" if restarts else str(len(scores))


def _heat_map(outcome: Outcome) -> str:
    """Batch sizes down, cores across; ``*`` the best, ``~`` noisy, ``.`` not measured, ``!`` failed or left out."""
    ranked = ranking(outcome.scores)
    if not ranked:
        return ""
    shades = " ░▒▓█"
    low, high = ranked[-1][1].value, ranked[0][1].value
    rows = [["BS \\ CPI", *map(str, outcome.grid.cores)]]
    for batch in outcome.grid.batches:
        row = [str(batch)]
        for cores in outcome.grid.cores:
            place = batch, cores
            if not outcome.runs.get(place):
                row.append("!" if place in outcome.unmeasured else ".")
                continue
            share = (combined(outcome.scores[place]).value - low) / (high - low) if high > low else 1.0
            mark = "*" if place == outcome.best else ""
            mark += "~" if any(run.verdict == "noisy" for run in outcome.runs[place]) else ""
            row.append(f"{mark}{_short(outcome.value(place)[0])} {shades[min(4, int(5 * share))]}")
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{outcome.precision} (* best, ~ noisy, . not needed, ! failed or left out):", *lines])


def _short(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def config(outcomes: Sequence[Outcome]) -> str:
    """YAML for ``ctest.sh --config``: the best point of each precision, with what else was given."""
    lines = ["# The best points of a sweep: ./ctest.sh --config THIS_FILE"]
    for each in outcomes:
        if each.best:
            case = each.cases[each.best]
            value, low, high = each.value(each.best)
            lines += [f"# {_short(value)} ({_short(low)} - {_short(high)}) {KPI[case.mode][0]} on {case.platform}",
                      f"{json.dumps('*_' + option_of(case))}:"]
            lines += [f"  {name}: {json.dumps(text)}" for name, text in case.texts().items()
                      if name in CATALOGUE and name not in _NOT_IN_CONFIG and not case.is_default(name) and text]
    return "\n".join(lines) + "\n"
