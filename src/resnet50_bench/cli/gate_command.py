"""``gate LOGS``: new results, references and earlier results enter; a judgement with its numbers, JUnit and 4 leave."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from ..arguments import Parser, number_of
from ..errors import BadInput, Infrastructure, Regression, RunFailed
from ..history.collection import LOGS_FOLDER, Entry, find
from ..history.judgement import FAILED, LAST, SKIPPED, Check, Point, checks, points
from ..history.references import References, read_references
from ..result.kpi import KPIS

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Judgement:
    """Each point with its checks, and what could not be judged."""

    judged: list[tuple[Point, list[Check]]] = field(default_factory=list)
    #: (case, why): the newest runs that failed, are invalid or left no result.
    broken: list[tuple[str, str]] = field(default_factory=list)

    def regressions(self) -> list[str]:
        """A line for each failed check; named where several points were judged, and noisy where that may be why."""
        several = len(self.judged) > 1
        return [(f"{point.label}: " if several else "") + check.text + ("; the result is noisy" if point.noisy else "")
                for point, made in self.judged for check in made if check.state == FAILED]


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench gate", "Judge the newest results of a logs folder against references and earlier "
                  "results; exit status 4 at a regression.",
                  "resnet50-bench gate build/workload/ResNet50-Pytorch-Xeon-Public --references references.yaml")
    made.add_argument("logs", type=Path, metavar="LOGS", help="a logs folder, or a folder of them: each case's newest")
    made.add_argument("--references", type=Path, metavar="FILE", help="YAML: reference values with tolerances")
    made.add_argument("--last", type=number_of(1), default=LAST, metavar="N",
                      help=f"earlier runs to look at (default {LAST})")
    made.add_argument("--base", type=Path, metavar="FOLDER",
                      help="where the earlier results lie (default: beside the judged ones)")
    made.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    made.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML, too")
    return made


def main(argv: list[str]) -> int:
    """Judge and print. Raises Regression, BadInput where there is nothing, RunFailed where a run is broken."""
    words = parser().parse_args(argv)
    if words.base and not words.base.is_dir():
        raise BadInput(f"--base {words.base}: there is no such folder")
    references = read_references(words.references) if words.references else None
    return gate(words.logs, references, words.last, words.base, words.junit, words.json)


def gate(logs: Path, references: References | None, last: int = LAST, base: Path | None = None,
         junit: Path | None = None, as_json: bool = False) -> int:
    """Judge the newest results below ``logs``, print everything, write ``junit``; 0 or an exception."""
    judgement = judge(logs, references, last, base)
    for line in [json.dumps(record(judgement), indent=1)] if as_json else report(judgement):
        print(line, flush=True)
    if junit:
        try:
            junit.write_bytes(as_junit(judgement))
        except OSError as error:
            raise Infrastructure(f"--junit {junit} cannot be written: {error.strerror}") from error
    broken = [f"{case}: {why}" for case, why in judgement.broken]
    regressions = judgement.regressions()
    if regressions:
        raise Regression("\n".join([*regressions, *broken]))
    if broken:
        raise RunFailed("\n".join(broken))
    return 0


def judge(logs: Path, references: References | None, last: int = LAST, base: Path | None = None) -> Judgement:
    """The newest occasion of each case below ``logs``. Raises BadInput where there is no result at all."""
    notices: list[str] = []
    entries = find([logs], notices)
    if not entries:
        raise BadInput(f"{logs}: there is no result to judge", *notices)
    newest = _newest(entries)
    notices += [f"{entry.path} is not judged: {entry.unusable}" for entry in newest if _has_no_kpi(entry)]
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    found = Judgement(broken=[*_without_result(logs, entries),
                              *((entry.case, f"{entry.path}: {entry.unusable}") for entry in newest
                                if not entry.primary and not _has_no_kpi(entry))])
    for point in points([entry for entry in newest if entry.primary]):
        # Beside a logs folder lie the earlier ones; results outside any lie in one folder.
        here = point.newest.logs
        beside = here.parent if LOGS_FOLDER.fullmatch(here.name) else here
        found.judged.append((point, checks(point, references, base or beside, last)))
    return found


def _has_no_kpi(entry: Entry) -> bool:
    """Whether the run is sound, but of a MODE whose results are not compared."""
    return entry.failure is None and entry.verdict != "invalid" and entry.mode not in KPIS


def _newest(entries: Sequence[Entry]) -> list[Entry]:
    """Each case's newest logs folder with all its iterations; outside of logs folders the newest file."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.case, entry)
    return [entry for entry in entries
            if entry is first[entry.case] or (entry.iteration is not None and entry.logs == first[entry.case].logs)]


def _without_result(logs: Path, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """A case whose newest logs folder holds no result was not measured: an older result must not pass for it."""
    found: dict[str, Path] = {}
    for folder in sorted([logs, *logs.rglob("*-logs-*")], key=lambda folder: folder.resolve().name):
        named = LOGS_FOLDER.fullmatch(folder.resolve().name)
        if named and folder.is_dir():
            found[named.group(1)] = folder.resolve()
    measured = {entry.logs for entry in entries}
    return [(case, f"{folder} holds no result") for case, folder in found.items() if folder not in measured]


def report(judgement: Judgement) -> list[str]:
    """Lines for people: each point, its checks and what disturbs the judgement."""
    lines = []
    for point, made in judgement.judged:
        count = len(point.runs)
        lines.append(f"GATE: {point.label} ({'1 run' if count == 1 else f'median of {count} runs'})")
        lines += [f"  {'NOTICE: not judged' if check.state == SKIPPED else check.state}: {check.text}"
                  for check in made]
        lines += [f"  WARNING: {entry.path} is noisy: {entry.reasons}" for entry in point.noisy]
        if all(check.state == SKIPPED for check in made):
            lines.append("  NOTICE: nothing was there to judge by: this passes without having been compared")
    failed, broken = len(judgement.regressions()), len(judgement.broken)
    words = [f"{failed} regression{'s' if failed > 1 else ''}"] * bool(failed) + [f"{broken} broken"] * bool(broken)
    return [*lines, f"GATE: {', '.join(words) or 'passed'}"]


def record(judgement: Judgement) -> dict[str, object]:
    """The judgement for a program."""
    return {
        "points": [{"label": point.label, "runs": len(point.runs), "noisy": [str(entry.path) for entry in point.noisy],
                    "checks": [{"name": check.name, "state": check.state, "text": check.text} for check in made]}
                   for point, made in judgement.judged],
        "broken": [{"case": case, "why": why} for case, why in judgement.broken],
        "regressions": judgement.regressions()}


def as_junit(judgement: Judgement) -> bytes:
    """JUnit XML as GitLab and GitHub's reporters read it: a test case for each check and each broken run."""
    states = [check.state for _, made in judgement.judged for check in made]
    suite = ElementTree.Element("testsuite", {
        "name": "gate", "tests": str(len(states) + len(judgement.broken)), "failures": str(states.count(FAILED)),
        "errors": str(len(judgement.broken)), "skipped": str(states.count(SKIPPED)), "time": "0"})
    for point, made in judgement.judged:
        for check in made:
            case = _test_case(suite, point.label, check.name)
            if check.state == FAILED:
                ElementTree.SubElement(case, "failure", {"type": "Regression", "message": _xml(check.text)})
            elif check.state == SKIPPED:
                ElementTree.SubElement(case, "skipped", {"message": _xml(check.text)})
            noise = [f"{entry.path} is noisy: {entry.reasons}" for entry in point.noisy]
            text = "\n".join([check.text, *noise])
            ElementTree.SubElement(case, "system-out").text = _xml(text)
    for number, (name, why) in enumerate(judgement.broken, start=1):
        case = _test_case(suite, name, f"result {number}")
        ElementTree.SubElement(case, "error", {"type": "RunFailed", "message": _xml(why)})
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _test_case(suite: ElementTree.Element, label: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": _xml(label), "name": _xml(name), "time": "0"})


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold, which an instance's last words may have."""
    return _NOT_XML.sub("?", text)
