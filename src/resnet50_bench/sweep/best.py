"""A Case + the machine -> the file that remembers the best batch size and cores, and what stands in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..case.case import Case, Machine
from ..errors import Infrastructure
from ..files import write_json
from ..machine import host
from ..stack import user_cache
from .record import KPI
from .tables import Outcome

NAMES = ("BATCH_SIZE", "CORES_PER_INSTANCE")
#: How long and how strictly is measured, and names, do not change which point is the best.
_NO_MATTER = ("STEPS", "WARMUP_STEPS", "MIN_DURATION", "FAIL_ON_NOISY", "VERBOSE", "CASE_TYPE", "PLATFORM",
              "ACCURACY_TARGET")


def file_for(case: Case, sought: Sequence[str], machine: Machine, python: Path) -> Path:
    """Named by everything that decides which point is the best, but for the ``sought`` of ``NAMES``."""
    topology = machine.topology
    facts: dict[str, Any] = {name: text for name, text in case.texts().items() if name not in (*_NO_MATTER, *sought)}
    # A new commit need not change a speed, and a search takes minutes: what was found holds until a package changes.
    software = {name: version for name, version in host.software_record(python).items() if not name.startswith("git_")}
    facts |= {"cpu": machine.cpu.name, "cores": topology.core_count, "socket": topology.cores_per_socket,
              "software": software}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return user_cache.models() / "best" / f"{case.precision}_{case.mode}-{digest[:16]}.json"


def read(path: Path) -> dict[str, Any]:
    """What is remembered; nothing where that cannot be read: then it is found again."""
    try:
        known = json.loads(path.read_text())
        return known if all(int(known[name]) > 0 for name in NAMES) and known["found_at"] else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def write(path: Path, outcome: Outcome) -> dict[str, Any]:
    """Remember the best point of ``outcome``, which has one. Raises Infrastructure where that cannot be written."""
    batch, cores = outcome.best or (0, 0)
    found = {"BATCH_SIZE": batch, "CORES_PER_INSTANCE": cores, "value": outcome.value((batch, cores))[0],
             "unit": KPI[outcome.cases[batch, cores].mode][0], "points": len(outcome.runs),
             "found_at": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    make_folder(path.parent)
    write_json(path, found)
    return found


def make_folder(folder: Path) -> None:
    """Raises Infrastructure where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"{folder} cannot be made ({error.strerror}); set RESNET50_BENCH_CACHE to a folder that "
                             "can be written") from error
