"""The judgement of a gate -> its words: each finding, each line that people read, each reason with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .collection import Entry
from .gate import Judgement, WithoutReference
from .judgement import (
    LEAST_HISTORY,
    SKIPPED,
    TREND_TOLERANCE,
    AgainstHistory,
    AgainstReference,
    FewEarlier,
    Finding,
    NotCompared,
    RepeatedRuns,
    Trend,
)
from .references import Lack, NoReference

#: What a tolerance says of a single run, whose reference may have a spread but which has none itself.
ONE_RESTART = ("of one restart: that run keeps the tolerance or not; whether the case is slower it cannot tell "
               f"(--loop {LEAST_HISTORY} can)")
#: What is typed to add a result to a file of references.
Remedy = Callable[[Entry, Path], str]


def lines(judgement: Judgement, remedy: Remedy) -> list[str]:
    """Lines for people: each point, its findings and what disturbs the judgement; the outcome last."""
    made = []
    for judged in judgement.judged:
        point, count = judged.point, len(judged.point.runs)
        made.append(f"GATE: {point.label} ({'1 run' if count == 1 else f'median of {count} runs'})")
        made += [f"  {'NOTICE: not judged' if finding.state == SKIPPED else finding.state}: "
                 f"{text(finding, point, judgement.references)}" for finding in judged.findings]
        made += [f"  WARNING: {noise}" for noise in noises(point)]
        if not judged.is_compared and not judgement.missing:
            made.append("  NOTICE: nothing was there to judge by: this passes without having been compared")
    if judgement.allow_missing:
        made += [f"  NOTICE: {missing_line(each, judgement, remedy)}" for each in judgement.without_reference]
    return [*made, f"GATE: {outcome(judgement)}"]


def outcome(judgement: Judgement) -> str:
    """``passed``, or how many there are of what failed; and how many results had no reference."""
    failed, broken = len(judgement.regressions), len(judgement.broken)
    lacking = len(judgement.without_reference)
    words = [f"{failed} regression{'s' * (failed > 1)}"] * bool(failed) + [f"{broken} broken"] * bool(broken)
    if not judgement.status:
        words = ["passed"]
    if lacking:
        words.append(f"{lacking} without a reference{' (--allow-missing)' * judgement.allow_missing}")
    return ", ".join(words)


def errors(judgement: Judgement, remedy: Remedy) -> list[str]:
    """A line for each thing that fails the gate."""
    return [*regressions(judgement), *(f"{case}: {why}" for case, why in judgement.broken),
            *(missing_line(each, judgement, remedy) for each in judgement.missing)]


def regressions(judgement: Judgement) -> list[str]:
    """A line for each; named where several points were judged, and noisy where that may be why."""
    several = len(judgement.judged) > 1
    return [(f"{point.label}: " if several else "") + text(finding, point, judgement.references)
            + ("; the result is noisy" if point.noisy else "") for point, finding in judgement.regressions]


def missing_line(missing: WithoutReference, judgement: Judgement, remedy: Remedy) -> str:
    """Why a result has no reference, and what to type; named where several were judged."""
    label = f"{missing.label}: " if len(judgement.judged) > 1 or missing.why.lack is Lack.MODE else ""
    why = no_reference(missing.why, missing.newest, judgement.references)
    if missing.why.lack is Lack.BURST:
        return f"{label}{why}; run the case without --burst"
    allow = "" if judgement.allow_missing else "; --allow-missing lets it pass"
    if missing.why.lack is Lack.MODE or judgement.references is None:
        return f"{label}{why}{allow}"
    return f"{label}{why}; to keep this result as one: {remedy(missing.newest, judgement.references)}{allow}"


def name(finding: Finding) -> str:
    """``throughput against the reference``."""
    if isinstance(finding, NotCompared) and isinstance(finding.why, NoReference) and finding.why.lack is not Lack.KPI:
        return "reference"
    return _NAMES[finding.kind].format(finding.kpi)


_NAMES = {AgainstReference.kind: "{} against the reference", AgainstHistory.kind: "{} against earlier runs",
          Trend.kind: "{} trend"}


def text(finding: Finding, point: RepeatedRuns, references: Path | None) -> str:
    """With numbers how a comparison ended, or why it was not made."""
    if isinstance(finding, NotCompared):
        return (no_reference(finding.why, point.newest, references) if isinstance(finding.why, NoReference)
                else _few(finding.why))
    if isinstance(finding, AgainstReference):
        held = _against(finding, f"the reference {_shown(finding.expected)}")
        return held if finding.runs > 1 else f"{held}; {ONE_RESTART}"
    if isinstance(finding, AgainstHistory):
        return _against(finding, f"{_shown(finding.expected)}, the median of the last {finding.earlier} valid runs")
    return _trend(finding)


def no_reference(why: NoReference, entry: Entry, references: Path | None) -> str:
    """What the file has instead of a reference for the result, and what differs."""
    instead = ", ".join(why.instead) or "none"
    if why.lack is Lack.BURST:
        return f"references are of runs alone, this is one of {entry.burst} at once"
    if why.lack is Lack.MODE:
        return f"MODE={entry.mode} has no KPI to compare; {instead} have"
    if why.lack is Lack.CPU:
        return (f"{references} has no reference for the CPU {entry.result.system.cpu or ''!r} with "
                f"{entry.result.topology.core_count} cores; its systems: {instead}")
    if why.lack is Lack.CASE:
        return f"{references} has no reference for the case {entry.case} on {instead}"
    if why.lack is Lack.KPI:
        return f"{references} has a reference for {instead} of {entry.case}, which the result has not"
    nearest = min(why.differing, key=len)
    more = f" (and {len(why.differing) - 1} further from it)" if len(why.differing) > 1 else ""
    return f"{references} has references only with {_values(nearest, 0)}{more}, this ran with {_values(nearest, 1)}"


def noises(point: RepeatedRuns) -> list[str]:
    """A line for each noisy run."""
    return [f"{entry.path} is noisy: {entry.reasons}" for entry in point.noisy]


def _values(differing: Mapping[str, tuple[str, str]], side: int) -> str:
    return " ".join(f"{parameter}={values[side] or '(empty)'}" for parameter, values in differing.items())


def _few(why: FewEarlier) -> str:
    passed_over = f" ({why.noisy} noisy runs do not count)" if why.noisy else ""
    apart = f"; the newest earlier run differs in {', '.join(why.differing)}" if why.differing else ""
    return f"{why.needed} comparable valid earlier runs are needed, {why.there} are there{passed_over}{apart}"


def _trend(found: Trend) -> str:
    verb = "rose" if found.change > 0 else "fell"
    line = (f"{found.kpi} {verb} by {_percent(abs(found.change))} along a line through the last {found.runs} runs "
            f"(first {_shown(found.first)}, newest {_shown(found.newest)})")
    if found.state == "failed":
        return f"{line}, which chance does not explain (tolerance {_percent(TREND_TOLERANCE)})"
    return line if found.is_significant else f"{line}, which chance explains"


def _against(found: AgainstReference | AgainstHistory, what: str) -> str:
    change = found.change
    how = f"{_percent(abs(change))} {'above' if change > 0 else 'below'}" if abs(change) >= 0.0005 else "equal to"
    return f"{found.kpi} {_shown(found.value)} is {how} {what} (tolerance {_percent(found.tolerance)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _shown(value: float) -> str:
    """One decimal as a rule; small values with three digits that count."""
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
