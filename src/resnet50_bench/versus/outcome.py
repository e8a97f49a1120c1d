"""A race of sides -> the table and the sentence that a user reads, and one JSON document; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from ..case.engines import UNPROVEN_WORDS, is_unproven
from ..errors import Regression
from ..result.blocks import EQUAL, FIRST_LOOK, Gap, Question, fit, gaps
from ..result.kpi import FASTER, KPIS, NO_DIFFERENCE, SLOWER, Kpi
from ..tables import aligned
from .record import TABLE, texts_of
from .rounds import Race, Turn
from .words import Side

#: A number of rounds above this one is no advice.
_MOST_ROUNDS = 100


@dataclass(frozen=True)
class Outcome:
    """The state of a comparison. ``ended``: why, empty while it goes on. ``wall_s``: of this call alone."""

    sides: Sequence[Side]
    race: Race
    ended: str
    wall_s: float

    @property
    def kpi(self) -> Kpi:
        """That of all sides."""
        return KPIS[self.sides[0].case.mode]

    @property
    def question(self) -> Question:
        """What is compared with what."""
        return self.race.rules.question

    @cached_property
    def gaps(self) -> list[Gap]:
        """The ratios of speeds that the question is about; none before the first round."""
        return gaps(self.race.standing, self.race.observations, self.question) if self.race.turns else []

    @property
    def leader(self) -> str | None:
        """The fastest side, where that is the question."""
        return self.gaps[0].a if self.question is Question.BEST and self.gaps else None

    def turns(self, name: str) -> list[Turn]:
        """All turns of a side, the disturbed ones too."""
        return [turn for turn in self.race.turns if turn.side == name]

    @cached_property
    def estimates(self) -> dict[str, float]:
        """The KPI of each measured side as the fit has it: their quotients are the ratios that are shown."""
        levels = fit(self.race.observations).level if self.race.turns else {}
        return {name: math.exp(level) ** self.race.sign for name, level in levels.items()}

    def values(self, name: str) -> list[float]:
        """The KPI of each round of a side: of two turns the better one."""
        return [one.value**self.race.sign for one in self.race.observations if one.side == name]

    def label(self, name: str) -> str:
        """A side by its own name."""
        return next(side.label for side in self.sides if side.name == name)

    def ratio(self, gap: Gap) -> tuple[float, float | None, float | None]:
        """The ratio of the KPIs B / A with its bounds: of latencies the inverse of the speeds'."""
        if self.race.sign > 0 or gap.low is None or gap.high is None:
            return gap.ratio**self.race.sign, gap.low, gap.high
        return 1 / gap.ratio, 1 / gap.high, 1 / gap.low


def refuse_slower(outcome: Outcome) -> None:
    """Raises Regression with the verdict on each side that is slower than the baseline A."""
    slower = [verdict(outcome, gap) for gap in outcome.gaps if gap.a == "A" and gap.verdict == SLOWER]
    if slower:
        raise Regression("\n".join(slower))


#: Between the bounds of an interval that is shown.
_MOST_RATIO = 100.0


def verdict(outcome: Outcome, gap: Gap) -> str:
    """``B is faster than A by 6.0 % (95 % interval 4.1 to 8.0 %)``, equal, or that no difference was shown."""
    a, b = outcome.label(gap.a), outcome.label(gap.b)
    ratio, low, high = outcome.ratio(gap)
    if low is None or high is None:
        return f"{b} and {a}: {NO_DIFFERENCE}: too few rounds for a verdict; use more --rounds"
    if high > _MOST_RATIO * low:
        return (f"{b} and {a}: {NO_DIFFERENCE}: the rounds differ too much for an interval; reduce the noise (see "
                "./ctest.sh --doctor)")
    change, near, far = (100 * (value - 1) for value in (ratio, low, high))
    if gap.verdict in (FASTER, SLOWER):
        near, far = sorted((abs(near), abs(far))) if near * far > 0 else (near, far)
        latency = "" if outcome.kpi.sign > 0 else f": {'higher' if change > 0 else 'lower'} latency"
        return (f"{b} is {gap.verdict} than {a} by {abs(change):.1f} % (95 % interval {near:.1f} to {far:.1f} %)"
                f"{latency}")
    bounds = f"(95 % interval {interval(low, high)})"
    if gap.verdict == EQUAL:
        return f"{b} is as fast as {a}, within {100 * outcome.race.rules.equal_within:g} % {bounds}"
    return (f"{b} and {a}: {NO_DIFFERENCE} {bounds}: differences above {max(abs(near), abs(far)):.1f} % would have "
            "been seen")


def sentence(outcome: Outcome) -> str:
    """The answer, or the means that would decide."""
    if not outcome.gaps:
        one = f"only {outcome.label(outcome.race.turns[0].side)} was" if outcome.race.turns else "no side was"
        return f"nothing is compared yet: {one} measured"
    if outcome.question is Question.BEST:
        return _who_is_best(outcome)
    parts = [verdict(outcome, gap) for gap in outcome.gaps]
    return "; ".join(parts)


def _who_is_best(outcome: Outcome) -> str:
    standing, leader = outcome.race.standing, outcome.label(outcome.gaps[0].a)
    close = [gap for gap in outcome.gaps if gap.b in standing.left]
    if not close:
        first, *others = outcome.gaps
        ahead, low, high = (100 * (1 / value - 1) if value else 0.0 for value in (first.ratio, first.high, first.low))
        bounds = f" ({low:.1f} to {high:.1f} %)" if first.low else ""
        return (f"{leader} is the fastest: {ahead:.1f} % ahead of {outcome.label(first.b)}{bounds}"
                f"{_left_behind(outcome, others)}")
    lost = _left_behind(outcome, [gap for gap in outcome.gaps if gap.b not in standing.left])
    together = _listed([leader, *(outcome.label(gap.b) for gap in close)])
    if standing.ended:
        return f"{together} are the fastest, within {100 * outcome.race.rules.equal_within:g} % of each other{lost}"
    named = _listed([f"{outcome.label(gap.b)} ({_behind(gap):.1f} % behind)" for gap in close])
    verb = "is" if len(close) == 1 else "are"
    return f"{leader} leads, but {named} {verb} not proven to be slower{lost}; {_would_decide(outcome)}"


def _would_decide(outcome: Outcome) -> str:
    rounds, seconds = outcome.race.to_decide(), outcome.race.round_s()
    if rounds > _MOST_ROUNDS:
        return (f"more than {_MOST_ROUNDS} rounds would be needed at this spread: reduce the noise (see ./ctest.sh "
                "--doctor), or use a larger --equal-within")
    took = f", about {minutes(rounds * seconds)}," if seconds else ""
    return f"{rounds} more round{'s' * (rounds > 1)}{took} would decide if the measured ratios do not change"


def _left_behind(outcome: Outcome, gaps: Sequence[Gap]) -> str:
    if not gaps:
        return ""
    low, high = (f"{pick(map(_behind, gaps)):.0f}" for pick in (min, max))
    return (f"; {_listed([outcome.label(gap.b) for gap in gaps])} {'is' if len(gaps) == 1 else 'are'} "
            f"{low if low == high else f'{low} to {high}'} % behind")


def _behind(gap: Gap) -> float:
    return 100 * (1 - gap.ratio)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def table(outcome: Outcome) -> list[str]:
    """A head and a row for each side: the baseline first, or the fastest."""
    gap_of = {gap.b: gap for gap in outcome.gaps}
    compared = [gap.a for gap in outcome.gaps] + [gap.b for gap in outcome.gaps]
    names = list(dict.fromkeys([*compared, *outcome.estimates]))
    head = ("side", outcome.kpi.unit, "min .. max", f"to {_reference(outcome)}", "95 % interval", "rounds", "noisy",
            "memory MB", "")
    rows: list[tuple[str, ...]] = [head, *(_row(outcome, name, gap_of.get(name)) for name in names)]
    if outcome.question is Question.PAIRS:
        rows = [(*row[:3], *row[5:]) for row in rows]
    return aligned(rows, left=(0, len(rows[0]) - 1))


def _reference(outcome: Outcome) -> str:
    return "leader" if outcome.question is Question.BEST else outcome.sides[0].name


def _row(outcome: Outcome, name: str, gap: Gap | None) -> tuple[str, ...]:
    """``gap``: to the leader or the baseline; None for that side itself."""
    values, turns = outcome.values(name), outcome.turns(name)
    memory = [turn.memory_mb for turn in turns if turn.memory_mb is not None]
    side = next(side for side in outcome.sides if side.name == name)
    who = side.label if side.label != name else f"{name}: {side.shown}"
    ratio, low, high = outcome.ratio(gap) if gap else (1.0, None, None)
    return (who + (" (kernels unproven)" if is_unproven(side.case.torch_type) else ""),
            f"{outcome.estimates[name]:.2f}", f"{min(values):.2f} .. {max(values):.2f}",
            f"{100 * (ratio - 1):+.1f} %" if gap else "", interval(low, high), str(len(values)),
            f"{sum(turn.verdict == 'noisy' for turn in turns)} of {len(turns)}",
            f"{median(memory):.0f}" if memory else "unknown", _state(outcome, name))


def interval(low: float | None, high: float | None) -> str:
    """``-3.1 to +0.2 %`` of a ratio's bounds; empty where they say nothing."""
    if low is None or high is None or high > _MOST_RATIO * low:
        return ""
    return f"{100 * (low - 1):+.1f} to {100 * (high - 1):+.1f} %"


def _state(outcome: Outcome, name: str) -> str:
    standing = outcome.race.standing
    if name in outcome.race.failed:
        return "failed"
    if name in standing.out:
        return f"out after round {standing.out[name]}" if outcome.question is Question.BEST else (
            f"decided after round {standing.out[name]}")
    return ""


#: Of the lines on the screen.
_MOST_LINES = 10


def card(outcome: Outcome, folder: str, tool: str, again: str) -> list[str]:
    """The table, the sentence, the way it ended and the next command; ten lines for up to four sides.

    ``again``: the words that continue this comparison, but for --rounds.
    """
    race = outcome.race
    lines = table(outcome) if race.turns else []
    said = [verdict(outcome, gap) for gap in outcome.gaps]
    if outcome.question is Question.BEST or not said:
        said = [sentence(outcome)]
    room = max(2, _MOST_LINES - len(lines) - 3)
    if len(said) > room:
        said = [*said[:room - 1], f"and {len(said) - room + 1} verdicts more: {folder}/{TABLE}"]
    rounds = max(FIRST_LOOK, race.rules.most_rounds * (2 if race.round >= race.rules.most_rounds else 1))
    follow = f"{tool} report {folder}" if race.standing.ended else f"{tool} {again} --rounds {rounds}"
    return [*lines, *said, _how(outcome), f"results: {folder}", f"next: {follow}"]


def text(outcome: Outcome) -> str:
    """The table, the sentence, each verdict, and how they came to be."""
    lines = table(outcome) if outcome.race.turns else []
    lines += [f"{side.label}: {side.case.torch_type}: {UNPROVEN_WORDS}" for side in outcome.sides
              if is_unproven(side.case.torch_type)]
    if outcome.question is Question.BEST or not outcome.gaps:
        lines += ["", sentence(outcome)]
    return "\n".join([*lines, "", *(verdict(outcome, gap) for gap in outcome.gaps), _how(outcome)]) + "\n"


def _how(outcome: Outcome) -> str:
    count = outcome.race.round
    again = sum(turn.again for turn in outcome.race.turns)
    twice = f"; {again} disturbed turn{'s' * (again > 1)} measured twice" if again else ""
    return (f"{count} round{'s' * (count != 1)}, each run in new processes{twice}; ended: {outcome.ended}; wall time "
            f"{clock(outcome.wall_s)}; order by seed {outcome.race.seed}")


def clock(seconds: float) -> str:
    """``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def minutes(seconds: float) -> str:
    """``8 min``, ``50 s``."""
    return f"{round(seconds / 60)} min" if seconds >= 90 else f"{round(seconds)} s"


def document(outcome: Outcome) -> dict[str, object]:
    """For programs. Values in ``unit``; ratios of the KPI without unit; an unknown bound is null."""
    return {
        "schema": "resnet50-bench-versus-outcome", "schema_version": 2,
        "mode": outcome.sides[0].case.mode, "unit": outcome.kpi.unit, "higher_is_better": outcome.kpi.sign > 0,
        "question": outcome.question.value, "leader": outcome.leader, "sentence": sentence(outcome),
        "sides": {side.name: _side(outcome, side) for side in outcome.sides},
        "pairs": list(_pairs(outcome)),
        "turns": [{"round": turn.round, "side": turn.side, "value": turn.value, "verdict": turn.verdict,
                   "reasons": list(turn.reasons), "memory_mb": turn.memory_mb, "again": turn.again}
                  for turn in outcome.race.turns],
        "seed": outcome.race.seed, "ended": outcome.ended, "decided": outcome.race.standing.ended,
        "wall_s": round(outcome.wall_s, 1)}


def _pairs(outcome: Outcome) -> Iterator[Mapping[str, object]]:
    for gap in outcome.gaps:
        ratio, low, high = outcome.ratio(gap)
        yield {"a": gap.a, "b": gap.b, "ratio": ratio, "low": low, "high": high, "verdict": gap.verdict,
               "text": verdict(outcome, gap)}


def _side(outcome: Outcome, side: Side) -> Mapping[str, object]:
    values = outcome.values(side.name)
    middle, low, high = (median(values), min(values), max(values)) if values else (None, None, None)
    return {"what": side.text, "label": side.label, "kernels_proven": not is_unproven(side.case.torch_type),
            "parameters": texts_of(side), "python": str(side.python), "estimate": outcome.estimates.get(side.name),
            "median": middle, "min": low, "max": high,
            "rounds": len(values), "out_after": outcome.race.standing.out.get(side.name)}
