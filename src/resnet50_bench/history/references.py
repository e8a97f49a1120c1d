"""A YAML file of reference values enters; what a result's KPIs must not fall short of, or why nothing, leaves.

    systems:
      - cpu: "*Platinum 8480*"                     # glob of the CPU's name, as a result's system block has it
        cores: 112                                 # usable cores; any number where it is left out
        cases:
          "*_throughput_amx_int8":                 # glob of the case's name, with or without its prefix
            throughput: {value: 10240.5, tolerance: 5 %}
            latency: {value: 12.5, tolerance: 8 %}
            parameters: {BATCH_SIZE: 64}           # only for runs with these; for any where it is left out

Every system and case that matches applies; a later one in the file beats an earlier one, KPI by KPI.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import WORKLOAD
from ..case.parameters import CATALOGUE, nearest
from ..errors import BadInput
from ..stack.yaml_files import load_yaml
from .collection import PRIMARY, Entry, parameters

#: The KPIs that may have a reference; what is lower is better in latency.
KPIS = tuple(PRIMARY)
LOWER_IS_BETTER = ("latency",)
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


@dataclass(frozen=True)
class Reference:
    """``value`` in the KPI's unit (images/s or ms), ``tolerance`` as a share of it: 0.05 is 5 %."""

    value: float
    tolerance: float


@dataclass(frozen=True)
class Case:
    """The references of the cases that ``glob`` matches where they ran with ``parameters``."""

    glob: str
    kpis: Mapping[str, Reference]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """The references of the CPUs that ``cpu`` matches; ``cores`` None: with any number of usable cores."""

    cpu: str
    cores: int | None
    cases: Sequence[Case]

    def matches(self, cpu: str, cores: object) -> bool:
        """Whether a machine is one of these."""
        return fnmatch.fnmatchcase(cpu, self.cpu) and self.cores in (None, cores)

    def __str__(self) -> str:
        return repr(self.cpu) + (f" with {self.cores} cores" if self.cores else "")


@dataclass(frozen=True)
class References:
    """A references file."""

    path: Path
    systems: Sequence[System]

    def of(self, entry: Entry) -> tuple[dict[str, Reference], str]:
        """({KPI: its reference}, empty) for a result, or ({}, why there is none)."""
        if entry.burst > 1:
            return {}, f"references are of runs alone, this is one of {entry.burst} at once"
        cpu, cores = str(entry.document["system"].get("cpu", "")), entry.document["topology"].get("core_count")
        systems = [system for system in self.systems if system.matches(cpu, cores)]
        if not systems:
            known = ", ".join(map(str, self.systems)) or "none"
            return {}, f"{self.path} has no reference for the CPU {cpu!r} with {cores} cores; its systems: {known}"
        cases = [case for system in systems for case in system.cases if _names(case.glob, entry.case)]
        if not cases:
            return {}, f"{self.path} has no reference for the case {entry.case} on {', '.join(map(str, systems))}"
        ran_with = parameters(entry.document)
        found: dict[str, Reference] = {}
        others = []
        for case in cases:
            differing = [f"{name}={text or '(empty)'}" for name, text in case.parameters.items()
                         if ran_with.get(name, "") != text]
            if differing:
                others.append(" ".join(differing))
            else:
                found |= case.kpis
        return found, "" if found else (f"{self.path} has references for {entry.case} only with "
                                        f"{', or '.join(others)}, which this did not run with")


def _names(glob: str, case: str) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for name in (case, f"{WORKLOAD}_{case}", f"test_{WORKLOAD}_{case}"))


def read_references(path: Path) -> References:
    """The file's references. Raises BadInput with a line for each thing that is wrong, its place and what may be."""
    systems = []
    problems: list[str] = []
    for document in load_yaml(path):
        if document is None:
            continue
        top = _mapping(document, "the file", ("systems",), ("systems",), problems)
        listed = top.get("systems", [])
        if not isinstance(listed, list):
            problems.append(f"systems: a list of systems is expected, not {_kind(listed)}")
            continue
        systems += [_system(each, f"systems[{number}]", problems) for number, each in enumerate(listed)]
    if problems:
        raise BadInput(*(f"{path}: {problem}" for problem in problems))
    return References(path, systems)


def _system(given: object, place: str, problems: list[str]) -> System:
    values = _mapping(given, place, ("cpu", "cores", "cases"), ("cpu", "cases"), problems)
    cpu, cores, cases = values.get("cpu", "*"), values.get("cores"), values.get("cases", {})
    if not isinstance(cpu, str) or not cpu:
        problems.append(f"{place}.cpu: a glob of the CPU's name is expected, not {_kind(cpu)}")
    if cores is not None and (not isinstance(cores, int) or isinstance(cores, bool) or cores < 1):
        problems.append(f"{place}.cores: {cores!r} is no number of cores: 1, 2, 3 ... are allowed")
    if not isinstance(cases, dict):
        problems.append(f"{place}.cases: case globs with KPIs below them are expected, not {_kind(cases)}")
        cases = {}
    return System(str(cpu), cores, [_case(str(glob), below, f"{place}.cases[{str(glob)!r}]", problems)
                                    for glob, below in cases.items()])


def _case(glob: str, given: object, place: str, problems: list[str]) -> Case:
    values = _mapping(given, place, (*KPIS, "parameters"), (), problems)
    kpis = {name: _reference(values[name], f"{place}.{name}", problems) for name in KPIS if name in values}
    if isinstance(given, dict) and not kpis:
        problems.append(f"{place}: no KPI is given: {' or '.join(KPIS)} is needed")
    conditions = values.get("parameters", {})
    if not isinstance(conditions, dict):
        problems.append(f"{place}.parameters: NAME: VALUE lines are expected, not {_kind(conditions)}")
        conditions = {}
    problems.extend(f"{place}.parameters: {name} is not a parameter{nearest(str(name), tuple(CATALOGUE))}"
                    for name in conditions if name not in CATALOGUE)
    return Case(glob, kpis, {str(name): "" if value is None else str(value) for name, value in conditions.items()})


def _reference(given: object, place: str, problems: list[str]) -> Reference:
    values = _mapping(given, place, ("value", "tolerance"), ("value", "tolerance"), problems)
    value, tolerance = values.get("value", 1.0), values.get("tolerance", "5 %")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        problems.append(f"{place}.value: {value!r} is not a number above 0")
        value = 1.0
    # A bare 5 might be 5 % or five of the KPI's unit, a bare 0.05 either, too: the sign is asked for.
    percent = _PERCENT.fullmatch(tolerance.strip()) if isinstance(tolerance, str) else None
    if not percent or not 0 < float(percent.group(1)) < 100:
        problems.append(f"{place}.tolerance: {tolerance!r} is not a tolerance: above 0 % and below 100 % is allowed, "
                        "with its sign, such as 5 %")
    return Reference(float(value), float(percent.group(1)) / 100 if percent else 0.0)


def _mapping(given: object, place: str, allowed: Sequence[str], needed: Sequence[str],
             problems: list[str]) -> Mapping[str, Any]:
    """The known keys of ``given``; what is unknown or lacking goes to ``problems``."""
    if not isinstance(given, dict):
        problems.append(f"{place}: {', '.join(allowed)} below it are expected, not {_kind(given)}")
        return {}
    problems.extend(_wrong_keys(given, place, allowed, needed))
    return {str(name): value for name, value in given.items() if name in allowed}


def _wrong_keys(given: Mapping[object, object], place: str, allowed: Sequence[str],
                needed: Sequence[str]) -> Iterator[str]:
    for name in given:
        if name not in allowed:
            yield (f"{place}: {name} is not a key{nearest(str(name), tuple(allowed))}; allowed here: "
                   f"{', '.join(allowed)}")
    for name in needed:
        if name not in given:
            yield f"{place}: the key {name} is missing"


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__} ({str(value)[:40]})"
