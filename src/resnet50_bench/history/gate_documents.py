"""The judgement of a gate -> what programs read of it: one JSON document, JUnit XML; pure."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from xml.etree import ElementTree

from .gate import Judgement
from .gate_words import Remedy, missing_line, name, noises, regressions, text
from .judgement import FAILED, SKIPPED, Finding, NotCompared

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_record(judgement: Judgement, remedy: Remedy) -> dict[str, object]:
    """The judgement as JSON has it; docs/reference/files.md describes the keys."""
    return {
        "status": judgement.status,
        "references": None if judgement.references is None else str(judgement.references),
        "allow_missing": judgement.allow_missing,
        "points": [{"label": judged.point.label, "runs": len(judged.point.runs), "compared": judged.is_compared,
                    "noisy": [str(entry.path) for entry in judged.point.noisy],
                    "checks": [{"name": name(finding), "kind": finding.kind, "state": finding.state,
                                "text": text(finding, judged.point, judgement.references), **_facts(finding)}
                               for finding in judged.findings]} for judged in judgement.judged],
        "broken": [{"case": case, "why": why} for case, why in judgement.broken],
        "without_reference": [{"label": each.label, "logs": str(each.newest.logs), **_plain(each.why),
                               "text": missing_line(each, judgement, remedy)} for each in judgement.without_reference],
        "regressions": regressions(judgement)}


def _facts(finding: Finding) -> dict[str, object]:
    if isinstance(finding, NotCompared):
        return {"kpi": finding.kpi, **_plain(finding.why)}
    return _plain(finding)


def _plain(facts: object) -> dict[str, object]:
    """A dataclass as JSON has it."""
    assert dataclasses.is_dataclass(facts) and not isinstance(facts, type)
    return {key: value.value if isinstance(value, Enum) else value for key, value in dataclasses.asdict(facts).items()}


def as_junit(judgement: Judgement, remedy: Remedy) -> bytes:
    """JUnit XML as GitLab and GitHub's reporters read it: a test case for each finding, each broken run and each
    result without a reference that fails the gate."""
    every = [(judged.point, finding) for judged in judgement.judged for finding in judged.findings]
    states = [finding.state for _, finding in every]
    errors = [(case, "RunFailed", why) for case, why in judgement.broken]
    errors += [(each.label, "NothingCompared", missing_line(each, judgement, remedy)) for each in judgement.missing]
    suite = ElementTree.Element("testsuite", {
        "name": "gate", "tests": str(len(states) + len(errors)), "failures": str(states.count(FAILED)),
        "errors": str(len(errors)), "skipped": str(states.count(SKIPPED)), "time": "0"})
    for point, finding in every:
        case = _test_case(suite, point.label, name(finding))
        words = text(finding, point, judgement.references)
        if finding.state == FAILED:
            ElementTree.SubElement(case, "failure", {"type": "Regression", "message": _xml(words)})
        elif finding.state == SKIPPED:
            ElementTree.SubElement(case, "skipped", {"message": _xml(words)})
        ElementTree.SubElement(case, "system-out").text = _xml("\n".join([words, *noises(point)]))
    for number, (label, kind, why) in enumerate(errors, start=1):
        case = _test_case(suite, label, f"result {number}")
        ElementTree.SubElement(case, "error", {"type": kind, "message": _xml(why)})
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _test_case(suite: ElementTree.Element, label: str, title: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": _xml(label), "name": _xml(title), "time": "0"})


def _xml(words: str) -> str:
    """Without the characters that XML 1.0 cannot hold, which an instance's last words may have."""
    return _NOT_XML.sub("?", words)
