"""A YAML file of reference values enters; what a result's KPIs must not fall short of, or why nothing, leaves.

    systems:
      - cpu: "*Platinum 8480*"                     # glob of the CPU's name, as a result's system block has it
        cores: 112                                 # usable cores; any number where it is left out
        cases:
          "*_throughput_amx_int8":                 # glob of the case's name, with or without its prefix
            throughput: {value: 10240.5, tolerance: 5 %}
            latency: {value: 12.5, tolerance: 8 %}
            parameters: {BATCH_SIZE: 64}           # only for runs with these; for any where it is left out

Every system and case that matches applies; a later one in the file beats an earlier one, KPI by KPI. A glob may be for
another platform's cases, but one that matches no case of any is a mistyped one.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from ..case import globs as case_globs
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..result.kpi import KPIS
from ..spelling import nearest
from ..stack.yaml_files import load_yaml
from .collection import Entry

_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
T = TypeVar("T", bound=msgspec.Struct)


class Tolerance(float):
    """A share of a value; ``5 %`` in the file is 0.05."""


class Reference(msgspec.Struct, frozen=True):
    """``value`` in the KPI's unit (images/s, ms or %), ``tolerance`` as a share of it: 0.05 is 5 %."""

    value: Annotated[float, msgspec.Meta(gt=0, lt=1e300)]
    tolerance: Tolerance


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The references of the cases that ``glob`` matches where they ran with ``parameters``."""

    glob: str = ""
    throughput: Reference | None = None
    latency: Reference | None = None
    accuracy: Reference | None = None
    parameters: dict[str, str] = {}

    @property
    def kpis(self) -> dict[str, Reference]:
        """By MODE."""
        given = {"throughput": self.throughput, "latency": self.latency, "accuracy": self.accuracy}
        return {mode: reference for mode, reference in given.items() if reference}


class System(msgspec.Struct, frozen=True, kw_only=True):
    """The references of the CPUs that ``cpu`` matches; ``cores`` None: with any number of usable cores."""

    cpu: Annotated[str, msgspec.Meta(min_length=1)]
    cores: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cases: list[Case]

    def matches(self, cpu: str, cores: int | None) -> bool:
        """Whether a machine is one of these."""
        return fnmatch.fnmatchcase(cpu, self.cpu) and self.cores in (None, cores)

    def __str__(self) -> str:
        return repr(self.cpu) + (f" with {self.cores} cores" if self.cores else "")


class Lack(Enum):
    """What stands between a result and a reference for it."""

    BURST = "burst"
    MODE = "mode"
    CPU = "cpu"
    CASE = "case"
    PARAMETERS = "parameters"
    KPI = "kpi"


@dataclass(frozen=True)
class NoReference:
    """Why a file holds nothing that a result can be compared with. ``instead``: the systems or KPIs that it has.

    ``differing``: of each reference of the case the parameters that differ, with its value and the result's.
    """

    lack: Lack
    instead: tuple[str, ...] = ()
    differing: tuple[Mapping[str, tuple[str, str]], ...] = ()


class References(msgspec.Struct, frozen=True):
    """A references file."""

    path: Path
    systems: list[System]

    def of(self, entry: Entry) -> Mapping[str, Reference] | NoReference:
        """The references of a result by KPI, of which there is one at least; else why there is none."""
        if entry.burst > 1:
            return NoReference(Lack.BURST)
        if entry.mode not in KPIS:
            return NoReference(Lack.MODE, tuple(KPIS))
        systems = [system for system in self.systems
                   if system.matches(entry.result.system.cpu or "", entry.result.topology.core_count)]
        if not systems:
            return NoReference(Lack.CPU, tuple(map(str, self.systems)))
        cases = [case for system in systems for case in system.cases if case_globs.matches(case.glob, entry.case)]
        if not cases:
            return NoReference(Lack.CASE, tuple(map(str, systems)))
        ran_with = entry.result.parameters()
        found: dict[str, Reference] = {}
        differing = []
        for case in cases:
            apart = {name: (text, ran_with.get(name, "")) for name, text in case.parameters.items()
                     if ran_with.get(name, "") != text}
            if apart:
                differing.append(apart)
            else:
                found |= case.kpis
        return found or NoReference(Lack.PARAMETERS, differing=tuple(differing))


def read_references(path: Path) -> References:
    """The file's references. Raises BadInput with a line for each thing that is wrong, its place and what may be."""
    problems: list[str] = []
    systems: list[System] = []
    documents = [document for document in load_yaml(path) if document is not None]
    if not documents:  # such as a failed `reference LOGS > FILE` leaves
        raise BadInput(f"{path} is empty: `resnet50-bench reference LOGS` makes references of valid results")
    for document in documents:
        top = _keys(document, "the file", ("systems",), ("systems",), problems)
        listed = top.get("systems", [])
        if not isinstance(listed, list):
            problems.append(f"systems: a list of systems is expected, not {_kind(listed)}")
            continue
        made = [_system(given, f"systems[{number}]", problems) for number, given in enumerate(listed)]
        systems += [system for system in made if system]
    if problems:
        raise BadInput(*(f"{path}: {problem}" for problem in problems))
    return References(path, systems)


def _system(given: object, place: str, problems: list[str]) -> System | None:
    values = _keys(given, place, System.__struct_fields__, ("cpu", "cases"), problems)
    cases = values.get("cases", {})
    if not isinstance(cases, dict):
        problems.append(f"{place}.cases: case globs with KPIs below them are expected, not {_kind(cases)}")
        cases = {}
    made = [_case(str(glob), below, f"{place}.cases[{str(glob)!r}]", problems) for glob, below in cases.items()]
    return _typed(System, values | {"cases": [case for case in made if case]}, place, problems)


def _case(glob: str, given: object, place: str, problems: list[str]) -> Case | None:
    values = _keys(given, place, (*KPIS, "parameters"), (), problems)
    if wrong := case_globs.refusal(glob):
        problems.append(f"{place}: {wrong}")
    if isinstance(given, dict) and not set(KPIS) & set(values):
        problems.append(f"{place}: no KPI is given: {' or '.join(KPIS)} is needed")
    made: dict[str, object] = {"glob": glob}
    for kpi in KPIS:
        if kpi in values:
            names = Reference.__struct_fields__
            below = _keys(values[kpi], f"{place}.{kpi}", names, names, problems)
            made[kpi] = _typed(Reference, below, f"{place}.{kpi}", problems)
    conditions = values.get("parameters", {})
    if not isinstance(conditions, dict):
        problems.append(f"{place}.parameters: NAME: VALUE lines are expected, not {_kind(conditions)}")
        conditions = {}
    problems.extend(f"{place}.parameters: {name} is not a parameter{nearest(str(name), tuple(CATALOGUE))}"
                    for name in conditions if name not in CATALOGUE)
    made["parameters"] = {str(name): "" if value is None else str(value) for name, value in conditions.items()}
    return _typed(Case, made, place, problems)


def _typed(kind: type[T], values: dict[str, object], place: str, problems: list[str]) -> T | None:
    """The Struct of the known keys; None where a value is not what it may be, each of which goes to ``problems``.

    Key by key, as msgspec stops at the first error. What lacks has been told.
    """
    made, fine = {}, True
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in values:
            fine = fine and not field.required
            continue
        value = values[field.encode_name]
        try:
            made[field.name] = msgspec.convert(value, field.type, dec_hook=_tolerance)
        except msgspec.ValidationError as error:
            problems.append(f"{place}.{field.name}: {value!r} cannot be used: {error}")
            fine = False
    return kind(**made) if fine else None


def _tolerance(kind: type, value: object) -> object:
    """A bare 5 might be 5 % or five of the KPI's unit, a bare 0.05 either, too: the sign is asked for."""
    percent = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if kind is not Tolerance or not percent or not 0 < float(percent.group(1)) < 100:
        raise ValueError("above 0 % and below 100 % is allowed, with its sign, such as 5 %")
    return Tolerance(float(percent.group(1)) / 100)


def _keys(given: object, place: str, allowed: tuple[str, ...], needed: tuple[str, ...],
          problems: list[str]) -> dict[str, object]:
    """The known keys of ``given``; what is unknown or lacking goes to ``problems``."""
    if not isinstance(given, dict):
        problems.append(f"{place}: {', '.join(allowed)} below it are expected, not {_kind(given)}")
        return {}
    problems.extend(_wrong_keys(given, place, allowed, needed))
    return {name: value for name, value in given.items() if name in allowed}


def _wrong_keys(given: dict[object, object], place: str, allowed: tuple[str, ...],
                needed: tuple[str, ...]) -> Iterator[str]:
    for name in given:
        if name not in allowed:
            yield (f"{place}: {name} is not a key{nearest(str(name), allowed)}; allowed here: {', '.join(allowed)}")
    for name in needed:
        if name not in given:
            yield f"{place}: the key {name} is missing"


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__} ({str(value)[:40]})"
