"""What is known of one precision's points: their runs, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..case.case import Case
from ..result.kpi import KPIS
from .record import PointRun
from .search import Grid, Place, Score, combined, ranking


@dataclass(frozen=True)
class KnownPoints:
    """``unmeasured`` says of a place why it has no value. It grows while the sweep runs."""

    precision: str
    grid: Grid
    cases: Mapping[Place, Case]
    runs: dict[Place, list[PointRun]] = field(default_factory=dict)
    unmeasured: dict[Place, str] = field(default_factory=dict)

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

    @property
    def unit(self) -> str:
        """Of the values: all points of a sweep have one MODE."""
        return KPIS[next(iter(self.cases.values())).mode].unit

    def value(self, place: Place) -> tuple[float, float, float]:
        """(value, low, high) of a measured place in the KPI's unit."""
        return self._in_unit(place, combined(self.scores[place]))

    def last(self, place: Place) -> tuple[float, float, float]:
        """(value, low, high) of a place's last run alone, the interval within it."""
        return self._in_unit(place, self.runs[place][-1].score)

    def basis(self, place: Place) -> str:
        """``mean of 2 restarts``, where the value is not of a single run."""
        restarts = sum(score.restart for score in self.scores[place])
        return f"mean of {restarts} restarts" if restarts > 1 else ""

    def _in_unit(self, place: Place, score: Score) -> tuple[float, float, float]:
        sign = KPIS[self.cases[place].mode].sign
        low, high = sorted((sign * score.low, sign * score.high))
        return sign * score.value, max(0.0, low), high

    def add(self, place: Place, run: PointRun) -> None:
        """One more run of the place."""
        self.runs.setdefault(place, []).append(run)

    def why_none(self) -> str:
        """Why there is no best."""
        return next(iter(self.unmeasured.values()), "none was tried")
