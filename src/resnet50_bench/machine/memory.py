"""/proc/meminfo, the cgroups and /sys below a root folder -> free memory, last-level caches, and the size of arrays
that exceed the caches; read-only."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from ..files import read_text
from .topology import cgroup_folders, known_cpulist, number

#: Files of (limit, use, reclaimable part of the use), of cgroup v2 and v1.
_FILES = (("memory.max", "memory.current", "inactive_file"),
          ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
#: STREAM's rule: each array at least four times the sum of the last-level caches used (McCalpin, stream.c).
_TIMES = 4
#: If the caches are unknown: more than the share of the last-level cache of a few cores.
DEFAULT_FLOATS = 16 * 2**20
_UNITS = {"K": 2**10, "M": 2**20}


def free_bytes(root: Path = Path("/")) -> int | None:
    """Available bytes by the kernel, or what the tightest cgroup above leaves if that is less. None: unknown."""
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
    """Bytes of each last-level cache, by the cpus that share it. {} if the kernel does not show caches."""
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
    """Floats in each array of an instance on ``cpus``. All instances use ``used``. None if caches are unknown.

    Each cache is divided among its instances by their cpus. Together they stream over four times its size.
    """
    mine, everyone, total = set(cpus), set(used), 0.0
    for shared, size in last_level(root).items():
        if busy := len(everyone & set(shared)):
            total += _TIMES * size * len(mine & set(shared)) / busy
    return -(-int(total) // 4) or None


def affordable(floats: int | None, instances: int, root: Path = Path("/")) -> int:
    """``floats`` (None: DEFAULT_FLOATS), or 0 if that needs too much memory.

    Too much means that the three arrays of all instances take more than 1/8 of the free memory. A container's
    limit counts. A bandwidth figure is not worth a run that ends out of memory.
    """
    free = free_bytes(root)
    floats = DEFAULT_FLOATS if floats is None else floats
    needed = 3 * 4 * floats * instances
    return 0 if free is not None and needed > free / 8 else floats
