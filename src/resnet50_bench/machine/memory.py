"""/proc/meminfo and the cgroups below a root folder -> the memory that is free for a run; read-only."""

from __future__ import annotations

import re
from pathlib import Path

from ..files import read_text
from . import cgroup
from .topology import number

#: (limit, use, what of the use the kernel gives back for the asking), of version 2 and of version 1.
_FILES = (("memory.max", "memory.current", "inactive_file"),
          ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))


def free_bytes(root: Path = Path("/")) -> int | None:
    """What the kernel says is available, or what a cgroup on the way up leaves where that is less; None: unknown."""
    free = [kilobytes * 1024 for line in (read_text(root / "proc/meminfo") or "").splitlines()
            if line.startswith("MemAvailable:")
            and (kilobytes := number(line.partition(":")[2].removesuffix("kB"))) is not None]
    for folder in cgroup.folders(root, "memory"):
        free += [left for files in _FILES if (left := _left(folder, *files)) is not None]
    return min(free, default=None)


def _left(folder: Path, limit: str, use: str, cached: str) -> int | None:
    most, used = (number((read_text(folder / name) or "").strip()) for name in (limit, use))
    if most is None:
        return None
    found = re.search(rf"^{cached} (\d+)$", read_text(folder / "memory.stat") or "", re.M)
    return max(0, most - (used or 0) + (int(found[1]) if found else 0))
