"""Folders enter; the results below them, as plain documents, and what sets two of them apart leave."""

from __future__ import annotations

import gc
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import WORKLOAD
from ..errors import BadInput
from ..result.result import SCHEMA, SCHEMA_VERSION

LOGS_FOLDER = re.compile(rf"\d{{8}}-\d{{6}}-logs-(?:{WORKLOAD}_)?(.+)")
#: What is nearly all of a result, and needed by none who compares results, with what stands behind it.
#: The counters have processes, too: without them the last processes are the result's.
_LARGE = (("counters", "verdict"), ("processes", "statistics"))
_BLOCKS = ("case", "system", "software", "topology", "placement", "statistics")
#: MODE -> (KPI, unit, path in ``statistics``)
PRIMARY = {
    "throughput": ("Throughput", "samples/sec", ("throughput_images_per_s",)),
    "latency": ("Latency", "ms", ("latency_ms", "mean")),
    "accuracy": ("Accuracy", "%", ("accuracy", "top1")),
}
#: What ``case`` holds besides parameters.
_NO_PARAMETERS = ("origins", "notices")
#: The identity of a CPU among the facts of ``system``.
_CPU_FACTS = ("cpu", "cpu_family", "cpu_model", "cpu_stepping")
#: The packages whose versions decide what runs.
_PACKAGES = ("torch", "intel-extension-for-pytorch", "torchvision")
CPU, VERSIONS, PLACEMENT = "the CPU", "software versions", "placement"
_THING = {**dict.fromkeys(_CPU_FACTS, CPU), **dict.fromkeys(_PACKAGES, VERSIONS),
          "instances": PLACEMENT, "cpus_per_instance": PLACEMENT}
_DECIDE_PLACEMENT = {"CORES_PER_INSTANCE", "INSTANCE_MODE", "core_count", CPU}
Difference = tuple[str, str, object, object]


@dataclass(frozen=True)
class Entry:
    """One result file; ``document`` is its JSON but for ``_LARGE``, ``iteration`` None outside a logs folder."""

    path: Path
    logs: Path
    case: str
    iteration: int | None
    document: dict[str, Any]

    @property
    def started_at(self) -> str:
        """ISO 8601 in UTC: its order is the order of time."""
        return str(self.document.get("started_at", ""))

    @property
    def verdict(self) -> str:
        """``valid``, ``noisy`` or ``invalid``."""
        return str(self.document.get("verdict", "invalid"))

    @property
    def failure(self) -> str | None:
        """Why the run failed; None where it passed."""
        failure = self.document.get("failure")
        return None if failure is None else str(failure) or "failed"

    @property
    def worker(self) -> str:
        """The name of its folder: ``worker-1-c0`` is the second node's of a case on several."""
        return self.path.parent.name

    @property
    def node(self) -> str:
        """The machine's name, the scheduler's where there is one."""
        return node_file(self.path.parent) or str(self.document["system"].get("node") or self.worker)

    @property
    def mode(self) -> str:
        """The parameter MODE."""
        return str(self.document["case"].get("MODE", ""))

    @property
    def reasons(self) -> str:
        """Why the verdict is not ``valid``; else empty."""
        return "; ".join(map(str, self.document.get("reasons") or ()))

    @property
    def burst(self) -> int:
        """How many runs shared the cores (``ctest.sh --burst``); 1: it had them to itself."""
        return int(self.document["placement"].get("burst") or 1)

    @property
    def primary(self) -> tuple[str, str, float] | None:
        """(name, unit, value) of the primary KPI; None for a result that failed or is invalid."""
        if self.failure is not None or self.verdict not in ("valid", "noisy") or self.mode not in PRIMARY:
            return None
        name, unit, path = PRIMARY[self.mode]
        value = number(self.document["statistics"], *path)
        # No answer may be right, no time may be nought.
        return (name, unit, value) if value is not None and (value > 0 or unit == "%") else None

    @property
    def unusable(self) -> str:
        """Why there is no primary KPI; empty where there is one."""
        if self.primary:
            return ""
        if self.failure is not None or self.verdict == "invalid":
            return " ".join((self.failure or self.reasons or "invalid, without a reason").split())
        return f"no primary KPI of MODE {self.mode or '(none)'} in its statistics"


def node_file(folder: Path) -> str:
    """What the scheduler calls the node of a worker folder, empty where there was none; one host may be several."""
    try:
        return (folder / "node").read_text().strip()
    except OSError:
        return ""


def number(values: Mapping[str, Any], *path: str) -> float | None:
    """The finite number at ``path`` in nested mappings, or None."""
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, (int, float)) and math.isfinite(found) else None


def find(folders: Sequence[Path], notices: list[str] | None = None) -> list[Entry]:
    """Every result below ``folders`` (or named by them), the newest first.

    What cannot be used as a result, and logs folders without any, are named in ``notices``. Raises BadInput where
    there is no such folder or file.
    """
    told = notices if notices is not None else []
    missing = [f"{folder}: there is no such folder or file" for folder in folders if not folder.exists()]
    if missing:
        raise BadInput(*missing)
    entries: dict[Path, Entry] = {}
    silent: dict[Path, None] = {}
    with uncollected():
        for path in _paths(folders, told):
            if path.is_dir():
                silent[path] = None
                continue
            try:
                entries.setdefault(path, _read(path))
            except BadInput as error:
                told.append(str(error))
            silent.pop(_logs_folder(path), None)
    told += [f"{folder} holds no result{_why(folder)}" for folder in silent]
    return sorted(entries.values(), key=lambda entry: (entry.started_at, str(entry.path)), reverse=True)


@contextmanager
def uncollected() -> Iterator[None]:
    """Thousands of parsed results hold no cycles: the collector would look through them again and again for nothing."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _paths(folders: Sequence[Path], told: list[str]) -> Iterator[Path]:
    """Logs folders, each before the files in it, and the files that may be results."""
    for given in folders:
        top = given.resolve()
        if top.is_file():
            yield top
            continue
        for folder, names, files in os.walk(top, onerror=lambda error: told.append(str(error))):
            names.sort()
            here = Path(folder)
            if LOGS_FOLDER.fullmatch(here.name):
                yield here
            yield from (here / name for name in sorted(files)
                        if name.startswith("benchmark_") and name.endswith(".json"))


def _read(path: Path) -> Entry:
    """Raises BadInput for what is no result or of a newer schema."""
    try:
        document = json.loads(_lean(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as a result: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise BadInput(f"{path} is not a result of this benchmark (no schema {SCHEMA!r})")
    version = document.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise BadInput(f"{path} has schema version {version}; this version reads up to {SCHEMA_VERSION}: "
                       "use a newer checkout")
    broken = [name for name in _BLOCKS if not isinstance(document.get(name), dict)]
    if broken:
        raise BadInput(f"{path} is a damaged result: no {', '.join(broken)}")
    for name, _ in _LARGE:
        document.pop(name, None)
    logs = _logs_folder(path)
    named = LOGS_FOLDER.fullmatch(logs.name)
    iteration = re.search(r"/itr-(\d+)/", str(path))
    return Entry(path, logs, named.group(1) if named else _case_name(document["case"]),
                 int(iteration.group(1)) if iteration else None, document)


def _lean(text: bytes) -> bytes:
    """A result's JSON with null for what is large: reading thousands takes half the time, and they fit into memory.

    A value is cut out only where it is bracketed as a whole value is; else, as where it is not laid out as ``result``
    does it, it stays. In a JSON text ``"name": `` is a key: the quotes of a string's content have backslashes.
    """
    for name, following in _LARGE:
        key = f'"{name}": '.encode()
        start = text.rfind(key) + len(key)
        end = text.find(f', "{following}": '.encode(), start)
        value = text[start:end] if start >= len(key) and end > start else b"["
        if value.count(b"{") == value.count(b"}") and value.count(b"[") == value.count(b"]"):
            text = b"%bnull%b" % (text[:start], text[end:])
    return text


def _logs_folder(path: Path) -> Path:
    """The logs folder that ``path`` lies in, else the folder of the file."""
    return next((folder for folder in path.parents if LOGS_FOLDER.fullmatch(folder.name)), path.parent)


def _case_name(case: Mapping[str, object]) -> str:
    """What the case is called in the name of a logs folder."""
    return "_".join(str(case[name]) for name in ("FUNCTION", "MODE", "PRECISION", "CASE_TYPE") if case.get(name))


def _why(logs: Path) -> str:
    """What kpi.txt says of a run that left no result."""
    try:
        text = (logs / "kpi.txt").read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"^# INVALID RESULT: (.+)$", text, re.M)
    return f": {found.group(1)}" if found else ""


def parameters(document: Mapping[str, Any]) -> dict[str, str]:
    """The case's parameters as text."""
    return {name: str(value) for name, value in document["case"].items() if name not in _NO_PARAMETERS}


def placement(document: Mapping[str, Any]) -> dict[str, object]:
    """Usable cores, instances, how many cpus each of them has, and how many runs shared them where there were more."""
    processes = document["placement"].get("processes", ())
    sizes = [len(instance.get("cpus", ())) for process in processes for instance in process.get("instances", ())]
    return {"core_count": document["topology"].get("core_count"), "instances": len(sizes),
            "cpus_per_instance": ",".join(map(str, sorted(set(sizes)))),
            **{name: value for name, value in document["placement"].items() if name == "burst"}}


def key(document: Mapping[str, Any]) -> dict[str, object]:
    """What must be equal for two results to be compared like for like, by name."""
    return {**parameters(document), **placement(document),
            **{name: document["system"].get(name) for name in _CPU_FACTS},
            **{name: document["software"].get(name) for name in _PACKAGES}}


def things(a: Mapping[str, Any], b: Mapping[str, Any]) -> set[str]:
    """What differs in the key, each thing once, without what follows from another."""
    mine, others = key(a), key(b)
    found = {_THING.get(name, name) for name in {**mine, **others} if mine.get(name) != others.get(name)}
    if CPU in found:
        found -= {"PLATFORM", "core_count"}
        if all(_is_default(document, "CORES_PER_INSTANCE") for document in (a, b)):
            found.discard("CORES_PER_INSTANCE")  # a whole socket of either
    if found & _DECIDE_PLACEMENT:
        found.discard(PLACEMENT)
    return found


def _is_default(document: Mapping[str, Any], name: str) -> bool:
    return (document["case"].get("origins") or {}).get(name) == "default"


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """(group, name, a's value, b's value) of all that sets two documents apart; None for what one does not have."""
    groups = (("parameter", parameters(a), parameters(b)), ("software", flat(a["software"]), flat(b["software"])),
              ("system", flat(a["system"]), flat(b["system"])), ("placement", placement(a), placement(b)))
    return [(group, name, mine.get(name), other.get(name)) for group, mine, other in groups
            for name in {**mine, **other} if mine.get(name) != other.get(name)]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested mappings as one, with ``firmware.bios_date`` for names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found
