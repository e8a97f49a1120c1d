"""/proc below a root folder -> facts of a process, and of a worker process about itself; read-only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files import read_text
from .topology import known_cpulist, numbers

#: (name, cpus that it may run on) of a thread.
Mask = tuple[str, frozenset[int]]
#: A thread counts as computing from this share of the busiest thread's time. Other threads take far less.
COMPUTING_SHARE = 0.2


def stat_fields(folder: Path) -> list[str]:
    """The words of ``folder``/stat after the name, from field 3 of proc(5) on. Empty if there is no process."""
    return (read_text(folder / "stat") or "").rpartition(")")[2].split()


def start_ticks(pid: int, root: Path = Path("/")) -> int | None:
    """The process's start in clock ticks since boot (field 22). None if it does not run."""
    fields = stat_fields(root / f"proc/{pid}")
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def boot_id() -> str:
    """The kernel's random id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def schedstat(task: Path) -> tuple[float, float]:
    """Seconds of a thread (on a cpu, waiting for one). Source: Documentation/scheduler/sched-stats.rst."""
    fields = numbers((read_text(task / "schedstat") or "").split())
    return (fields[0] / 1e9, fields[1] / 1e9) if fields and len(fields) == 3 else (0.0, 0.0)


def allocator(root: Path = Path("/")) -> str:
    """The memory allocator that is mapped into this process."""
    maps = (root / "proc/self/maps").read_text(errors="replace")
    return next((name for name in ("jemalloc", "tcmalloc") if f"lib{name}" in maps), "default")


def local_memory(nodes: Iterable[int | None], root: Path = Path("/")) -> float | None:
    """The share of this process's anonymous pages on ``nodes``. None if no node is given."""
    wanted = {node for node in nodes if node is not None}
    try:
        lines = (root / "proc/self/numa_maps").read_text(errors="replace").splitlines()
    except OSError:
        return None
    on_node: dict[int, int] = {}
    for line in lines:
        if "anon=" in line:
            for node, pages in re.findall(r"\bN(\d+)=(\d+)", line):
                on_node[int(node)] = on_node.get(int(node), 0) + int(pages)
    total = sum(on_node.values())
    if not wanted or not total:
        return None
    return sum(pages for node, pages in on_node.items() if node in wanted) / total


def memory(root: Path = Path("/")) -> dict[str, int]:
    """This process's ``rss_bytes`` and ``pss_bytes`` (shared pages divided among their users)."""
    try:
        text = (root / "proc/self/smaps_rollup").read_text()
    except OSError:
        return {}
    return {f"{name.lower()}_bytes": int(kilobytes) * 1024
            for name, kilobytes in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.M)}


def thread_masks(root: Path = Path("/")) -> dict[int, Mask]:
    """This process's threads by id. Leaves out a thread that ends meanwhile or whose cpus are unknown."""
    found: dict[int, Mask] = {}
    for task in (root / "proc/self/task").iterdir():
        try:
            text = (task / "status").read_text(errors="replace")
        except OSError:
            continue
        name = re.search(r"^Name:\t(.*)$", text, re.M)
        cpus = re.search(r"^Cpus_allowed_list:\s*(\S+)$", text, re.M)
        if cpus and (mask := known_cpulist(cpus.group(1))):
            found[int(task.name)] = (name.group(1) if name else "", frozenset(mask))
    return found


def thread_seconds(root: Path = Path("/")) -> dict[int, float]:
    """CPU seconds of each of this process's threads, by id. 0 if the kernel does not count them."""
    return {int(task.name): schedstat(task)[0] for task in (root / "proc/self/task").iterdir()}


def computing_cpus(masks: Mapping[int, Mask], before: Mapping[int, float], after: Mapping[int, float],
                   own: Iterable[int]) -> list[list[int]]:
    """The allowed cpus of each thread that computed between two readings of ``thread_seconds``.

    Includes only threads bound inside an instance's ``own`` cpus. Empty if nothing was counted.
    """
    inside = frozenset(own)
    spent = {thread: after.get(thread, 0.0) - before.get(thread, 0.0) for thread, (_, cpus) in masks.items()
             if cpus <= inside}
    least = COMPUTING_SHARE * max((0.0, *spent.values()))
    return sorted(sorted(masks[thread][1]) for thread, seconds in spent.items() if seconds > least)


def observed_cpus(masks: Mapping[int, Mask], own: Iterable[int], process: Iterable[int],
                  loaders: Iterable[int] = ()) -> tuple[int, ...]:
    """The allowed cpus of an instance's threads: those bound inside its ``own`` cpus, and strays.

    ``process`` are the cpus of all instances of this process, ``loaders`` those of its decoders. A stray may run
    outside both. jemalloc's own threads are not counted: they start before the process is pinned, keep the launcher's
    mask and compute nothing.
    """
    inside, allowed = frozenset(own), frozenset(process) | frozenset(own) | frozenset(loaders)
    return tuple(sorted(frozenset().union(*(
        cpus for name, cpus in masks.values()
        if cpus <= inside or not (cpus <= allowed or name.startswith("jemalloc"))))))
