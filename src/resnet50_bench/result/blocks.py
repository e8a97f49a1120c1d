"""Values of sides measured in rounds -> each side's level, the interval of each ratio, and which side is faster.

A round is a block: a slow change of the machine (clock, temperature, neighbours) is in all its values and cancels in
their ratios. The model of the logarithms is side + round + residual. It assumes that restarts of all sides vary by the
same percentage. Each value is of a new process, the highest level of repetition (Kalibera & Jones 2013, Rigorous
benchmarking in reasonable time, ISMM). Every function is pure; numpy and scipy are loaded at the first call.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from .kpi import FASTER, NO_DIFFERENCE, SLOWER
from .stats import logarithms, ratio_bounds, t_quantile

EQUAL = "equal"
#: The largest gap of equal sides, unless the user says otherwise.
EQUAL_WITHIN = 0.02
#: Huber's constant gives 95 % efficiency with normal residuals; _BETA is the mean of psi squared there.
_CLIP, _BETA = 1.345, 0.7101645
_MOST_STEPS, _PRECISION = 200, 1e-4
#: Of residuals: less is rounding.
_NOTHING = 1e-9


class Errors(NamedTuple):
    """The planned error of a comparison: of all ``verdicts`` together at all looks, and of all ``intervals``."""

    verdicts: float
    intervals: float

    @classmethod
    def of(cls, sides: int) -> Errors:
        """Simulated: with one turn in ten disturbed, 5 % of comparisons err at most, and intervals cover about 95 %."""
        return cls(0.04, 0.03) if sides == 2 else cls(0.017, 0.02)


class Observation(NamedTuple):
    """How fast one turn of a ``side`` was in a ``round``: images/s, or steps/s where the KPI is a latency."""

    round: int
    side: str
    value: float


@dataclass(frozen=True)
class Fit:
    """``level``: natural logarithm of each side's KPI. ``deviation``: of a restart (0.02 is 2 %), from ``df`` degrees
    of freedom. ``covariance``: of the levels, in squared deviations. ``residuals``: of each observation."""

    level: Mapping[str, float]
    covariance: Mapping[tuple[str, str], float]
    deviation: float
    df: int
    residuals: Sequence[float]

    def gap(self, a: str, b: str) -> tuple[float, float]:
        """(logarithm of A / B, its standard error)."""
        variance = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return self.level[a] - self.level[b], self.deviation * math.sqrt(max(0.0, variance))


def fit(observations: Sequence[Observation]) -> Fit:
    """Huber's M-estimate of side + round with his Proposal 2 for the scale, by modified residuals.

    The variance is that of the pseudo-values with the correction K, pooled over all sides (Huber 1981, Robust
    Statistics, sections 7.6 to 7.8). So a disturbed turn counts no more than one at 1.345 deviations. ValueError for
    no values, or values that are not positive and finite.
    """
    import numpy as np

    y = np.array(logarithms([one.value for one in observations]))
    sides, rounds = ({name: place for place, name in enumerate(dict.fromkeys(names))}
                     for names in zip(*((one.side, one.round) for one in observations), strict=True))
    design = np.zeros((len(y), len(sides) + len(rounds)))
    for row, one in zip(design, observations, strict=True):
        row[sides[one.side]] = row[len(sides) + rounds[one.round]] = 1
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    solve = inverse @ design.T
    rank = round(np.trace(solve @ design))
    df = len(y) - rank
    effects = solve @ y
    residuals = y - design @ effects
    deviation = math.sqrt(residuals @ residuals / df) if df else math.inf
    if df and deviation > _NOTHING:
        scale = deviation
        for _ in range(_MOST_STEPS):
            clipped = np.clip(residuals, -_CLIP * scale, _CLIP * scale)
            scale = math.sqrt(clipped @ clipped / (df * _BETA))
            clipped = np.clip(residuals, -_CLIP * scale, _CLIP * scale)
            step = solve @ clipped / np.mean(abs(residuals) <= _CLIP * scale)
            effects, residuals = effects + step, residuals - design @ step
            if abs(step).max() < _PRECISION * scale:
                break
        inside = np.mean(abs(residuals) <= _CLIP * scale)
        correction = 1 + rank / len(y) * (1 - inside) / inside
        clipped = np.clip(residuals, -_CLIP * scale, _CLIP * scale)
        deviation = correction * math.sqrt(clipped @ clipped / df) / inside
    middle = effects[len(sides):].mean()
    return Fit({side: float(effect + middle) for side, effect in zip(sides, effects, strict=False)},
               {(a, b): float(inverse[i, j]) for a, i in sides.items() for b, j in sides.items()},
               float(deviation), df, [float(x) for x in residuals])


#: With two rounds a disturbed turn cannot be recognised.
FIRST_LOOK = 3
#: Simulated comparisons of equal sides: the error is then right to 0.2 percentage points.
_TRIALS = 10_000


def looks(most_rounds: int) -> tuple[int, ...]:
    """The numbers of rounds after which the comparison may end: each from the third on, after 20 each 10 % more."""
    chosen = [min(FIRST_LOOK, most_rounds)]
    while chosen[-1] < most_rounds:
        chosen.append(min(max(chosen[-1] + 1, int(1.1 * chosen[-1])), most_rounds))
    return tuple(chosen)


@lru_cache(maxsize=256)
def level(sides: int, at: Sequence[int], to_first: bool, error: float) -> float:
    """The p-value of Student's t that some gap of equal ``sides`` falls below with the probability ``error``, at any of
    the numbers of rounds ``at``.

    ``to_first``: of the gaps to the first side alone (Dunnett's comparisons), else of all gaps (Tukey's). It is the
    quantile of the smallest p-value in simulated comparisons (Edwards & Berry 1987, The efficiency of simulation-based
    multiple comparisons, Biometrics 43; min-P of Westfall & Young 1993): constant over looks as Pocock's boundary
    (1977), but exact for few degrees of freedom.
    """
    import numpy as np
    from scipy import special

    dice = np.random.default_rng(1)
    sums, squares = np.zeros((_TRIALS, sides)), np.zeros(_TRIALS)
    least = np.ones(_TRIALS)
    for rounds in range(1, max(at) + 1):
        drawn = dice.standard_normal((_TRIALS, sides))
        drawn -= drawn.mean(axis=1, keepdims=True)
        sums += drawn
        squares += (drawn**2).sum(axis=1)
        if rounds in at:
            df = (sides - 1) * (rounds - 1)
            gap = abs(sums[:, 1:] - sums[:, :1]).max(axis=1) if to_first else np.ptp(sums, axis=1)
            error_of_gap = np.sqrt(2 * rounds * (squares - (sums**2).sum(axis=1) / rounds) / df)
            least = np.minimum(least, 2 * special.stdtr(df, -gap / error_of_gap))
    return float(np.quantile(least, error))


class Question(Enum):
    """Which gaps a comparison is about: to the fastest side, to the first side, or of every pair."""

    BEST = "best"
    BASELINE = "baseline"
    PAIRS = "pairs"


@dataclass(frozen=True)
class Rules:
    """When to stop measuring. ``within``: all intervals are this narrow, in place of a decision; a share, as
    ``equal_within``, the largest gap between sides that are called equal."""

    question: Question
    most_rounds: int
    within: float | None = None
    equal_within: float = EQUAL_WITHIN


class Gap(NamedTuple):
    """Side ``b`` against ``a``: the ratio of their speeds B / A with the bounds of its interval; ``verdict`` on B.

    The bounds are None while there is one round.
    """

    a: str
    b: str
    ratio: float
    low: float | None
    high: float | None
    verdict: str

    @property
    def half_width(self) -> float:
        """How far the interval reaches from the ratio, as a share of it; infinite without an interval."""
        return math.inf if self.high is None else self.high / self.ratio - 1


@dataclass(frozen=True)
class Contest:
    """``left``: the sides that need more rounds; ``out``: after how many rounds another one left; ``verdicts`` by
    (a, b). ``ended``: no side needs more rounds."""

    names: tuple[str, ...]
    left: tuple[str, ...]
    out: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    ended: bool = False


def advance(before: Contest, observations: Sequence[Observation], rounds: int, rules: Rules) -> Contest:
    """The standing after a look at so many rounds: only here sides are told apart, and those leave that need no more.

    Racing as in F-Race (Birattari et al. 2002). A look repeats its tests with the level of the sides that are left: a
    closed, step-down test (Marcus, Peritz & Gabriel 1976).
    """
    found = fit(observations)
    if not found.df or rounds not in looks(rules.most_rounds):
        return before
    verdicts, left, best = dict(before.verdicts), before.left, rules.question is Question.BEST
    while True:
        pairs = [pair for pair in _pairs(before.names, left, found, rules.question) if pair not in verdicts]
        told = {pair: verdict for pair in pairs if (verdict := _told(found, pair, before, left, rules))}
        new = {pair: verdict for pair, verdict in told.items() if verdict == SLOWER} if best else told
        if not new:
            break
        verdicts |= new
        still = [name for pair in pairs if pair not in new for name in pair]
        left = tuple(name for name in left if name in still or (best and (name, SLOWER) not in _said_of_b(new)))
    ended = len(told) == len(pairs)
    if best and ended:
        verdicts |= told
    if rules.within is not None:
        left, ended = before.left, all(gap.half_width <= rules.within
                                       for gap in gaps(before, observations, rules.question))
    out = {**before.out, **{name: rounds for name in before.left if name not in left}}
    return Contest(before.names, left, out, verdicts, ended)


def _said_of_b(verdicts: Mapping[tuple[str, str], str]) -> set[tuple[str, str]]:
    return {(b, verdict) for (_, b), verdict in verdicts.items()}


def _reach(found: Fit, standing: Contest, left: Sequence[str], rules: Rules) -> float:
    """How many standard errors a gap must exceed at a look, with the sides that are ``left``."""
    p = level(len(left), looks(rules.most_rounds), rules.question is Question.BASELINE,
              Errors.of(len(standing.names)).verdicts)
    return t_quantile(1 - p / 2, found.df)


def _told(found: Fit, pair: tuple[str, str], standing: Contest, left: Sequence[str], rules: Rules) -> str | None:
    """What a look says of B against A, with the sides that are ``left``; None where it does not tell."""
    a, b = pair
    gap, error = found.gap(b, a)
    reached = _reach(found, standing, left, rules) * error
    if abs(gap) > reached:
        return FASTER if gap > 0 else SLOWER
    return EQUAL if abs(gap) + reached <= math.log1p(rules.equal_within) else None


def _pairs(names: Sequence[str], left: Sequence[str], found: Fit, question: Question) -> list[tuple[str, str]]:
    baseline = names[0]
    names, left = ([name for name in sides if name in found.level] for sides in (names, left))
    if question is Question.PAIRS:
        return list(itertools.combinations(names, 2))
    if question is Question.BASELINE and baseline not in names:
        return []
    first = names[0] if question is Question.BASELINE else max(left, key=lambda name: found.level[name])
    return [(first, name) for name in (names if question is Question.BASELINE else left) if name != first]


def gaps(standing: Contest, observations: Sequence[Observation], question: Question) -> list[Gap]:
    """Each gap that the question is about: of BEST those to the fastest of the sides that are left, smallest first.

    Intervals cover together. While several sides may be the fastest, chance has chosen the leader: all pairs count.
    """
    found, best = fit(observations), question is Question.BEST
    pairs = _pairs(standing.names, standing.left, found, question)
    if best:
        first = max(set(standing.left) & {*found.level}, key=lambda name: found.level[name])
        pairs = [(first, name) for name in sorted(found.level, key=lambda name: -found.level[name]) if name != first]
    p = level(len(standing.names), (5,), question is Question.BASELINE or (best and len(standing.left) == 1),
              Errors.of(len(standing.names)).intervals)
    of_b = dict(_said_of_b(standing.verdicts))
    made = []
    for a, b in pairs:
        gap, error = found.gap(b, a)
        low, high = ratio_bounds(gap, t_quantile(1 - p / 2, found.df) * error) if found.df else (None, None)
        verdict = of_b.get(b) if best else standing.verdicts.get((a, b))
        made.append(Gap(a, b, math.exp(gap), low, high, verdict or NO_DIFFERENCE))
    return made


def rounds_to_go(standing: Contest, observations: Sequence[Observation], rounds: int, rules: Rules) -> int:
    """How many more rounds would decide, if the gaps and the spread stay as they are; while nothing is known, those up
    to the first look."""
    found = fit(observations) if observations else None
    if standing.ended or not found or not found.df:
        return 0 if standing.ended else max(1, FIRST_LOOK - rounds)
    many = _reach(found, standing, standing.left, rules)
    needed = float(FIRST_LOOK)
    for a, b in _pairs(standing.names, standing.left, found, rules.question):
        gap, error = found.gap(b, a)
        enough = (math.log1p(rules.within) if rules.within is not None else
                  max(abs(gap), math.log1p(rules.equal_within) - abs(gap)))
        if rules.within is not None or (a, b) not in standing.verdicts:
            needed = max(needed, rounds * (many * error / enough)**2)
    return max(1, math.ceil(needed - rounds))
