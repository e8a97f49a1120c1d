"""A Case + the machine -> the file that remembers the best batch size and cores, and what stands in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from ..case.case import AnyCase
from ..case.defaults import Machine
from ..case.parameters import Role, having
from ..errors import Infrastructure
from ..files import write_json
from ..launch import versions
from ..stack import user_cache
from .known_points import KnownPoints

#: Effort and names do not change which point is the best.
_NO_MATTER = (*having(Role.EFFORT), "CASE_TYPE", "PLATFORM")


class BestPoint(msgspec.Struct, frozen=True):
    """The best of ``points`` points, found on the day ``found_at``; ``value`` is in ``unit``."""

    batch_size: int = msgspec.field(name="BATCH_SIZE")
    cores_per_instance: int = msgspec.field(name="CORES_PER_INSTANCE")
    value: float
    unit: str
    points: int
    found_at: str

    @property
    def numbers(self) -> dict[str, int]:
        """By the parameters' names."""
        return {"BATCH_SIZE": self.batch_size, "CORES_PER_INSTANCE": self.cores_per_instance}


def file_for(case: AnyCase, sought: Sequence[str], machine: Machine, python: Path) -> Path:
    """Named by everything that decides which point is the best, but for those ``sought``."""
    topology = machine.topology
    facts: dict[str, object] = {name: text for name, text in case.texts().items() if name not in (*_NO_MATTER, *sought)}
    # A new commit need not change a speed, and a search takes minutes: a finding is valid until a package changes.
    software = {name: version for name, version in versions.software_record(python).items()
                if not name.startswith("git_")}
    facts |= {"cpu": machine.cpu.name, "cores": topology.core_count, "socket": topology.cores_per_socket,
              "software": software}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return user_cache.models() / "best" / f"{case.precision}_{case.mode}-{digest[:16]}.json"


def read(path: Path) -> BestPoint | None:
    """What is remembered; None where that cannot be read: then it is found again."""
    try:
        point = msgspec.json.decode(path.read_bytes(), type=BestPoint)
    except (OSError, ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        return None
    return point if min(point.batch_size, point.cores_per_instance) > 0 and point.found_at else None


def write(path: Path, points: KnownPoints) -> BestPoint:
    """Remember the best of ``points``, which have one. Raises Infrastructure where that cannot be written."""
    if points.best is None:
        raise ValueError("no best point")
    batch, cores = points.best
    best = BestPoint(batch, cores, points.value(points.best)[0], points.unit, len(points.runs),
                     f"{datetime.now(timezone.utc):%Y-%m-%d}")
    make_folder(path.parent)
    write_json(path, msgspec.to_builtins(best))
    return best


def make_folder(folder: Path) -> None:
    """Raises Infrastructure where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"{folder} cannot be made ({error.strerror}); set RESNET50_BENCH_CACHE to a folder that "
                             "can be written") from error
