"""/sys, /proc, the affinity mask and the cgroup -> the cores that this process may use; read-only.

A core counts only if it is in the affinity mask and in the cgroup's cpuset. The kernel's mask has online cpus only. A
container's view of /sys may list others. A CPU quota lowers the number of cores that may be busy at once. File
formats: Linux
``Documentation/ABI/stable/sysfs-devices-system-cpu`` and ``Documentation/admin-guide/cgroup-v2.rst``.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Infrastructure
from ..files import read_text

#: The core kinds of a hybrid CPU.
PERFORMANCE, EFFICIENCY = "performance", "efficiency"
#: A core below this share of the fastest core's clock or capacity is of another kind. Favoured cores of one kind
#: differ by 5 % (Xeon W); Zen 4c has 0.69 of Zen 4's clock, an E core about 0.75 of a P core's.
_LEAST_ALIKE = 0.85


@dataclass(frozen=True)
class Core:
    """One physical core. ``cpus`` are its SMT siblings that this process may use, lowest first.

    ``siblings`` are the core's other online cpus, which only other processes may use. ``kind`` is "" if all cores are
    alike or the kernel does not tell.
    """

    socket: int
    node: int
    core_id: int
    cpus: tuple[int, ...]
    siblings: tuple[int, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Topology:
    """The usable part of the machine, part of every result. Cores are sorted by socket, NUMA node, cpu number.

    Cpus are the kernel's lists (``0-2,8``). ``memory_nodes`` are the NUMA nodes with memory that this process may use.
    ``quota_cpus`` is the cgroup's quota in CPUs, None without quota. ``core_count`` cores may be busy at once: one with
    a quota of 1.5 CPUs. ``merged_sockets`` is the number of sockets shown by a hypervisor, one for each core, that are
    treated as one.
    """

    cores: tuple[Core, ...] = ()
    online_cpus: str = ""
    allowed_cpus: str = ""
    nodes: tuple[int, ...] = ()
    memory_nodes: tuple[int, ...] = ()
    quota_cpus: float | None = None
    core_count: int = 0
    smt: bool = False
    merged_sockets: int = 0

    @property
    def usable_cores(self) -> tuple[Core, ...]:
        """The first ``core_count`` cores."""
        return self.cores[:self.core_count]

    @property
    def cores_per_socket(self) -> int:
        """Usable cores of the largest socket."""
        return max(Counter(core.socket for core in self.usable_cores).values())

    def why_cpus_lack(self) -> str:
        """A text on the online cpus that the affinity mask or cpuset leaves, "" if it leaves all."""
        allowed, online = (len(parse_cpulist(cpus)) for cpus in (self.allowed_cpus, self.online_cpus))
        return f"{allowed} of {online} cpus ({self.allowed_cpus})" if allowed < online else ""

    def why_fewer(self) -> str:
        """The reason for fewer cores than the machine has, as the end of a sentence, else ""."""
        allowed = self.why_cpus_lack()
        return (f"; the affinity mask or cpuset allows {allowed}" if allowed else "") + (
            f"; the cgroup's quota is {self.quota_cpus:g} CPUs" if self.core_count < len(self.cores) else "")


def parse_cpulist(text: str) -> tuple[int, ...]:
    """``0-2,8`` -> (0, 1, 2, 8); the kernel's syntax."""
    numbers: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def known_cpulist(text: str) -> tuple[int, ...]:
    """``parse_cpulist`` of a kernel file's text. Empty if the file is missing or not a list."""
    try:
        return parse_cpulist(text)
    except ValueError:
        return ()


def number(text: str | None) -> int | None:
    """A kernel file's text as a whole number. None if it is not one, or there is no text."""
    try:
        return int(text or "")
    except ValueError:
        return None


def numbers(words: Iterable[str]) -> list[int] | None:
    """The words of a kernel file as whole numbers. None if one is not a number."""
    try:
        return [int(word) for word in words]
    except ValueError:
        return None


def spans(cpus: Iterable[int]) -> list[tuple[int, int]]:
    """The first and last cpu of each consecutive range."""
    runs: list[tuple[int, int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], cpu)
        else:
            runs.append((cpu, cpu))
    return runs


def format_cpulist(cpus: Iterable[int]) -> str:
    """(0, 1, 2, 8) -> ``0-2,8``."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans(cpus))


def cgroup_folders(root: Path, controller: str) -> list[Path]:
    """The folders of this process's cgroup for ``controller`` and its ancestors, own first. Empty if none is visible.

    Prefers a v1 hierarchy with the controller to v2. Inside a cgroup namespace /proc has the outer path and the mount
    shows the inner view: if the path does not exist below the mount, the mount is this process's own folder.
    """
    top, listing = root / "sys/fs/cgroup", root / "proc/self/cgroup"
    text = os.fsdecode(listing.read_bytes()) if listing.exists() else ""
    lines = [line.split(":", 2) for line in text.splitlines() if line.count(":") > 1]
    places = [(top / controller, path) for _, names, path in lines
              if controller in names.split(",") and (top / controller).is_dir()]
    places += [(top, path) for _, names, path in lines if not names and (top / "cgroup.controllers").exists()]
    for mount, path in places[:1]:
        folder = mount / path.lstrip("/")
        folder = folder if folder.is_dir() else mount
        return [place for place in (folder, *folder.parents) if place.is_relative_to(mount) and place.is_dir()]
    return []


def read_topology(root: Path = Path("/"), affinity: Iterable[int] | None = None) -> Topology:
    """Read the usable topology. ``affinity`` is the process's mask; by default all online cpus if ``root`` is not /.

    A file that is missing or not in the kernel's format means unknown.
    Raises Infrastructure if no cpu is left.
    """
    cpus = root / "sys/devices/system/cpu"
    listed = _list(cpus / "online") or tuple(sorted(
        int(path.name[3:]) for path in cpus.glob("cpu[0-9]*")))
    if affinity is None:
        affinity = os.sched_getaffinity(0) if root == Path("/") else listed
    # Inside LXC the file may say 0 while the mask allows 24 cpus.
    online = tuple(sorted({*listed, *affinity}))
    allowed = tuple(sorted(set(affinity) & set(_cpuset(root) or affinity)))
    if not allowed:
        raise Infrastructure(
            f"no cpu may be used: the affinity mask is {format_cpulist(affinity) or 'empty'}, and the cgroup's cpuset "
            "has none of it; run in a cgroup and with a mask (taskset -p) that share cpus")
    node_of = {cpu: int(path.name[4:]) for path in (root / "sys/devices/system/node").glob("node[0-9]*")
               for cpu in _list(path / "cpulist")}
    kinds = _kinds(root, allowed)
    cores = sorted({_core(cpus, cpu, node_of, allowed, online, kinds) for cpu in allowed},
                   key=lambda core: (core.socket, core.node, core.cpus))
    merged = _merged_sockets(root, cores)
    if merged:
        cores = [replace(core, socket=0) for core in cores]
    quota = _quota(root)
    return Topology(
        cores=tuple(cores), online_cpus=format_cpulist(online), allowed_cpus=format_cpulist(allowed),
        nodes=tuple(sorted({core.node for core in cores})), memory_nodes=_memory_nodes(root), quota_cpus=quota,
        core_count=len(cores) if quota is None else max(1, min(len(cores), math.floor(quota))),
        smt=any(len(_siblings(cpus, cpu)) > 1 for cpu in online), merged_sockets=merged)


def _list(path: Path) -> tuple[int, ...]:
    return known_cpulist(read_text(path) or "")


def _siblings(cpus: Path, cpu: int) -> tuple[int, ...]:
    folder = cpus / f"cpu{cpu}" / "topology"
    return _list(folder / "core_cpus_list") or _list(folder / "thread_siblings_list") or (cpu,)


def _core(cpus: Path, cpu: int, node_of: dict[int, int], allowed: tuple[int, ...],
          online: tuple[int, ...], kinds: Mapping[int, str]) -> Core:
    folder = cpus / f"cpu{cpu}" / "topology"
    threads = _siblings(cpus, cpu)
    core_id = number(read_text(folder / "core_id"))
    # Some virtual machines report -1 for a package that they do not know.
    return Core(socket=max(0, number(read_text(folder / "physical_package_id")) or 0), node=node_of.get(cpu, 0),
                core_id=cpu if core_id is None else core_id, kind=kinds.get(cpu, ""),
                cpus=tuple(thread for thread in threads if thread in allowed),
                siblings=tuple(thread for thread in threads if thread in online and thread not in allowed))


def _merged_sockets(root: Path, cores: Sequence[Core]) -> int:
    """The number of sockets invented by a hypervisor: of one core each, in one NUMA node. Else 0.

    Many hypervisors show each virtual CPU as a socket, regardless of the real caches and memory.
    """
    sockets = {core.socket for core in cores}
    alone = len(sockets) == len(cores) > 1 and len({core.node for core in cores}) == 1
    virtual = alone and re.search(r"^flags\s*:.*\bhypervisor\b", read_text(root / "proc/cpuinfo") or "", re.M)
    return len(sockets) if virtual else 0


def _kinds(root: Path, cpus: tuple[int, ...]) -> dict[int, str]:
    """The kind of each cpu. Empty if all are alike or the kernel does not tell.

    Linux's perf names the kinds of an Intel hybrid CPU. On others ``cpu_capacity`` or the maximum clock differ.
    """
    devices = root / "sys/devices"
    kinds = {cpu: kind for folder, kind in (("cpu_core", PERFORMANCE), ("cpu_atom", EFFICIENCY))
             for cpu in _list(devices / folder / "cpus") if cpu in cpus}
    for file in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        figures = {cpu: number(read_text(devices / f"system/cpu/cpu{cpu}" / file)) or 0 for cpu in cpus}
        least = _LEAST_ALIKE * max(figures.values())
        kinds = kinds or {cpu: PERFORMANCE if figure >= least else EFFICIENCY
                          for cpu, figure in figures.items() if figure}
    return kinds if len(set(kinds.values())) > 1 else {}


def _memory_nodes(root: Path) -> tuple[int, ...]:
    """Nodes with memory, without those that this process's cpuset excludes."""
    with_memory = set(_list(root / "sys/devices/system/node/has_memory")) or {0}
    for line in (read_text(root / "proc/self/status") or "").splitlines():
        if line.startswith("Mems_allowed_list:"):
            with_memory &= set(known_cpulist(line.partition(":")[2])) or with_memory
    return tuple(sorted(with_memory))


def _cpuset(root: Path) -> tuple[int, ...]:
    """The cgroup's cpus. Empty if it does not limit them."""
    for folder in cgroup_folders(root, "cpuset"):
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
            if cpus := _list(folder / name):
                return cpus
    return ()


def _quota(root: Path) -> float | None:
    """The smallest quota of the cgroup and its ancestors, in CPUs."""
    limits = []
    for folder in cgroup_folders(root, "cpu"):
        maximum, _, period = (read_text(folder / "cpu.max") or "").partition(" ")
        if not maximum:
            maximum, period = (read_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period"))
        most, period_us = number(maximum), number(period)
        if most is not None and most >= 0 and period_us is not None and period_us > 0:
            limits.append(most / period_us)
    return min(limits, default=None)
