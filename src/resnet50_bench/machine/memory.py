"""/proc/meminfo, the cgroups and /sys below a root folder -> free memory, the last-level caches and arrays that outgrow
them; read-only."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from ..files import read_text
from .topology import cgroup_folders, known_cpulist, number

#: (limit, use, what of the use the kernel gives back for the asking), of version 2 and of version 1.
_FILES = (("memory.max", "memory.current", "inactive_file"),
          ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
#: STREAM's rule: each array at least four times the sum of the last-level caches used (McCalpin, stream.c).
_TIMES = 4
#: Where no cache is shown: beyond the share of the last-level cache that a few cores have.
DEFAULT_FLOATS = 16 * 2**20
_UNITS = {"K": 2**10, "M": 2**20}


def free_bytes(root: Path = Path("/")) -> int | None:
    """What the kernel says is available, or what a cgroup on the way up leaves where that is less; None: unknown."""
    available = re.search(r"^MemAvailable:\s*(\d+) kB$", read_text(root / "proc/meminfo") or "", re.M)
    free = [int(available[1]) * 1024] if available else []
    for folder in cgroup_folders(root, "memory"):
        for limit, use, cached in _FILES:
            most, used = (number(read_text(folder / name)) for name in (limit, use))
            inactive = re.search(rf"^{cached} (\d+)$", read_text(folder / "memory.stat") or "", re.M)
            if most is not None:
                free.append(max(0, most - (used or 0) + (int(inactive[1]) if inactive else 0)))
    return min(free, default=None)


@functools.cache
def last_level(root: Path = Path("/")) -> dict[tuple[int, ...], int]:
    """Bytes of each last-level cache by the cpus that share it; {} where the kernel does not show them."""
    caches: dict[tuple[int, ...], int] = {}
    for cpu in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        levels = [(number(read_text(index / "level")) or 0, index) for index in (cpu / "cache").glob("index[0-9]*")]
        if levels:
            last = max(levels)[1]
            size, cpus = (read_text(last / "size") or ""), known_cpulist(read_text(last / "shared_cpu_list") or "")
            if size[:-1].isdigit() and size[-1] in _UNITS and cpus:
                caches[cpus] = int(size[:-1]) * _UNITS[size[-1]]
    return caches


def stream_floats(cpus: Iterable[int], used: Iterable[int], root: Path = Path("/")) -> int | None:
    """Floats an array of an instance on ``cpus`` where all instances use ``used``; None where no cache is shown.

    Each cache's share falls to the instances on it by their cpus, so that together they stream over four times it.
    """
    mine, everyone, total = set(cpus), set(used), 0.0
    for shared, size in last_level(root).items():
        if busy := len(everyone & set(shared)):
            total += _TIMES * size * len(mine & set(shared)) / busy
    return -(-int(total) // 4) or None


def affordable(floats: int | None, instances: int, root: Path = Path("/")) -> int:
    """``floats`` (DEFAULT_FLOATS where no cache is shown), or 0 where that is too much.

    Too much is where the three arrays of all instances would take more than an eighth of the free memory.
    A container's limit counts. A figure of bandwidth is not worth a run that ends out of memory.
    """
    free = free_bytes(root)
    floats = DEFAULT_FLOATS if floats is None else floats
    needed = 3 * 4 * floats * instances
    return 0 if free is not None and needed > free / 8 else floats
