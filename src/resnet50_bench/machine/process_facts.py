"""/proc below a root folder -> what a process is, and what a worker process found out about itself; read-only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files import read_text
from .topology import known_cpulist, numbers

#: (name, cpus that it may run on) of a thread.
Mask = tuple[str, frozenset[int]]
#: A thread computes from this share of the busiest one's time on; those that wait, talk or start others take far less.
COMPUTING_SHARE = 0.2


def stat_fields(folder: Path) -> list[str]:
    """The words of ``folder``/stat behind the name, from field 3 of proc(5) on; empty where there is no process."""
    return (read_text(folder / "stat") or "").rpartition(")")[2].split()


def start_ticks(pid: int, root: Path = Path("/")) -> int | None:
    """When the process started, in clock ticks since boot (field 22); None where none runs."""
    fields = stat_fields(root / f"proc/{pid}")
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def boot_id() -> str:
    """The kernel's name for the time since it was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def schedstat(task: Path) -> tuple[float, float]:
    """Seconds (on a cpu, waiting for one) of a thread; Documentation/scheduler/sched-stats.rst."""
    fields = numbers((read_text(task / "schedstat") or "").split())
    return (fields[0] / 1e9, fields[1] / 1e9) if fields and len(fields) == 3 else (0.0, 0.0)


def allocator(root: Path = Path("/")) -> str:
    """Which memory allocator is truly mapped into this process."""
    maps = (root / "proc/self/maps").read_text(errors="replace")
    return next((name for name in ("jemalloc", "tcmalloc") if f"lib{name}" in maps), "default")


def local_memory(nodes: Iterable[int | None], root: Path = Path("/")) -> float | None:
    """Share of this process's anonymous pages that lie on ``nodes``; None where nobody asked for a node."""
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
    """``rss_bytes`` and ``pss_bytes`` (shared pages divided among their users) of this process."""
    try:
        text = (root / "proc/self/smaps_rollup").read_text()
    except OSError:
        return {}
    return {f"{name.lower()}_bytes": int(kilobytes) * 1024
            for name, kilobytes in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.M)}


def thread_masks(root: Path = Path("/")) -> dict[int, Mask]:
    """This process's threads by their number; one that ends meanwhile, or whose cpus are not known, is left out."""
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
    """How long each of this process's threads has been on a cpu, by its number; 0 where the kernel does not count."""
    return {int(task.name): schedstat(task)[0] for task in (root / "proc/self/task").iterdir()}


def computing_cpus(masks: Mapping[int, Mask], before: Mapping[int, float], after: Mapping[int, float],
                   own: Iterable[int]) -> list[list[int]]:
    """Of each thread that computed between two readings of ``thread_seconds``, the cpus that it may run on.

    Only of those bound inside an instance's ``own`` cpus; empty where nothing was counted.
    """
    inside = frozenset(own)
    spent = {thread: after.get(thread, 0.0) - before.get(thread, 0.0) for thread, (_, cpus) in masks.items()
             if cpus <= inside}
    least = COMPUTING_SHARE * max((0.0, *spent.values()))
    return sorted(sorted(masks[thread][1]) for thread, seconds in spent.items() if seconds > least)


def observed_cpus(masks: Mapping[int, Mask], own: Iterable[int], process: Iterable[int],
                  loaders: Iterable[int] = ()) -> tuple[int, ...]:
    """The cpus that an instance's threads may run on: of those bound inside its ``own`` cpus and of those that left.

    ``process`` are the cpus of all instances of this process, ``loaders`` those of its decoders. A thread that may
    run outside both has left. jemalloc's own threads start before the process is pinned, keep the launcher's mask and
    compute nothing: they are not counted.
    """
    inside, allowed = frozenset(own), frozenset(process) | frozenset(own) | frozenset(loaders)
    return tuple(sorted(frozenset().union(*(
        cpus for name, cpus in masks.values()
        if cpus <= inside or not (cpus <= allowed or name.startswith("jemalloc"))))))
