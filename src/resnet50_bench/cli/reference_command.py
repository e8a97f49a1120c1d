"""``reference LOGS...``: measured results enter, a references file for ``gate`` leaves on stdout as YAML."""

from __future__ import annotations

import glob
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from ..arguments import Parser
from ..case.parameters import Role, having
from ..errors import BadInput
from ..history import collection, comparability
from ..history.collection import Entry
from ..history.judgement import LEAST_HISTORY
from ..history.restarts import restarts
from ..result.comparison_stats import control_limit
from ..result.kpi import KPIS

#: What decides a KPI besides the case's name: the reference holds only for runs with the same.
_DECIDING = having(Role.CONFIGURATION)
#: (CPU, usable cores), (case, deciding parameters)
Machine = tuple[str, int | None]


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench reference", "Print a references file: the median of the valid runs of each case, "
                  "with a tolerance from their spread (3 % at least).",
                  "resnet50-bench reference build/workload/*/ > references.yaml")
    made.add_argument("logs", nargs="+", type=Path, metavar="LOGS", help="logs folders, folders of them, or results")
    made.add_argument("--noisy", action="store_true", help="use noisy results, too (a machine that is never quiet)")
    return made


def main(argv: list[str]) -> int:
    """Print the file; what was left out is named on stderr. Raises BadInput where no result is valid."""
    words = parser().parse_args(argv)
    notices: list[str] = []
    found = collection.find(words.logs, notices)
    entries = [entry for entry in found if entry.burst == 1]
    notices += [f"{entry.path} is left out: one of {entry.burst} runs at once" for entry in found if entry.burst > 1]
    valid = [entry for entry in entries if entry.primary and (words.noisy or entry.verdict == "valid")]
    notices += [f"{entry.path} is noisy: {entry.reasons}" for entry in valid if entry.verdict == "noisy"]
    notices += [f"{entry.path} is left out: {entry.unusable or f'noisy: {entry.reasons}'}"
                for entry in entries if entry not in valid]
    if not valid:
        raise BadInput("there is no valid result to make references of; --noisy takes noisy ones, too", *notices)
    lines = list(_lines(_systems(valid, notices), notices))
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    print("\n".join(lines))
    return 0


def _systems(valid: Sequence[Entry], notices: list[str]) -> list[tuple[Machine, dict[str, list[Entry]]]]:
    """Machines with their cases' runs; a case that ran with several parameters needs a system block for each."""
    found: dict[tuple[Machine, str, str], list[Entry]] = {}
    for entry in valid:  # newest first
        machine = entry.result.system.cpu or "", entry.result.topology.core_count
        runs = found.setdefault((machine, entry.case, json.dumps(_parameters(entry))), [])
        if runs and comparability.things(runs[0].result, entry.result):
            differing = ", ".join(sorted(comparability.things(runs[0].result, entry.result)))
            notices.append(f"{entry.path} is left out: {differing} of newer runs differ")
        else:
            runs.append(entry)
    systems: list[tuple[Machine, dict[str, list[Entry]]]] = []
    for (machine, case, _), runs in sorted(found.items(), key=lambda item: str(item[0])):
        room = next((cases for known, cases in systems if known == machine and case not in cases), None)
        if room is None:
            systems.append((machine, {case: runs}))
        else:
            room[case] = runs
    return systems


def _parameters(entry: Entry) -> dict[str, str]:
    ran_with = entry.result.parameters()
    return {name: ran_with[name] for name in _DECIDING if name in ran_with}


def _lines(systems: Sequence[tuple[Machine, dict[str, list[Entry]]]], notices: list[str]) -> Iterator[str]:
    """YAML; JSON strings are YAML strings, so nothing is misread."""
    yield "# Made by: scripts/resnet50-bench.sh reference; the values are medians of the runs."
    yield "systems:"
    for (cpu, cores), cases in systems:
        yield f"  - cpu: {json.dumps(glob.escape(cpu))}"
        if cores is not None:
            yield f"    cores: {cores}"
        yield "    cases:"
        for case, runs in cases.items():
            values = [entry.primary[2] for entry in restarts(runs) if entry.primary]
            kpi, unit = runs[0].mode, KPIS[runs[0].mode].unit
            if len(values) < LEAST_HISTORY:
                rests = (f"{len(values)} restarts, which is little" if len(values) > 1 else
                         "1 restart, which shows no spread: it is the least that restarts differ by")
                notices.append(f"{case}: its tolerance rests on {rests}; repeat with --loop {LEAST_HISTORY}")
            tolerance = math.ceil(round(1000 * control_limit(values)[1], 6)) / 10
            yield f"      {json.dumps(case)}:  # {len(values)} of {runs[0].started_at} and before"
            yield f"        {kpi}: {{value: {median(values):.6g}, tolerance: {min(tolerance, 99.9):g} %}}  # {unit}"
            yield f"        parameters: {json.dumps(_parameters(runs[0]))}"
