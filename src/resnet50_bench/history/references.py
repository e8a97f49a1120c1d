"""A YAML file of reference values -> the references for a result's KPIs, or the reason why there are none.

    systems:
      - cpu: "*Platinum 8480*"                     # glob of the CPU's name, as a result's system block has it
        cores: 112                                 # usable cores; any number where it is left out
        cases:
          "*_throughput_amx_int8":                 # glob of the case's name, with or without its prefix
            throughput: {value: 10240.5, tolerance: 5 %}
            latency: {value: 12.5, tolerance: 8 %}
            parameters: {BATCH_SIZE: 64}           # only for runs with these; for any where it is left out

Every matching system and case applies. A later one in the file overrides an earlier one, KPI by KPI. A glob may match
another platform's cases only. A glob that matches no case of any platform is an error.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec

from ..case import globs as case_globs
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..files import read_text
from ..result.kpi import KPIS
from ..spelling import nearest
from ..yaml_files import Value, decoded, load_yaml, text_of
from .collection import Entry

#: The % sign is required: a bare 5 or 0.05 could be a percentage or a value in the KPI's unit.
_Percent = Annotated[str, msgspec.Meta(pattern=r"^(?!0+(\.0+)? ?%)[0-9]{1,2}(\.[0-9]+)? ?%$", description=(
    "a percentage above 0 % and below 100 %, with the % sign, for example 5 %"))]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``value`` in the KPI's unit: images/s, queries/s, ms or %."""

    value: Annotated[float, msgspec.Meta(gt=0, lt=1e300, description="a number above 0")]
    percent: _Percent = msgspec.field(name="tolerance")

    @property
    def tolerance(self) -> float:
        """The tolerance as a share of the value: 0.05 is 5 %."""
        return float(self.percent.rstrip(" %")) / 100


class ReferencedCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The references of the cases that match a glob and ran with ``parameters``."""

    throughput: Reference | None = None
    latency: Reference | None = None
    server: Reference | None = None
    accuracy: Reference | None = None
    parameters: dict[str, Value] = {}

    @property
    def kpis(self) -> dict[str, Reference]:
        """The references by MODE."""
        return {mode: reference for mode in KPIS if (reference := getattr(self, mode))}


class System(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The references of CPUs that match ``cpu``. ``cores`` None: any number of usable cores.

    ``cases`` by glob.
    """

    cpu: Annotated[str, msgspec.Meta(min_length=1, description="a glob of the CPU's name")]
    cores: Annotated[Annotated[int, msgspec.Meta(ge=1)] | None, msgspec.Meta(
        description="a number of cores: 1, 2, 3 ... are allowed")] = None
    cases: Annotated[dict[str, ReferencedCase], msgspec.Meta(description="case globs with KPIs below them")]

    def matches(self, cpu: str, cores: int | None) -> bool:
        """Whether a machine matches."""
        return fnmatch.fnmatchcase(cpu, self.cpu) and self.cores in (None, cores)

    def __str__(self) -> str:
        return repr(self.cpu) + (f" with {self.cores} cores" if self.cores else "")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    systems: Annotated[list[System], msgspec.Meta(description="a list of systems")]


class Lack(Enum):
    """The reasons why a result has no reference."""

    BURST = "burst"
    MODE = "mode"
    CPU = "cpu"
    CASE = "case"
    PARAMETERS = "parameters"
    KPI = "kpi"


@dataclass(frozen=True)
class NoReference:
    """The reason why a file has no reference for a result. ``instead``: the systems or KPIs that it has.

    ``differing``: for each reference of the case, the differing parameters with both values.
    """

    lack: Lack
    instead: tuple[str, ...] = ()
    differing: tuple[Mapping[str, tuple[str, str]], ...] = ()


class References(msgspec.Struct, frozen=True):
    """A references file."""

    path: Path
    systems: list[System]

    def of(self, entry: Entry) -> Mapping[str, Reference] | NoReference:
        """The references of a result by KPI, at least one; else the reason why there are none."""
        if entry.burst > 1:
            return NoReference(Lack.BURST)
        if entry.mode not in KPIS:
            return NoReference(Lack.MODE, tuple(KPIS))
        systems = [system for system in self.systems
                   if system.matches(entry.result.system.cpu or "", entry.result.topology.core_count)]
        if not systems:
            return NoReference(Lack.CPU, tuple(map(str, self.systems)))
        cases = [case for system in systems for glob, case in system.cases.items()
                 if case_globs.matches(glob, entry.case)]
        if not cases:
            return NoReference(Lack.CASE, tuple(map(str, systems)))
        ran_with = entry.result.parameters()
        references: dict[str, Reference] = {}
        differing = []
        for case in cases:
            texts = {name: text_of(name, value) for name, value in case.parameters.items()}
            if apart := {name: (text, ran_with.get(name, "")) for name, text in texts.items()
                         if ran_with.get(name, "") != text}:
                differing.append(apart)
            else:
                references |= case.kpis
        return references or NoReference(Lack.PARAMETERS, differing=tuple(differing))


def read_references(path: Path) -> References:
    """Read the references. Raises BadInput with a line for each error, with its place and the allowed values."""
    no_references = f"{path} is not a references file (what `resnet50-bench reference` prints)"
    try:
        documents = [document for document in load_yaml(path) if document is not None]
    except BadInput as error:
        # A references file with a mistake has the parser's words, any other text has not.
        text = read_text(path)
        if text is None or re.search(r"^\W*systems?\W*:", text, re.M):
            raise
        raise BadInput(no_references) from error
    if any(isinstance(document, str) for document in documents):
        raise BadInput(no_references)
    if not documents:  # for example after a failed `reference LOGS > FILE`
        raise BadInput(f"{path} is empty: `resnet50-bench reference LOGS` makes references of valid results")
    systems: list[System] = []
    for document in documents:
        systems += decoded(str(path), document, _File).systems
    if mistyped := [f"{path}: systems[{number}].cases[{glob!r}]: {problem}" for number, system in enumerate(systems)
                    for glob, case in system.cases.items() for problem in _mistyped(glob, case)]:
        raise BadInput(*mistyped)
    return References(path, systems)


def _mistyped(glob: str, case: ReferencedCase) -> Iterator[str]:
    """The errors in a case's references that types do not catch."""
    if wrong := case_globs.refusal(glob):
        yield wrong
    if not case.kpis:
        yield f"no KPI is given: {' or '.join(KPIS)} is needed"
    yield from (f"parameters: {name} is not a parameter{nearest(name, CATALOGUE)}"
                for name in case.parameters if name not in CATALOGUE)
