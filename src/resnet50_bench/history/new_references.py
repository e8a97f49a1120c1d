"""Measured results -> the lines of a references file for a gate, as YAML."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Iterator, Sequence
from statistics import median

from ..case import globs as case_globs
from ..case.parameters import Role, having
from ..errors import BadInput
from ..result.comparison_stats import control_limit
from ..result.kpi import KPIS
from . import comparability
from .collection import Entry, of_cases, restarts, values
from .judgement import ENOUGH_RESTARTS

#: Parameters that affect a KPI besides the case name. A reference applies only to runs with equal values.
_DECIDING = having(Role.CONFIGURATION)
#: (CPU, usable cores), (case, deciding parameters)
Machine = tuple[str, int]


def made_of(entries: Sequence[Entry], noisy: bool, notices: list[str]) -> list[str]:
    """The file's lines. ``notices`` gets a line for each omission. ``noisy``: whether noisy results count too.

    Raises BadInput if no result is valid.
    """
    valid = []
    noisy_helps = False
    names = {case: case_globs.refusal(case) for case in {entry.case for entry in entries}}
    for entry in of_cases(entries, notices):
        why = (names[entry.case] or entry.unusable
               or (f"one of {entry.burst} runs at once" if entry.burst > 1 else "")
               or (f"noisy: {entry.reasons}" if entry.verdict == "noisy" and not noisy else ""))
        if why:
            noisy_helps |= why.startswith("noisy: ")
            notices.append(f"{entry.path} is left out: {why}")
            continue
        if entry.verdict == "noisy":
            notices.append(f"{entry.path} is noisy: {entry.reasons}")
        valid.append(entry)
    if not valid:
        remedy = ("Use --noisy to include noisy results" if noisy_helps else
                  "Measure cases first, for example: ./ctest.sh -R gated --loop 5")
        raise BadInput(f"found no {'usable' if noisy else 'valid'} result of a case for references. {remedy}",
                       notices=notices)
    return list(_lines(_systems(valid, notices), notices))


def _systems(valid: Sequence[Entry], notices: list[str]) -> list[tuple[Machine, dict[str, list[Entry]]]]:
    """Machines with the runs of their cases. A case with several parameter sets needs a system block for each."""
    same: dict[tuple[Machine, str, str], list[Entry]] = {}
    for entry in valid:  # newest first
        machine = entry.result.system.cpu or "", entry.result.topology.core_count
        runs = same.setdefault((machine, entry.case, json.dumps(_parameters(entry))), [])
        if runs and (differing := comparability.things(runs[0].result, entry.result)):
            notices.append(f"{entry.path} is left out: {', '.join(sorted(differing))} of newer runs differ")
        else:
            runs.append(entry)
    systems: list[tuple[Machine, dict[str, list[Entry]]]] = []
    for (machine, case, _), runs in sorted(same.items(), key=lambda item: str(item[0])):
        for known, cases in systems:
            if known == machine and case not in cases:
                cases[case] = runs
                break
        else:
            systems.append((machine, {case: runs}))
    return systems


def _parameters(entry: Entry) -> dict[str, str]:
    ran_with = entry.result.parameters()
    return {name: ran_with[name] for name in _DECIDING if name in ran_with}


def _lines(systems: Sequence[tuple[Machine, dict[str, list[Entry]]]], notices: list[str]) -> Iterator[str]:
    """YAML lines as a document of their own, so that they can be appended to a file. JSON strings are YAML strings."""
    yield "---"
    yield "# Made by: scripts/resnet50-bench.sh reference. The values are medians of the runs."
    yield "systems:"
    for (cpu, cores), cases in systems:
        yield f"  - cpu: {json.dumps(glob.escape(cpu))}"
        if cores is not None:
            yield f"    cores: {cores}"
        yield "    cases:"
        for case, runs in cases.items():
            measured = values(restarts(runs))
            kpi, unit = runs[0].mode, KPIS[runs[0].mode].unit
            if len(measured) < ENOUGH_RESTARTS:
                origin = (f"only {len(measured)} usable runs" if len(measured) > 1 else
                          "1 usable run, which shows no spread, so it is the smallest one allowed")
                notices.append(f"{case}: its tolerance comes from {origin}. Use {ENOUGH_RESTARTS} or more, for example "
                               f"--loop {ENOUGH_RESTARTS}")
            tolerance = math.ceil(round(1000 * control_limit(measured)[1], 6)) / 10
            yield f"      {json.dumps(case)}:  # {len(measured)} of {runs[0].started_at} and before"
            yield f"        {kpi}: {{value: {median(measured):.6g}, tolerance: {min(tolerance, 99.9):g} %}}  # {unit}"
            yield f"        parameters: {json.dumps(_parameters(runs[0]))}"
