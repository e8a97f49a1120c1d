"""Statistics of a result -> checks of the measuring window: overlap, length, outliers, drift."""

from __future__ import annotations

from ..records import Check, Statistics, Verdict, Window
from ..result import Result
from .base import judge

#: Below this the instances were partly measured without each other's load.
LEAST_OVERLAP = 0.95
#: Below this the common window says too little about the case.
INVALID_OVERLAP = 0.5
#: Share of the window that outlying steps may cost beyond the median step.
MOST_OUTLIER_COST = 0.02
#: ... and in all: one hiccup of some milliseconds is no finding in a window of 0.15 s.
LEAST_OUTLIER_COST_S = 0.010
#: Relative change of the step time over the window, where it is significant.
MOST_DRIFT = 0.05


def run_all(result: Result) -> list[Check]:
    """Every check of the window, which a result of a speed has."""
    statistics, window = result.statistics, result.statistics.window
    if window is None:
        raise ValueError("the result has no window")
    return [_overlap(window), _enough(statistics, window, _asked(result)), _outliers(statistics, window),
            _drift(statistics)]


def _overlap(window: Window) -> Check:
    reading = (f"{100 * window.overlap:.1f} % (start skew {window.start_skew_ms:.1f} ms, "
               f"end skew {window.end_skew_ms:.1f} ms)")
    if window.overlap < INVALID_OVERLAP:
        return Check("overlap", reading, Verdict.INVALID, "the instances hardly measured together",
                     "raise STEPS or MIN_DURATION")
    return judge("overlap", reading, window.overlap < LEAST_OVERLAP, Verdict.NOISY,
                 "the instances did not measure the whole time together", "raise STEPS or MIN_DURATION")


def _asked(result: Result) -> int:
    """How many steps each instance was to measure; a resumed training has fewer left than STEPS."""
    for training in result.trainings():
        return training.total_steps - training.began_at - result.processes[0].runs[0].warmup_steps
    steps = result.parameter("STEPS")
    return int(steps) if steps.isdigit() else 1


def _enough(statistics: Statistics, window: Window, asked: int) -> Check:
    """Whether every instance has at least half of the steps asked for within the common window."""
    fewest = min(instance.steps_in_window or 0 for instance in statistics.instances)
    return judge("common window", f"{window.duration_s:.3f} s, {fewest} steps at least",
                 fewest < max(1, asked / 2), Verdict.INVALID,
                 f"an instance has {fewest} of {asked} steps in the window common to all",
                 "raise STEPS or MIN_DURATION")


def _outliers(statistics: Statistics, window: Window) -> Check:
    slow = [(instance, instance.outliers) for instance in statistics.instances if instance.outliers]
    worst, outliers = max(slow, key=lambda pair: pair[1].cost)
    reading = f"{sum(steps.count for _, steps in slow)} steps"
    if outliers.count and worst.latency_ms:
        reading += (f"; instance {worst.instance}: step {outliers.worst_step} took {outliers.worst_ms:.1f} ms against "
                    f"a median of {worst.latency_ms.median:.1f} ms")
    return judge("outliers", reading, outliers.cost > MOST_OUTLIER_COST
                 and outliers.cost * window.duration_s > LEAST_OUTLIER_COST_S, Verdict.NOISY,
                 f"slow steps cost {100 * outliers.cost:.1f} % of an instance's window",
                 "look for what else ran; repeat with --loop")


def _drift(statistics: Statistics) -> Check:
    drifts = [(instance.instance, instance.drift) for instance in statistics.instances if instance.drift]
    number, drift = max(drifts, key=lambda pair: abs(pair[1].relative))
    return judge("drift", f"{100 * drift.relative:+.1f} % step time over the window (instance {number})",
                 drift.significant and abs(drift.relative) > MOST_DRIFT, Verdict.NOISY,
                 "the speed changed while it was measured", "raise WARMUP_STEPS; look at frequency and temperature")
