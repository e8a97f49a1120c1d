"""A Case + the machine -> the file that remembers the best batch size and cores, and what stands in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..case.case import AnyCase
from ..case.defaults import Machine
from ..errors import Infrastructure
from ..files import write_json
from ..machine import host
from ..stack import user_cache
from .known_points import KnownPoints

NAMES = ("BATCH_SIZE", "CORES_PER_INSTANCE")
#: How long and how strictly is measured, and names, do not change which point is the best.
_NO_MATTER = ("STEPS", "WARMUP_STEPS", "MIN_DURATION", "FAIL_ON_NOISY", "VERBOSE", "CASE_TYPE", "PLATFORM",
              "ACCURACY_TARGET")


@dataclass(frozen=True)
class BestPoint:
    """The best of ``points`` points, found on the day ``found_at``; ``value`` is in ``unit``."""

    batch_size: int
    cores_per_instance: int
    value: float
    unit: str
    points: int
    found_at: str

    @property
    def numbers(self) -> dict[str, int]:
        """By the parameters' names."""
        return {"BATCH_SIZE": self.batch_size, "CORES_PER_INSTANCE": self.cores_per_instance}


def file_for(case: AnyCase, sought: Sequence[str], machine: Machine, python: Path) -> Path:
    """Named by everything that decides which point is the best, but for the ``sought`` of ``NAMES``."""
    topology = machine.topology
    facts: dict[str, object] = {name: text for name, text in case.texts().items() if name not in (*_NO_MATTER, *sought)}
    # A new commit need not change a speed, and a search takes minutes: what was found holds until a package changes.
    software = {name: version for name, version in host.software_record(python).items() if not name.startswith("git_")}
    facts |= {"cpu": machine.cpu.name, "cores": topology.core_count, "socket": topology.cores_per_socket,
              "software": software}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return user_cache.models() / "best" / f"{case.precision}_{case.mode}-{digest[:16]}.json"


def read(path: Path) -> BestPoint | None:
    """What is remembered; None where that cannot be read: then it is found again."""
    try:
        known = json.loads(path.read_text())
        point = BestPoint(int(known["BATCH_SIZE"]), int(known["CORES_PER_INSTANCE"]), float(known["value"]),
                          str(known["unit"]), int(known["points"]), str(known["found_at"]))
        return point if min(point.batch_size, point.cores_per_instance) > 0 and point.found_at else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write(path: Path, points: KnownPoints) -> BestPoint:
    """Remember the best of ``points``, which have one. Raises Infrastructure where that cannot be written."""
    if points.best is None:
        raise ValueError("no best point")
    batch, cores = points.best
    best = BestPoint(batch, cores, points.value(points.best)[0], points.unit, len(points.runs),
                     f"{datetime.now(timezone.utc):%Y-%m-%d}")
    make_folder(path.parent)
    write_json(path, {**best.numbers, "value": best.value, "unit": best.unit, "points": best.points,
                      "found_at": best.found_at})
    return best


def make_folder(folder: Path) -> None:
    """Raises Infrastructure where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"{folder} cannot be made ({error.strerror}); set RESNET50_BENCH_CACHE to a folder that "
                             "can be written") from error
