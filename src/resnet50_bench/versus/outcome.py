"""Sides and rounds -> the table and the verdicts that a user reads, and one JSON document; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..case.engines import UNPROVEN_WORDS, is_unproven
from ..result.kpi import FASTER, KPIS, NO_DIFFERENCE, SLOWER
from ..tables import aligned
from .record import TABLE, texts_of
from .rounds import Pair, Round, looks, pairs, spread
from .words import Side


@dataclass(frozen=True)
class Outcome:
    """All that a comparison came to. ``wall_s`` is that of this call alone."""

    sides: Sequence[Side]
    rounds: Sequence[Round]
    most_rounds: int
    seed: int
    ended: str
    wall_s: float

    @property
    def names(self) -> list[str]:
        """In the order given."""
        return [side.name for side in self.sides]

    @property
    def mode(self) -> str:
        """That of all sides."""
        return self.sides[0].case.mode

    @property
    def pairs(self) -> list[Pair]:
        """Every later side against every earlier one."""
        return pairs(self.names, self.rounds, self.most_rounds)

    def values(self, name: str) -> list[float]:
        """A side's, by round."""
        return [each.turns[name].value for each in self.rounds]


def word(pair: Pair, mode: str) -> str:
    """What the pair's later side is: faster, slower, or no difference shown."""
    if not pair.found.apart:
        return NO_DIFFERENCE
    return FASTER if (pair.found.ratio > 1) == (KPIS[mode].sign > 0) else SLOWER


def is_slower(outcome: Outcome) -> list[str]:
    """The verdict of each side that is slower than the first one."""
    return [verdict(pair, outcome.mode) for pair in outcome.pairs
            if pair.a == outcome.names[0] and word(pair, outcome.mode) == SLOWER]


#: Between the ends of an interval that is shown.
_MOST_RATIO = 100.0


def verdict(pair: Pair, mode: str) -> str:
    """``B is faster than A by 6.0 % (95 % interval 4.1 to 8.0 %)``, or that no difference was shown, and which would
    have been."""
    found = pair.found
    if not _told(pair) or found.low is None or found.high is None:
        return f"{pair.b} and {pair.a}: {NO_DIFFERENCE}: so few rounds cannot tell; more --rounds can"
    told, by = KPIS[mode].told(found.low, found.ratio, found.high)
    if told != NO_DIFFERENCE:
        return f"{pair.b} is {told} than {pair.a} {by}"
    seen = 100 * max(1 - found.low, found.high - 1)
    return f"{pair.b} and {pair.a}: {told} {by}: differences above {seen:.1f} % would have been seen"


def ratio_text(pair: Pair) -> str:
    """``B/A 1.0604 (1.0412 to 1.0801)``."""
    found = pair.found
    interval = f" ({found.low:.4f} to {found.high:.4f})" if _told(pair) else " (too few rounds for an interval)"
    return f"{pair.b}/{pair.a} {found.ratio:.4f}{interval}"


def _told(pair: Pair) -> bool:
    """Whether the interval says anything: that of two noisy rounds may reach over twenty powers of ten."""
    low, high = pair.found.low, pair.found.high
    return low is not None and high is not None and high <= _MOST_RATIO * max(low, 1 / _MOST_RATIO)


#: Of the lines on the screen.
_MOST_LINES, _MOST_SIDES = 10, 4


def card(outcome: Outcome, folder: str, tool: str) -> list[str]:
    """Ten lines at most: the sides, the verdicts, how it ended; what does not fit stands in the folder's table."""
    if not outcome.rounds:
        return ["no round was measured", f"results: {folder}"]
    rows = _rows(outcome)
    lines = aligned(rows[:_MOST_SIDES + 1], left=(0, 1))
    # Of two sides the ratio has room, too.
    verdicts = [line for pair in outcome.pairs for line in (
        *([ratio_text(pair) + _HOLDS] if len(outcome.sides) == 2 else []), verdict(pair, outcome.mode))]
    room = _MOST_LINES - len(lines) - 3
    if len(verdicts) > room or len(rows) > len(lines):
        shown = verdicts[:room - 1]
        verdicts = [*shown, f"and {len(rows) - len(lines)} sides, {len(verdicts) - len(shown)} verdicts more: "
                    f"{folder}/{TABLE}"]
    undecided = any(word(pair, outcome.mode) == NO_DIFFERENCE for pair in outcome.pairs)
    follow = (f"{tool} versus --folder {folder} --rounds {2 * outcome.most_rounds}" if undecided
              else f"{tool} report {folder}")
    return [*lines, *verdicts, _how(outcome), f"results: {folder}", f"next: {follow}"]


def text(outcome: Outcome) -> str:
    """The table, a ratio and a verdict for each pair, and how they came to be."""
    if not outcome.rounds:
        return "no round was measured\n"
    lines = aligned(_rows(outcome), left=(0, 1))
    lines += [f"{side.name}: {side.case.torch_type}: {UNPROVEN_WORDS}" for side in outcome.sides
              if is_unproven(side.case.torch_type)]
    lines.append("")
    for pair in outcome.pairs:
        lines += [ratio_text(pair) + _HOLDS, verdict(pair, outcome.mode)]
    return "\n".join([*lines, _how(outcome)]) + "\n"


_HOLDS = ": what changes between restarts, paired by round"


def _how(outcome: Outcome) -> str:
    count = len(outcome.rounds)
    return (f"{count} round{'s' if count > 1 else ''}; ended: {outcome.ended}; wall time {clock(outcome.wall_s)}; "
            f"order by seed {outcome.seed}")


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """A head, and a row for each side."""
    unit = KPIS[outcome.mode].unit
    rows: list[tuple[str, ...]] = [("side", "what", f"median {unit}", "min .. max", "noisy", "memory MB")]
    for side in outcome.sides:
        turns = [each.turns[side.name] for each in outcome.rounds]
        middle, low, high = spread(outcome.values(side.name))
        memory = [turn.memory_mb for turn in turns if turn.memory_mb is not None]
        noisy = sum(turn.verdict == "noisy" for turn in turns)
        what = f"{side.shown} (kernels unproven)" if is_unproven(side.case.torch_type) else side.shown
        rows.append((side.name, what, f"{middle:.2f}", f"{low:.2f} .. {high:.2f}", f"{noisy} of {len(turns)}",
                     f"{spread(memory)[0]:.0f}" if memory else "unknown"))
    return rows


def clock(seconds: float) -> str:
    """``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def document(outcome: Outcome) -> dict[str, object]:
    """For programs. Values in ``unit``; ratios without unit; an unknown bound is null."""
    kpi = KPIS[outcome.mode]
    return {
        "schema": "resnet50-bench-versus-outcome", "schema_version": 1,
        "mode": outcome.mode, "unit": kpi.unit, "higher_is_better": kpi.sign > 0,
        "sides": {side.name: _side(outcome, side) for side in outcome.sides},
        "pairs": [{"a": pair.a, "b": pair.b, "ratio": pair.found.ratio, "low": pair.found.low,
                   "high": None if pair.found.high == math.inf else pair.found.high,
                   "verdict": word(pair, outcome.mode), "text": verdict(pair, outcome.mode)} for pair in outcome.pairs],
        "rounds": [{"round": each.number, "turns": {name: _turn(each, name) for name in outcome.names}}
                   for each in outcome.rounds],
        "looks": list(looks(outcome.most_rounds)), "seed": outcome.seed, "ended": outcome.ended,
        "wall_s": round(outcome.wall_s, 1)}


def _side(outcome: Outcome, side: Side) -> Mapping[str, object]:
    middle, low, high = spread(outcome.values(side.name)) if outcome.rounds else (None, None, None)
    return {"what": side.text, "kernels_proven": not is_unproven(side.case.torch_type), "parameters": texts_of(side),
            "python": str(side.python), "median": middle, "min": low, "max": high}


def _turn(each: Round, name: str) -> Mapping[str, object]:
    turn = each.turns[name]
    return {"value": turn.value, "verdict": turn.verdict, "reasons": list(turn.reasons), "memory_mb": turn.memory_mb}
