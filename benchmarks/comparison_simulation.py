#!/usr/bin/env python3
"""How often does a comparison err, how long does it take, and how often does its interval cover the truth?

    python3 benchmarks/comparison_simulation.py --trials 2000

Simulated sides take turns until the rules of ``result/blocks.py`` end the comparison. Restarts vary by --noise.
The machine drifts by 10 % over the rounds, in a line and a wave. One turn in ten is disturbed: it reaches 55 % of its
speed. One side is faster than all others by --faster. The old rules, for the rounds column of "before", are Student's t
of each pair at 5 % divided by all pairs and all looks (after 3, 5, 8, 13, 21 rounds).
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from resnet50_bench.result import blocks  # noqa: E402
from resnet50_bench.result.blocks import Contest, Observation, Question, Rules  # noqa: E402
from resnet50_bench.result.stats import t_quantile  # noqa: E402
from resnet50_bench.versus.rounds import disturbed  # noqa: E402

DISTURBED_SPEED, DRIFT = 0.55, 0.10
OLD_LOOKS = (3, 5, 8, 13, 21)


@dataclass(frozen=True)
class Setting:
    """A machine and its sides: shares, but for ``sides`` and ``most_rounds``. The first side is ``faster``."""

    sides: int
    noise: float
    faster: float
    disturbed: float
    most_rounds: int = 21
    question: Question = Question.BEST

    @property
    def names(self) -> str:
        """One letter a side."""
        return "ABCDEFGH"[:self.sides]


@dataclass(frozen=True)
class Trial:
    """How one simulated comparison ended. ``wrong``: it names a side the fastest that is not; ``any_wrong``: it says
    faster or slower of equal sides, or the wrong way round; ``covered``: by each interval."""

    wrong: bool
    any_wrong: bool
    told: bool
    rounds: int
    turns: int
    covered: bool
    again: int


class Machine:
    """Draws turns."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting, self.dice, self.turns = setting, random.Random(seed), 0

    def turn(self, number: int, side: str) -> Observation:
        """How fast the side was."""
        given = self.setting
        at = self.turns / given.sides / given.most_rounds
        self.turns += 1
        value = self.dice.gauss(0, given.noise) - DRIFT * (at + 0.3 * math.sin(6 * at))
        value += math.log1p(given.faster) if side == "A" else 0.0
        value += math.log(DISTURBED_SPEED) if self.dice.random() < given.disturbed else 0.0
        return Observation(number, side, math.exp(value))


def trial(setting: Setting, seed: int) -> Trial:
    """One comparison."""
    machine, names = Machine(setting, seed), setting.names
    rules = Rules(setting.question, setting.most_rounds)
    standing, turns, again = Contest(tuple(names), tuple(names)), {}, set()
    for number in range(1, setting.most_rounds + 1):
        for side in machine.dice.sample(standing.left, len(standing.left)):
            turns[number, side] = machine.turn(number, side)
        for one in disturbed(list(turns.values())):
            place = one.round, one.side
            if place not in again and one.side in standing.left:
                again.add(place)
                turns[place] = max(one, machine.turn(*place), key=lambda each: each.value)
        standing = blocks.advance(standing, list(turns.values()), number, rules)
        if standing.ended:
            break
    return _judged(setting, standing, list(turns.values()), number, machine.turns, len(again))


def _judged(setting: Setting, standing: Contest, turns: list[Observation], rounds: int, count: int,
            again: int) -> Trial:
    true = {side: math.log1p(setting.faster) * (side == "A") for side in setting.names}
    said = {(gap.a, gap.b): gap for gap in blocks.gaps(standing, turns, setting.question)}
    covered = all(gap.low is None or gap.low <= math.exp(true[b] - true[a]) <= gap.high for (a, b), gap in said.items())
    signs = {blocks.FASTER: 1, blocks.SLOWER: -1, blocks.EQUAL: 0}
    claims = [(true[b] - true[a], signs[verdict]) for (a, b), verdict in standing.verdicts.items()]
    any_wrong = any(sign and sign * truth <= 0 for truth, sign in claims)
    alone = standing.left[0] if len(standing.left) == 1 and setting.question is Question.BEST else None
    if setting.question is not Question.BEST:
        return Trial(any_wrong, any_wrong, standing.ended, rounds, count, covered, again)
    wrong = alone is not None and (alone != "A" or not setting.faster)
    return Trial(wrong, any_wrong, alone is not None and not wrong, rounds, count, covered, again)


def old_rounds(setting: Setting, seed: int) -> int:
    """After how many rounds the rules of before told A from each other side, each pair by its own t; 21 at most."""
    machine, names = Machine(setting, seed), setting.names
    values = {side: [] for side in names}
    p = 1 - 0.05 / len(OLD_LOOKS) / math.comb(len(names), 2) / 2
    for number in range(1, OLD_LOOKS[-1] + 1):
        for side in machine.dice.sample(names, len(names)):
            values[side].append(math.log(machine.turn(number, side).value))
        if number in OLD_LOOKS and all(_apart(values["A"], values[side], p) for side in names[1:]):
            return number
    return OLD_LOOKS[-1]


def _apart(a: list[float], b: list[float], p: float) -> bool:
    gaps = [x - y for x, y in zip(a, b, strict=True)]
    mean = fmean(gaps)
    error = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1) / len(gaps))
    return abs(mean) > t_quantile(p, len(gaps) - 1) * error


def _several(setting: Setting, seeds: range) -> list[Trial]:
    return [trial(setting, seed) for seed in seeds]


def simulate(setting: Setting, trials: int, pool: ProcessPoolExecutor | None = None) -> list[Trial]:
    """So many comparisons, the same ones each time."""
    if pool is None:
        return _several(setting, range(trials))
    parts = [range(first, trials, 8) for first in range(8)]
    return list(itertools.chain.from_iterable(pool.map(_several, itertools.repeat(setting), parts)))


def row(setting: Setting, found: list[Trial], before: list[int]) -> str:
    """A line of the table."""
    def percent(name: str) -> str:
        return f"{100 * fmean(getattr(one, name) for one in found):.1f}"
    return (f"| {setting.sides} | {100 * setting.noise:g} | {100 * setting.disturbed:g} | {100 * setting.faster:g} | "
            f"{percent('wrong')} | {percent('any_wrong')} | {percent('told')} | "
            f"{median(one.rounds for one in found):g} | {median(before):g} | {fmean(one.turns for one in found):.0f} | "
            f"{setting.sides * fmean(before):.0f} | {percent('covered')} |")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sides", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--faster", type=float, nargs="+", default=[0.0, 0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--disturbed", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--question", choices=[one.value for one in Question], default=Question.BEST.value)
    words = parser.parse_args()
    print("| sides | noise % | disturbed % | faster by % | wrong winner % | any wrong verdict % | told % | rounds "
          "| before | turns | before | covered % |\n|" + " ---: |" * 12)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for one in itertools.product(words.sides, words.noise, words.faster, words.disturbed):
            setting = Setting(*one, words.rounds, Question(words.question))
            before = list(pool.map(old_rounds, itertools.repeat(setting, 200), range(200), chunksize=25))
            print(row(setting, simulate(setting, words.trials, pool), before), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
