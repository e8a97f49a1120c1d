"""The machine's present state -> checks before a run (``--doctor``); read-only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ...files import read_text
from ...machine import counters
from ...machine.counters import Counters
from ...machine.cpu import AMX_REMEDY, Cpu, read_cpu
from ...machine.topology import Topology, parse_cpulist, read_topology
from ..records import Check, Verdict
from .base import judge, of_machine, unknown
from .window import MOST_STEAL

#: More runnable threads than this share of the cores disturb the instances.
MOST_LOAD = 0.2
_LOOK_S = 1.0


def run_all(libraries: Mapping[str, str], root: Path = Path("/")) -> list[Check]:
    """Run every check. Observes the machine for one second."""
    topology, cpu = read_topology(root), read_cpu(root)
    before = counters.snapshot([], root)
    if root == Path("/"):
        time.sleep(_LOOK_S)
    gained = counters.difference(before, counters.snapshot([], root))
    return of_machine((
        _isa(cpu), _amx(cpu), _governor(root), _turbo(root), _thp(root), _numa_balancing(root, topology),
        _swap(root), _quota(topology), _allocator(libraries), _numactl(libraries, topology), _load(root, topology),
        _steal(gained), _temperature(gained), _virtual(cpu)))


def _isa(cpu: Cpu) -> Check:
    widest = next((flag for flag in ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
                   if flag in cpu.flags), "none")
    return judge("instruction set", widest, widest in ("none", "avx2"), Verdict.NOTE,
                 "no AVX-512: only the avx2_* precisions run here")


def _amx(cpu: Cpu) -> Check:
    if "amx_tile" not in cpu.flags and not cpu.amx_refused:
        return unknown("AMX", "this CPU has none")
    return judge("AMX", cpu.amx_refused or "usable", bool(cpu.amx_refused), Verdict.INVALID,
                 "AMX is advertised but not usable", AMX_REMEDY)


def _governor(root: Path) -> Check:
    governors = {text for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
                 if (text := read_text(path))}
    if not governors:
        return unknown("governor", "cpufreq is not available on this machine (common in VMs)")
    return judge("governor", ", ".join(sorted(governors)), governors != {"performance"}, Verdict.NOTE,
                 "the clock may change with the load", "as root: cpupower frequency-set -g performance")


def _turbo(root: Path) -> Check:
    cpus = root / "sys/devices/system/cpu"
    no_turbo, boost = read_text(cpus / "intel_pstate/no_turbo"), read_text(cpus / "cpufreq/boost")
    if no_turbo is None and boost is None:
        return unknown("turbo", "not available on this machine (common in VMs)")
    on = no_turbo == "0" if no_turbo is not None else boost == "1"
    return Check("turbo", "on" if on else "off", Verdict.OK)


def _thp(root: Path) -> Check:
    text = read_text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    if text is None:
        return unknown("transparent huge pages", "the kernel does not show them")
    chosen = text.partition("[")[2].partition("]")[0]
    # Measured with madvise: 0 of 768 MB in huge pages, and 258 MB with THP_MEM_ALLOC_ENABLE=1, which torch reads.
    allow = "" if chosen == "madvise" else "as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled; then "
    return judge("transparent huge pages", chosen, chosen in ("never", "madvise"),
                 Verdict.NOTE, "activations use 4 KiB pages" + ("" if chosen == "never" else
                                                                    ": huge pages are used only on request"),
                 f"{allow}CUSTOMER_ENV=THP_MEM_ALLOC_ENABLE=1")


def _numa_balancing(root: Path, topology: Topology) -> Check:
    text = read_text(root / "proc/sys/kernel/numa_balancing")
    if text is None:
        return unknown("NUMA balancing", "the kernel does not show it")
    return judge("NUMA balancing", text, text != "0" and len(topology.nodes) > 1, Verdict.NOTE,
                 "Linux moves pages and unmaps them to learn who uses them",
                 "as root: sysctl kernel.numa_balancing=0")


def _swap(root: Path) -> Check:
    lines = (read_text(root / "proc/swaps") or "").splitlines()[1:]
    used = sum(int(line.split()[3]) for line in lines)
    return judge("swap", f"{used // 1024} MiB in use", used > 0, Verdict.NOTE, "memory was swapped out",
                 "free memory; as root: swapoff -a && swapon -a")


def _quota(topology: Topology) -> Check:
    quota = topology.quota_cpus
    return judge("CPU quota", "none" if quota is None else f"{quota:g} CPUs", quota is not None, Verdict.NOTE,
                 f"only {topology.core_count} cores are used so that the quota does not stop them",
                 "give whole cpus instead of a quota (docker: --cpuset-cpus, not --cpus)")


def _allocator(libraries: Mapping[str, str]) -> Check:
    name = next((name for name in ("jemalloc", "tcmalloc") if name in libraries), "default")
    return judge("allocator", name, name != "jemalloc", Verdict.NOTE,
                 "without jemalloc bf16 and int8 can be a third slower", "install libjemalloc2 (Debian, Ubuntu)")


def _numactl(libraries: Mapping[str, str], topology: Topology) -> Check:
    is_there = "numactl" in libraries
    return judge("numactl", "found" if is_there else "not found", not is_there and len(topology.nodes) > 1,
                 Verdict.NOTE, "memory may be on another NUMA node", "install numactl")


def _load(root: Path, topology: Topology) -> Check:
    text = read_text(root / "proc/loadavg")
    if text is None:
        return unknown("other load", "/proc/loadavg is not readable")
    running = int(text.split()[3].split("/")[0]) - (1 if root == Path("/") else 0)  # excluding this process
    share = running / max(1, len(parse_cpulist(topology.allowed_cpus)))
    return judge("other load", f"{running} runnable threads", share > MOST_LOAD, Verdict.NOISY,
                 "other programs run on this machine", "stop them first (see top)")


def _steal(gained: Counters) -> Check:
    times = gained.cpu_s.get("all")
    if not times:
        return unknown("steal time", "/proc/stat is not readable")
    share = times["steal"] / max(1e-9, sum(times.values()))
    return judge("steal time", f"{100 * share:.2f} %", share >= MOST_STEAL, Verdict.NOISY,
                 "the hypervisor gave the cores to another virtual machine", "use a dedicated or larger VM")


def _temperature(gained: Counters) -> Check:
    readings = gained.temperature_c.after if gained.temperature_c else None
    if not readings:
        return unknown("temperature", "this machine has no temperature sensors")
    hottest = max(readings, key=readings.__getitem__)
    return judge("temperature", f"{readings[hottest]:.0f} C ({hottest})", readings[hottest] >= 95, Verdict.NOTE,
                 "the CPU is about to slow itself down", "improve the cooling")


def _virtual(cpu: Cpu) -> Check:
    return judge("virtual machine", "yes" if "hypervisor" in cpu.flags else "no", "hypervisor" in cpu.flags,
                 Verdict.NOTE, "neighbours and the hypervisor can disturb a measurement",
                 "repeat with --loop; look at the steal time")
