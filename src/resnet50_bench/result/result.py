"""One case's result <-> a versioned JSON file, written atomically; and the JSON Schema of that file.

Schema history:
  1  first version
  2  inputs; statistics.accuracy

Refuses newer schemas, reads older ones, ignores unknown keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from ..case.engines import is_unproven
from ..case.inputs import InputsRecord
from ..errors import BadInput
from ..files import write_json
from ..machine.counters import Counters, ProcessCounters
from ..machine.host import SystemRecord
from ..machine.topology import Topology
from .placement import Placement
from .processes import FeedRecord, ProcessReport, RightAnswers, Run, Training
from .records import Check, Statistics
from .server import Served

SCHEMA = "resnet50-bench-result"
SCHEMA_VERSION = 2
#: The values of ``placement.workers`` for a sweep's runs: workers kept from the point before, or new ones.
WARM, FRESH = "warm", "fresh"
#: The keys of ``case`` besides parameters.
_NO_PARAMETERS = ("origins", "notices")
#: Versions by package, and this checkout's commit or the reason why it is unknown.
SoftwareRecord = dict[str, str | bool]
T = TypeVar("T")


class ResultSummary(msgspec.Struct, kw_only=True):
    """A result without step times and counters, which are most of its file and not needed to compare results.

    ``case`` has the parameters as texts, their ``origins`` and the ``notices``. ``software`` has versions by package.
    ``stack`` is the stack of the Python that measured, None if it has none or is unknown. ``verdict`` is ``valid``,
    ``noisy`` or ``invalid``. ``failure`` is None if the run passed.
    """

    case: dict[str, str | list[str] | dict[str, str]]
    started_at: str = ""
    system: SystemRecord
    software: SoftwareRecord
    stack: str | None = None
    topology: Topology
    placement: Placement
    statistics: Statistics
    limits: dict[str, float] = {}
    checks: list[Check] = []
    verdict: str = "invalid"
    reasons: list[str] = []
    failure: str | None = None

    def parameters(self) -> dict[str, str]:
        """The case's parameters as text."""
        return {name: str(value) for name, value in self.case.items() if name not in _NO_PARAMETERS}

    def parameter(self, name: str) -> str:
        """One parameter's text, "" if the case does not have it."""
        value = self.case.get(name, "")
        return value if isinstance(value, str) else ""

    def customer_env(self) -> dict[str, str]:
        """The variables set by CUSTOMER_ENV."""
        return {name: value for name, _, value in (
            word.partition("=") for word in self.parameter("CUSTOMER_ENV").split())}

    def is_default(self, name: str) -> bool:
        """Whether the parameter has its default because nobody set it."""
        origins = self.case.get("origins")
        return isinstance(origins, dict) and origins.get(name) == "default"

    @property
    def is_unproven(self) -> bool:
        """Whether its engine cannot prove the kernels. Every table marks such a result."""
        return is_unproven(self.parameter("TORCH_TYPE"))


class Result(ResultSummary, kw_only=True):
    """One case's result."""

    statistics: Statistics = msgspec.field(default_factory=Statistics)
    command: list[str] = []
    processes: list[ProcessReport] = []
    inputs: InputsRecord = msgspec.field(default_factory=InputsRecord)
    counters: Counters = msgspec.field(default_factory=Counters)

    def runs(self) -> list[Run]:
        """Every instance's run, by instance number."""
        return sorted((run for report in self.processes for run in report.runs),
                      key=lambda run: run.instance)

    def feeds(self) -> dict[int, FeedRecord]:
        """Each instance's feed record, by instance number."""
        return {int(number): record for report in self.processes for number, record in report.facts.data.items()}

    def counted(self) -> dict[int, RightAnswers]:
        """Each instance's right answers, by instance number."""
        return {number: record.counts for number, record in self.feeds().items() if record.counts}

    def served(self) -> dict[int, Served]:
        """Each instance's served queries, by instance number. Only for MODE=server."""
        return {number: record.served for number, record in self.feeds().items() if record.served}

    def loadgen_counters(self) -> ProcessCounters | None:
        """The counters of LoadGen's process (MODE=server)."""
        instances = {str(report.pid) for report in self.processes}
        return next((process for pid, process in self.counters.processes.items()
                     if self.statistics.server and pid not in instances), None)

    def loadgen_beside_s(self) -> float:
        """CPU seconds that LoadGen used on the instances' cores. 0 if it has its own core."""
        loadgen = self.loadgen_counters()
        return loadgen.cpu_s if loadgen and self.placement.loadgen_cpu is None else 0.0

    def instance_counters(self) -> list[ProcessCounters]:
        """The counters of the processes that host instances."""
        loadgen = self.loadgen_counters()
        return [process for process in self.counters.processes.values() if process is not loadgen]

    def trainings(self) -> list[Training]:
        """Each instance's training record. Empty for inference."""
        return [record.training for record in self.feeds().values() if record.training]

    def document(self) -> dict[str, object]:
        """The JSON document."""
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **msgspec.to_builtins(self)}

    def write(self, path: Path) -> None:
        """Write to ``path`` atomically: a reader sees the old file or the complete new one."""
        write_json(path, self.document())


class _Header(msgspec.Struct):
    """The fields that identify the kind of file."""

    schema: Any = None
    schema_version: Any = None


def read(path: Path) -> Result:
    """Read a result file. Raises BadInput if it is not a result, damaged (with the place) or of a newer schema."""
    return _read(path, Result)


def read_summary(path: Path) -> ResultSummary:
    """Read a result file without step times and counters, which is many times as fast. Raises as ``read``."""
    return _read(path, ResultSummary)


def _read(path: Path, kind: type[T]) -> T:
    try:
        text = path.read_bytes()
        header = _decoded(text, _Header)
    except msgspec.ValidationError:
        header = _Header()
    except (OSError, ValueError, RecursionError) as error:
        if not isinstance(error, OSError) and not path.match("benchmark_*.json"):
            raise BadInput(f"{path} is not a result file (JSON that a run wrote: benchmark_*.json)") from error
        raise BadInput(f"{path} cannot be read as a result: {error}") from error
    if header.schema != SCHEMA:
        raise BadInput(f"{path} is not a result of this benchmark (no schema {SCHEMA!r})")
    version = header.schema_version
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise BadInput(f"{path} has schema version {version}; this version reads up to {SCHEMA_VERSION}: "
                       "use a newer checkout")
    try:
        return _decoded(text, kind)
    except (ValueError, RecursionError) as error:  # the header's decoder ignores invalid UTF-8 elsewhere
        raise BadInput(f"{path} is a damaged result: {error}") from error


def _decoded(text: bytes, kind: type[T]) -> T:
    """Decode JSON. Raises msgspec.ValidationError with the place of a wrong type, ValueError for invalid JSON."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Python writes NaN, for example of a diverged training. JSON has no NaN.
        return msgspec.convert(json.loads(text), kind)


class ResultDocument(Result, kw_only=True):
    """A result file. Further keys may be added without a new ``schema_version``. A value that was not measured, or
    cannot be read on the machine, is absent or null. Numbers that are not finite are written as NaN."""

    schema: Literal[SCHEMA]  # type: ignore[valid-type]
    schema_version: Literal[SCHEMA_VERSION]  # type: ignore[valid-type]


def json_schema() -> str:
    """The JSON Schema (2020-12) of a result file, for programs that read results."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "resnet50-bench result",
              **msgspec.json.schema(ResultDocument)}
    return json.dumps(_on_one_line(schema), indent=1) + "\n"


def _on_one_line(schema: object) -> object:
    """Docstrings on one line. Not every Python version keeps their line ends and indents."""
    if isinstance(schema, dict):
        return {key: " ".join(value.split()) if key == "description" and isinstance(value, str) else _on_one_line(value)
                for key, value in schema.items()}
    return [_on_one_line(item) for item in schema] if isinstance(schema, list) else schema
