"""A gate's judgement -> lines for people, a JSON document and JUnit XML; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from ..spelling import plural
from .collection import Entry
from .gate import Judgement, WithoutReference
from .judgement import (
    ENOUGH_RESTARTS,
    FAILED,
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

#: The note on the tolerance of a single run, which has no spread itself.
ONE_RESTART = f"this is one run, which cannot show whether the case became slower (use --loop {ENOUGH_RESTARTS})"
#: Returns the command that adds a result to a references file.
Remedy = Callable[[Entry, Path], str]
#: Characters that XML 1.0 forbids. An instance's last output may have them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMES = {AgainstReference.kind: "{} against the reference", AgainstHistory.kind: "{} against earlier runs",
          Trend.kind: "{} trend"}


def lines(judgement: Judgement, remedy: Remedy) -> list[str]:
    """Lines for people: each point, its findings and its problems, then the outcome."""
    text = []
    for judged in judgement.judged:
        point, count = judged.point, len(judged.point.runs)
        text.append(f"GATE: {point.label} ({'1 run' if count == 1 else f'median of {count} runs'})")
        text += [f"  {f'NOTICE: not judged by {finding.kind}' if finding.state == SKIPPED else finding.state}: "
                 f"{_told(finding, point, judgement.references)}" for finding in judged.findings]
        text += [f"  WARNING: {noise}" for noise in _noises(point)]
        if not judged.is_compared and not judgement.missing:
            text.append("  NOTICE: there is no reference and no earlier run. The result passes without a comparison")
    if judgement.allow_missing:
        text += [f"  NOTICE: {_missing(lacking, judgement, remedy)}" for lacking in judgement.without_reference]
    return [*text, f"GATE: {_outcome(judgement)}"]


def _outcome(judgement: Judgement) -> str:
    """``passed``, or the number of failures of each kind; and the number of results without a reference."""
    failed, broken, lacking = (len(judgement.regressions), len(judgement.broken), len(judgement.without_reference))
    words = [plural(failed, "regression")] * bool(failed) + [f"{broken} failed or without a result"] * bool(broken)
    if not judgement.status:
        words = ["passed"]
    if lacking:
        words.append(f"{lacking} without a reference{' (--allow-missing)' * judgement.allow_missing}")
    return ", ".join(words)


def errors(judgement: Judgement, remedy: Remedy) -> list[str]:
    """A line for each thing that fails the gate."""
    return [*_regressions(judgement), *(f"{case}: {why}" for case, why in judgement.broken),
            *(_missing(lacking, judgement, remedy) for lacking in judgement.missing)]


def as_record(judgement: Judgement, remedy: Remedy) -> dict[str, object]:
    """The judgement as a JSON document. docs/reference/files.md describes the keys."""
    def facts(finding: Finding) -> dict[str, object]:
        if isinstance(finding, NotCompared):
            return {"kpi": finding.kpi, **msgspec.to_builtins(finding.why)}
        return dict(msgspec.to_builtins(finding))

    return {
        "status": judgement.status,
        "references": None if judgement.references is None else str(judgement.references),
        "allow_missing": judgement.allow_missing,
        "points": [{"label": judged.point.label, "runs": len(judged.point.runs), "compared": judged.is_compared,
                    "noisy": [str(entry.path) for entry in judged.point.noisy],
                    "checks": [{"name": _name(finding), "kind": finding.kind, "state": finding.state,
                                "text": _told(finding, judged.point, judgement.references), **facts(finding)}
                               for finding in judged.findings]} for judged in judgement.judged],
        "broken": [{"case": case, "why": why} for case, why in judgement.broken],
        "without_reference": [{"label": lacking.label, "logs": str(lacking.newest.logs),
                               **msgspec.to_builtins(lacking.why), "text": _missing(lacking, judgement, remedy)}
                              for lacking in judgement.without_reference],
        "regressions": _regressions(judgement)}


def as_junit(judgement: Judgement, remedy: Remedy) -> bytes:
    """JUnit XML as GitLab and GitHub's reporters read it: a test case for each finding, each broken run and each
    result without a reference that fails the gate."""
    element = ElementTree.SubElement
    root = ElementTree.Element("testsuites")
    suite = element(root, "testsuite", name="gate", time="0")
    for judged in judgement.judged:
        for finding in judged.findings:
            case = element(suite, "testcase", classname=judged.point.label, name=_name(finding), time="0")
            words = _told(finding, judged.point, judgement.references)
            if finding.state == FAILED:
                element(case, "failure", type="Regression", message=words)
            elif finding.state == SKIPPED:
                element(case, "skipped", message=words)
            element(case, "system-out").text = "\n".join([words, *_noises(judged.point)])
    broken = [(case, "RunFailed", why) for case, why in judgement.broken]
    broken += [(lacking.label, "NothingCompared", _missing(lacking, judgement, remedy))
               for lacking in judgement.missing]
    for number, (label, kind, why) in enumerate(broken, start=1):
        case = element(suite, "testcase", classname=label, name=f"result {number}", time="0")
        element(case, "error", type=kind, message=why)
    suite.set("tests", str(len(suite)))
    for counted, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(len(suite.findall(f"testcase/{name}"))))
    ElementTree.indent(root)
    text = _NOT_XML.sub("?", ElementTree.tostring(root, encoding="unicode"))
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n".encode()


def _regressions(judgement: Judgement) -> list[str]:
    """A line for each. Names the point if several were judged, and says noisy if that may be the cause."""
    several = len(judgement.judged) > 1
    return [(f"{point.label}: " if several else "") + _told(finding, point, judgement.references)
            + ("; the result is noisy" if point.noisy else "") for point, finding in judgement.regressions]


def _missing(missing: WithoutReference, judgement: Judgement, remedy: Remedy) -> str:
    """The reason why a result has no reference, and the remedy. Names the point if several were judged."""
    label = f"{missing.label}: " if len(judgement.judged) > 1 or missing.why.lack is Lack.MODE else ""
    why = _no_reference(missing.why, missing.newest, judgement.references)
    if missing.why.lack is Lack.BURST:
        return f"{label}{why}; run the case without --burst"
    allow = "" if judgement.allow_missing else "; --allow-missing lets it pass"
    if missing.why.lack is Lack.MODE or judgement.references is None:
        return f"{label}{why}{allow}"
    return f"{label}{why}; to add this result to the references: {remedy(missing.newest, judgement.references)}{allow}"


def _name(finding: Finding) -> str:
    """``throughput against the reference``."""
    if isinstance(finding, NotCompared) and isinstance(finding.why, NoReference) and finding.why.lack is not Lack.KPI:
        return "reference"
    return _NAMES[finding.kind].format(finding.kpi)


def _told(finding: Finding, point: RepeatedRuns, references: Path | None) -> str:
    """A comparison's outcome with numbers, or the reason why it was not made."""
    if isinstance(finding, NotCompared):
        return (_no_reference(finding.why, point.newest, references) if isinstance(finding.why, NoReference)
                else _few(finding.why))
    if isinstance(finding, AgainstReference):
        told = _against(finding, f"the reference {_shown(finding.expected)}")
        return told if finding.runs > 1 else f"{told}; {ONE_RESTART}"
    if isinstance(finding, AgainstHistory):
        return _against(finding, f"{_shown(finding.expected)}, the middle of the last {finding.earlier} valid runs")
    return _trend(finding)


def _no_reference(why: NoReference, entry: Entry, references: Path | None) -> str:
    """The closest entries of the file instead of a reference, and their differences."""
    instead = ", ".join(why.instead) or "none"
    if why.lack is Lack.BURST:
        return f"this run is from a burst of {entry.burst}, and references are for single runs"
    if why.lack is Lack.MODE:
        return f"MODE={entry.mode} has no KPI to compare; {instead} have"
    if why.lack is Lack.CPU:
        return (f"{references} has no reference for the CPU {entry.result.system.cpu or ''!r} with "
                f"{entry.result.topology.core_count} cores; its systems: {instead}")
    if why.lack is Lack.CASE:
        return f"{references} has no reference for the case {entry.case} on {instead}"
    if why.lack is Lack.KPI:
        return f"{references} has a reference for {instead} of {entry.case}, but the result has no such KPI"
    nearest = min(why.differing, key=len)
    more = f" (and {len(why.differing) - 1} more that differ)" if len(why.differing) > 1 else ""
    return f"{references} has references only with {_values(nearest, 0)}{more}, this ran with {_values(nearest, 1)}"


def _noises(point: RepeatedRuns) -> list[str]:
    """A line for each noisy run."""
    return [f"{entry.path} is noisy: {entry.reasons}" for entry in point.noisy]


def _values(differing: Mapping[str, tuple[str, str]], side: int) -> str:
    return " ".join(f"{parameter}={values[side] or '(empty)'}" for parameter, values in differing.items())


def _few(why: FewEarlier) -> str:
    passed_over = f" ({why.noisy} noisy runs do not count)" if why.noisy else ""
    apart = f"; the newest earlier run differs in {', '.join(why.differing)}" if why.differing else ""
    return f"{why.needed} valid and comparable earlier runs are needed, there are {why.there}{passed_over}{apart}"


def _trend(trend: Trend) -> str:
    verb = "rose" if trend.change > 0 else "fell"
    line = (f"{trend.kpi} {verb} by {_percent(abs(trend.change))} along a line through the last {trend.runs} runs "
            f"(first {_shown(trend.first)}, newest {_shown(trend.newest)})")
    if trend.state == FAILED:
        return f"{line}, which chance does not explain (tolerance {_percent(TREND_TOLERANCE)})"
    return line if trend.is_significant else f"{line}, which chance explains"


def _against(finding: AgainstReference | AgainstHistory, what: str) -> str:
    change = finding.change
    how = f"{_percent(abs(change))} {'above' if change > 0 else 'below'}" if abs(change) >= 0.0005 else "equal to"
    return f"{finding.kpi} {_shown(finding.value)} is {how} {what} (tolerance {_percent(finding.tolerance)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _shown(value: float) -> str:
    """The value with one decimal. Small values with three significant digits."""
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
