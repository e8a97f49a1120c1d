"""/proc, /sys and the cgroup at two moments -> the change of the machine's counters between them; read-only.

A reading that is missing, or not in the kernel's format, is absent. Times are in seconds.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec
from msgspec.structs import asdict

from ..files import read_text
from .process_facts import schedstat, stat_fields
from .topology import cgroup_folders, number, numbers

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STAT_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_VMSTAT = ("pgmajfault", "pswpin", "pswpout", "numa_hint_faults", "numa_pages_migrated")
#: Seconds of a cpu in each state of /proc/stat.
CpuTimes = dict[str, float]
Number = TypeVar("Number", int, float)


class ProcessCounters(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Counters over all threads of a process. ``children_cpu_s`` is the CPU time of its own child processes."""

    cpu_s: float = 0.0
    run_queue_wait_s: float = 0.0
    involuntary_switches: int = 0
    voluntary_switches: int | None = None
    children_cpu_s: float = 0.0


class Texts(msgspec.Struct):
    """A kernel file's text at both moments."""

    before: str
    after: str


class Gauges(msgspec.Struct):
    """Readings by cpu or sensor at both moments."""

    before: dict[str, float]
    after: dict[str, float]


class Frequency(msgspec.Struct):
    """The used cpus' mean clock in MHz over the samples taken under load."""

    samples: int
    min_mhz: float
    median_mhz: float
    max_mhz: float


class Counters(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Increases between two moments, ``duration_s`` apart (0: nothing was measured). Cpus and process ids are text.

    A counter that this machine does not have is None or empty here, and absent in the file.
    """

    duration_s: float = 0.0
    clock_step_s: float = 0.0
    cpu_s: dict[str, CpuTimes] = {}
    vmstat: dict[str, int] = {}
    cgroup: dict[str, float] = {}
    pressure_s: dict[str, float] = {}
    throttle_count: dict[str, int] | None = None
    processes: dict[str, ProcessCounters] = {}
    cpu_mhz: Gauges | None = None
    temperature_c: Gauges | None = None
    online: Texts | None = None
    frequency: Frequency | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Every counter at one moment. A counter that this machine does not have is empty."""

    monotonic_s: float
    realtime_s: float
    cpu_s: dict[str, CpuTimes]
    vmstat: dict[str, int]
    cgroup: dict[str, float]
    pressure_s: dict[str, float]
    throttle_count: dict[str, int]
    processes: dict[str, ProcessCounters]
    cpu_mhz: dict[str, float]
    temperature_c: dict[str, float]
    online: str


def snapshot(pids: Iterable[int], root: Path = Path("/")) -> Snapshot:
    """Read every counter. ``pids`` are the processes that host instances."""
    cpus = root / "sys/devices/system/cpu"
    throttled = _figures(cpus, "cpu[0-9]*/thermal_throttle/*_throttle_count")
    kilohertz = _figures(cpus, "cpu[0-9]*/cpufreq/scaling_cur_freq")
    temperatures = _figures(root / "sys/class/hwmon", "hwmon*/temp*_input")
    return Snapshot(
        monotonic_s=time.monotonic(), realtime_s=time.time(), cpu_s=_cpu_times(root),
        vmstat={name: count for name, count in _pairs(root / "proc/vmstat").items() if name in _VMSTAT},
        cgroup=_cgroup_throttling(root), pressure_s=_pressure(root),
        throttle_count={f"{path.parts[-3]}/{path.name}": count for path, count in throttled.items()},
        processes={str(pid): process for pid in pids if (process := _process(root, pid))},
        cpu_mhz={path.parts[-3].removeprefix("cpu"): figure / 1000 for path, figure in kilohertz.items()},
        temperature_c={f"{path.parent.name}/{path.stem}": figure / 1000 for path, figure in temperatures.items()},
        online=read_text(cpus / "online") or "")


def oom_kills(root: Path = Path("/")) -> int:
    """The number of out-of-memory kills since boot, 0 if unknown."""
    return _pairs(root / "proc/vmstat").get("oom_kill", 0)


def difference(before: Snapshot, after: Snapshot) -> Counters:
    """The increase of the counters. Gauges (MHz, temperature, online cpus) keep both readings."""
    duration = after.monotonic_s - before.monotonic_s
    return Counters(
        duration_s=duration, clock_step_s=(after.realtime_s - before.realtime_s) - duration,
        cpu_s={cpu: _gained(before.cpu_s[cpu], times) for cpu, times in after.cpu_s.items() if cpu in before.cpu_s},
        vmstat=_gained(before.vmstat, after.vmstat), cgroup=_gained(before.cgroup, after.cgroup),
        pressure_s=_gained(before.pressure_s, after.pressure_s),
        throttle_count=_gained(before.throttle_count, after.throttle_count) or None,
        processes={pid: ProcessCounters(**_gained(asdict(before.processes[pid]), asdict(process)))
                   for pid, process in after.processes.items() if pid in before.processes},
        cpu_mhz=_both(before.cpu_mhz, after.cpu_mhz), temperature_c=_both(before.temperature_c, after.temperature_c),
        online=Texts(before.online, after.online) if before.online and after.online else None)


def _gained(before: Mapping[str, Number], after: Mapping[str, Number]) -> dict[str, Number]:
    return {key: value - before[key] for key, value in after.items() if key in before}


def _both(before: dict[str, float], after: dict[str, float]) -> Gauges | None:
    return Gauges(before, after) if before and after else None


def _pairs(path: Path) -> dict[str, int]:
    """Read a file with a name and a number in each line. Ignores other lines."""
    words = (line.split() for line in (read_text(path) or "").splitlines())
    return {pair[0]: value for pair in words if len(pair) == 2 and (value := number(pair[1])) is not None}


def _figures(folder: Path, pattern: str) -> dict[Path, int]:
    """The number in each file that matches ``pattern``."""
    return {path: figure for path in folder.glob(pattern) if (figure := number(read_text(path))) is not None}


def _cpu_times(root: Path) -> dict[str, dict[str, float]]:
    """Seconds in each state, by cpu number and for ``all``."""
    times = {}
    for line in (read_text(root / "proc/stat") or "").splitlines():
        name, *words = line.split() or [""]
        ticks = numbers(words)
        if name.startswith("cpu") and ticks is not None:
            times[name[3:] or "all"] = {field: spent / _TICKS_PER_S
                                        for field, spent in zip(_STAT_FIELDS, ticks, strict=False)}
    return times


def _pressure(root: Path) -> dict[str, float]:
    """Seconds in which some task waited for a resource (PSI ``some total``)."""
    waited = {}
    for resource in ("cpu", "memory", "io"):
        some = re.search(r"^some .*total=(\d+)$", read_text(root / "proc/pressure" / resource) or "", re.M)
        if some:
            waited[resource] = int(some[1]) / 1e6
    return waited


def _cgroup_throttling(root: Path) -> dict[str, float]:
    """Number of periods in which the quota stopped this cgroup, and the time. cgroup v1 counts nanoseconds."""
    figures = next((pairs for folder in cgroup_folders(root, "cpu") if (pairs := _pairs(folder / "cpu.stat"))), {})
    units = {"nr_throttled": ("throttled_periods", 1), "throttled_usec": ("throttled_s", 1e6),
             "throttled_time": ("throttled_s", 1e9)}
    return {name: figures[field] / unit for field, (name, unit) in units.items() if field in figures}


def _process(root: Path, pid: int | str) -> ProcessCounters | None:
    """CPU time, time runnable but waiting for a core, and context switches, over all threads.

    ``children_cpu_s`` is the CPU time of its own child processes (training's decoders), ended ones included.
    """
    folder = root / "proc" / str(pid)
    try:
        threads = list((folder / "task").iterdir())
    except OSError:
        return None
    # cutime and cstime (proc(5), fields 16 and 17) are of children that were waited for.
    totals = ProcessCounters(children_cpu_s=sum(numbers(stat_fields(folder)[13:15]) or ()) / _TICKS_PER_S)
    voluntary = 0
    for task in threads:
        on_cpu, waited = schedstat(task)
        totals.cpu_s += on_cpu
        totals.run_queue_wait_s += waited
        status = _pairs(task / "status")
        voluntary += status.get("voluntary_ctxt_switches:", 0)
        totals.involuntary_switches += status.get("nonvoluntary_ctxt_switches:", 0)
        for pid_of_child in (read_text(task / "children") or "").split():
            if child := _process(root, pid_of_child):
                totals.children_cpu_s += child.cpu_s + child.children_cpu_s
    totals.voluntary_switches = voluntary
    return totals


class FrequencySamples:
    """Samples of some cpus' clock frequencies under load. The caller chooses the moments."""

    def __init__(self, cpus: Iterable[int], root: Path = Path("/")) -> None:
        self._paths = [root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in cpus]
        self._means: list[float] = []

    def sample(self) -> None:
        """Read the frequencies once, without waiting. Does nothing without cpufreq."""
        clocks = [kilohertz / 1000 for path in self._paths if (kilohertz := number(read_text(path))) is not None]
        if clocks:
            self._means.append(sum(clocks) / len(clocks))

    def record(self) -> Frequency | None:
        """Statistics of the cpus' mean, or None without samples."""
        if not self._means:
            return None
        return Frequency(len(self._means), min(self._means), median(self._means), max(self._means))
