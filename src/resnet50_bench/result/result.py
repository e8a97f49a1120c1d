"""What one case measured -> a versioned JSON file, written atomically; and back.

Schema history:
  1  first version
  2  inputs; statistics.accuracy
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files import write_json

SCHEMA = "resnet50-bench-result"
SCHEMA_VERSION = 2
#: What ``placement`` says of a sweep's runs: by workers that stay for the next point, or by fresh ones.
WORKERS, WARM, FRESH = "workers", "warm", "fresh"


@dataclass(frozen=True)
class Run:
    """One instance's values.

    ``starts_ns`` and ``ends_ns`` bound each step by the monotonic clock, which all processes of
    a machine share; step i took ``ends_ns[i] - starts_ns[i]``.
    """

    instance: int
    process: int
    pid: int
    cpus: tuple[int, ...]
    observed_cpus: tuple[int, ...]
    memory_node: int | None
    warmup_steps: int
    warmup_s: float
    steady: bool
    peak: dict[str, float]
    starts_ns: tuple[int, ...]
    ends_ns: tuple[int, ...]


@dataclass(frozen=True)
class ProcessReport:
    """What one process found out about itself; ``facts`` as the engine and worker name them."""

    process: int
    pid: int
    prepare_s: float
    model_cache: str
    allocator: str
    kernels: dict[str, int]
    runs: tuple[Run, ...]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    """One case's result. ``failure`` is None where the run passed."""

    case: dict[str, object]
    started_at: str
    command: list[str]
    system: dict[str, object]
    software: dict[str, object]
    topology: dict[str, object]
    placement: dict[str, object]
    processes: list[ProcessReport] = field(default_factory=list)
    statistics: dict[str, object] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)
    checks: list[dict[str, object]] = field(default_factory=list)
    counters: dict[str, object] = field(default_factory=dict)
    verdict: str = "invalid"
    reasons: list[str] = field(default_factory=list)
    failure: str | None = None

    def runs(self) -> list[Run]:
        """Every instance's run, by instance number."""
        return sorted((run for report in self.processes for run in report.runs),
                      key=lambda run: run.instance)

    def feeds(self) -> dict[int, dict[str, Any]]:
        """What each instance's feed recorded, by instance number."""
        return {int(number): record for report in self.processes
                for number, record in report.facts.get("data", {}).items()}

    def counted(self) -> dict[int, dict[str, int]]:
        """Each instance's right answers (``count``, ``top1``, ``top5``), by instance number."""
        return {number: record["counts"] for number, record in self.feeds().items() if "counts" in record}

    def trainings(self) -> list[dict[str, Any]]:
        """Each instance's training record; none for inference."""
        return [record["training"] for record in self.feeds().values() if "training" in record]

    def document(self) -> dict[str, object]:
        """The JSON document."""
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)}

    def write(self, path: Path) -> None:
        """Write to ``path`` so that a reader sees the old file or the whole new one."""
        write_json(path, self.document())


def process_report(document: dict[str, object]) -> ProcessReport:
    """A worker's JSON as a ProcessReport."""
    runs = tuple(Run(**{key: tuple(value) if isinstance(value, list) else value
                        for key, value in run.items()})
                 for run in document.pop("runs"))  # type: ignore[attr-defined]
    return ProcessReport(**document, runs=runs)  # type: ignore[arg-type]


def read(path: Path) -> Result:
    """Read a result file. Raises BadInput for what is no result or of a newer schema."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as a result: {error}") from error
    if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
        raise BadInput(f"{path} is not a result of this benchmark (no schema {SCHEMA!r})")
    version = document.pop("schema_version", None)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise BadInput(f"{path} has schema version {version}; this version reads up to "
                       f"{SCHEMA_VERSION}: use a newer {SCHEMA.split('-')[0]} checkout")
    document["processes"] = [process_report(report) for report in document["processes"]]
    return Result(**document)
