"""/sys below a root folder -> sizes of the last-level caches and the arrays that outgrow them; read-only."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from ..files import read_text
from .memory import free_bytes
from .topology import known_cpulist, number

#: STREAM's rule: each array at least four times the sum of the last-level caches used (McCalpin, stream.c).
_TIMES = 4
#: Where no cache is shown: beyond the share of the last-level cache that a few cores have.
DEFAULT_FLOATS = 16 * 2**20
_UNITS = {"K": 2**10, "M": 2**20}


@functools.cache
def last_level(root: Path = Path("/")) -> dict[tuple[int, ...], int]:
    """Bytes of each last-level cache by the cpus that share it; {} where the kernel does not show them."""
    found: dict[tuple[int, ...], int] = {}
    for cpu in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        levels = [(number(read_text(index / "level")) or 0, index) for index in (cpu / "cache").glob("index[0-9]*")]
        if levels:
            last = max(levels)[1]
            size, cpus = (read_text(last / "size") or ""), known_cpulist(read_text(last / "shared_cpu_list") or "")
            if size[:-1].isdigit() and size[-1] in _UNITS and cpus:
                found[cpus] = int(size[:-1]) * _UNITS[size[-1]]
    return found


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

