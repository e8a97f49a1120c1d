"""FAKE turns for the races of `versus`, and the words of two sides."""

from __future__ import annotations

import random

from resnet50_bench.result.blocks import Question, Rules
from resnet50_bench.versus.rounds import Race, SideFailed, Turn, take_turns
from resnet50_bench.versus.words import Given


class FakeRunner:
    """Turns whose values are drawn: side B is ``ratio`` times A, both share what a round has in common."""

    def __init__(self, ratio: float = 1.0, fails: dict[tuple[int, str], int] | None = None, spread: float = 0.02,
                 slow: dict[tuple[int, str], float] | None = None) -> None:
        self.ratio, self.fails, self.spread, self.slow = ratio, fails or {}, spread, slow or {}
        self.measured: list[tuple[int, str]] = []
        self.said: list[tuple[int, str]] = []
        self.left_s: list[tuple[float, float]] = []
        self.now = 0.0

    def measure(self, number: int, side: str, again: bool) -> Turn:
        self.measured.append((number, side))
        self.now += 10
        if self.fails.get((number, side), 0):
            self.fails[number, side] -= 1
            raise SideFailed(side, "instance 0 was killed by SIGKILL")
        own = random.Random(f"{number}{side}").gauss(0, self.spread)
        common = random.Random(number).uniform(0.8, 1.2)
        value = 100 * common * (1 + own) * (self.ratio if side == "B" else 1)
        return Turn(number, side, value * (1 if again else self.slow.get((number, side), 1)), "noisy",
                    ("drift: it fell",), 500.0, again)

    def round_ended(self, race: Race) -> None:
        self.left_s.append(race.left_s())

    def turn_failed(self, number: int, error: SideFailed) -> None:
        self.said.append((number, str(error)))


def raced(names: str = "AB", turns: list[Turn] | None = None, most_rounds: int = 12, within: float | None = None,
          question: Question = Question.BASELINE) -> Race:
    return Race(tuple(names), Rules(question, most_rounds, within), 1, turns=list(turns or []))


def run(runner: FakeRunner, race: Race | None = None, **more: object) -> tuple[str, Race]:
    race = race or raced()
    return take_turns(race, runner, lambda: runner.now, **more), race


def given(a: str = "", b: str = "", **flags: str) -> Given:
    return Given({"A": a, "B": b}, {"CASE_TYPE": "gated", "PRECISION": "avx_int8", **flags}, {})
