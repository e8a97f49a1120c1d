"""/proc/meminfo and the cgroup below a root folder -> the memory that is free for a run; read-only."""

from __future__ import annotations

from pathlib import Path

from ..files import read_text
from . import cgroup
from .topology import number


def free_bytes(root: Path = Path("/")) -> int | None:
    """What the kernel says is available, or a container's limit where that is less; None where neither is shown."""
    free = [kilobytes * 1024 for line in (read_text(root / "proc/meminfo") or "").splitlines()
            if line.startswith("MemAvailable:")
            and (kilobytes := number(line.partition(":")[2].removesuffix("kB"))) is not None]
    for folder in cgroup.folders(root, "memory")[:1]:
        free += [int(text) for name in ("memory.max", "memory.limit_in_bytes")
                 if (text := (read_text(folder / name) or "")).isdigit()]
    return min(free, default=None)
