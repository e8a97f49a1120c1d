"""/proc, /sys and the cgroup at two moments -> what happened on the machine between them; read-only.

Readings that this machine does not have, or has in a form that is not the kernel's, are absent, never invented.
Times are seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec

from ..files import read_text
from . import cgroup
from .topology import number

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STAT_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_VMSTAT = ("pgmajfault", "pswpin", "pswpout", "numa_hint_faults", "numa_pages_migrated")
#: Seconds that a cpu spent in each state of /proc/stat.
CpuTimes = dict[str, float]
Number = TypeVar("Number", int, float)


class ProcessCounters(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the threads of one process took; ``children_cpu_s`` is that of its own child processes."""

    cpu_s: float = 0.0
    run_queue_wait_s: float = 0.0
    involuntary_switches: int = 0
    voluntary_switches: int | None = None
    children_cpu_s: float = 0.0

    def since(self, before: ProcessCounters) -> ProcessCounters:
        """What was gained."""
        return ProcessCounters(
            cpu_s=self.cpu_s - before.cpu_s, run_queue_wait_s=self.run_queue_wait_s - before.run_queue_wait_s,
            involuntary_switches=self.involuntary_switches - before.involuntary_switches,
            voluntary_switches=(self.voluntary_switches or 0) - (before.voluntary_switches or 0),
            children_cpu_s=self.children_cpu_s - before.children_cpu_s)


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
    """Gained between the two moments, ``duration_s`` apart (0: nothing was measured). Cpus and process ids are text.

    What this machine does not show is None or empty here, and absent in the file.
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
    """Every counter at one moment; empty is what this machine does not show."""

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
    """Every counter now. ``pids`` are the processes that host instances."""
    return Snapshot(
        monotonic_s=time.monotonic(), realtime_s=time.time(),
        cpu_s=_cpu_times(root), vmstat=_vmstat(root), cgroup=_cgroup_throttling(root),
        pressure_s=_pressure(root), throttle_count=_thermal_throttling(root),
        processes={str(pid): process for pid in pids if (process := _process(root, pid))},
        cpu_mhz=_frequencies(root), temperature_c=_temperatures(root),
        online=read_text(root / "sys/devices/system/cpu/online") or "")


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes the out-of-memory killer ended since the start of the machine; 0 where unknown."""
    return _pairs(read_text(root / "proc/vmstat")).get("oom_kill", 0)


def difference(before: Snapshot, after: Snapshot) -> Counters:
    """What the counters gained; gauges (MHz, temperature, online cpus) keep both readings."""
    duration = after.monotonic_s - before.monotonic_s
    return Counters(
        duration_s=duration, clock_step_s=(after.realtime_s - before.realtime_s) - duration,
        cpu_s={cpu: _gained(before.cpu_s[cpu], times) for cpu, times in after.cpu_s.items() if cpu in before.cpu_s},
        vmstat=_gained(before.vmstat, after.vmstat), cgroup=_gained(before.cgroup, after.cgroup),
        pressure_s=_gained(before.pressure_s, after.pressure_s),
        throttle_count=_gained(before.throttle_count, after.throttle_count) or None,
        processes={pid: process.since(before.processes[pid]) for pid, process in after.processes.items()
                   if pid in before.processes},
        cpu_mhz=_both(before.cpu_mhz, after.cpu_mhz), temperature_c=_both(before.temperature_c, after.temperature_c),
        online=Texts(before.online, after.online) if before.online and after.online else None)


def _gained(before: Mapping[str, Number], after: Mapping[str, Number]) -> dict[str, Number]:
    return {key: value - before[key] for key, value in after.items() if key in before}


def _both(before: dict[str, float], after: dict[str, float]) -> Gauges | None:
    return Gauges(before, after) if before and after else None


def _pairs(text: str | None) -> dict[str, int]:
    """The numbers of a file with a name and a number in each line; lines of another form are left out."""
    words = (line.split() for line in (text or "").splitlines())
    return {pair[0]: value for pair in words if len(pair) == 2 and (value := number(pair[1])) is not None}


def _cpu_times(root: Path) -> dict[str, dict[str, float]]:
    """Seconds in each state by cpu number, and ``all``."""
    times = {}
    for line in (read_text(root / "proc/stat") or "").splitlines():
        name, *words = line.split() or [""]
        values = _numbers(words)
        if name.startswith("cpu") and values is not None:
            times[name[3:] or "all"] = {field: value / _TICKS_PER_S
                                        for field, value in zip(_STAT_FIELDS, values, strict=False)}
    return times


def _vmstat(root: Path) -> dict[str, int]:
    return {name: value for name, value in _pairs(read_text(root / "proc/vmstat")).items() if name in _VMSTAT}


def _pressure(root: Path) -> dict[str, float]:
    """Seconds that some task waited for a resource (PSI ``some total``)."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        text = read_text(root / "proc/pressure" / resource) or ""
        for line in text.splitlines():
            if line.startswith("some") and (total := number(line.rpartition("total=")[2])) is not None:
                found[resource] = total / 1e6
    return found


def _cgroup_throttling(root: Path) -> dict[str, float]:
    """Periods in which the quota stopped this cgroup, and for how long."""
    found: dict[str, float] = {}
    text = next((text for folder in cgroup.folders(root, "cpu") if (text := read_text(folder / "cpu.stat"))), "")
    for name, value in _pairs(text).items():
        if name == "nr_throttled":
            found["throttled_periods"] = value
        elif name == "throttled_usec":
            found["throttled_s"] = value / 1e6
        elif name == "throttled_time":  # v1, nanoseconds
            found["throttled_s"] = value / 1e9
    return found


def _thermal_throttling(root: Path) -> dict[str, int]:
    return {f"{path.parts[-3]}/{path.name}": count
            for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
            if (count := number(read_text(path))) is not None}


def _frequencies(root: Path) -> dict[str, float]:
    """The kernel's current figure in MHz by cpu, where there is cpufreq."""
    return {path.parts[-3][3:]: kilohertz / 1000
            for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
            if (kilohertz := number(read_text(path))) is not None}


def _temperatures(root: Path) -> dict[str, float]:
    return {f"{path.parent.name}/{path.stem}": thousandths / 1000
            for path in (root / "sys/class/hwmon").glob("hwmon*/temp*_input")
            if (thousandths := number(read_text(path))) is not None}


def _process(root: Path, pid: int | str) -> ProcessCounters | None:
    """CPU time, time spent runnable but waiting for a core, and switches, over all threads.

    ``children_cpu_s`` is what its own child processes (training's decoders) took, those that have ended included.
    """
    folder = root / "proc" / str(pid)
    try:
        threads = list((folder / "task").iterdir())
    except OSError:
        return None
    totals = ProcessCounters(voluntary_switches=0, children_cpu_s=_ended_children_s(folder))
    for task in threads:
        on_cpu, waited = schedstat(task)
        totals.cpu_s += on_cpu
        totals.run_queue_wait_s += waited
        switches = _switches(task)
        totals.voluntary_switches = (totals.voluntary_switches or 0) + switches.get("voluntary", 0)
        totals.involuntary_switches += switches.get("nonvoluntary", 0)
        for child in (read_text(task / "children") or "").split():
            totals.children_cpu_s += _family_cpu_s(root, child)
    return totals


def _switches(task: Path) -> dict[str, int]:
    """A thread's context switches by their kind, ``voluntary`` and ``nonvoluntary``."""
    return {name.removesuffix("_ctxt_switches"): number(text) or 0
            for line in (read_text(task / "status") or "").splitlines()
            for name, _, text in [line.partition(":")] if name.endswith("_ctxt_switches")}


def schedstat(task: Path) -> tuple[float, float]:
    """Seconds (on a cpu, waiting for one) of a thread; Documentation/scheduler/sched-stats.rst."""
    fields = _numbers((read_text(task / "schedstat") or "").split())
    return (fields[0] / 1e9, fields[1] / 1e9) if fields and len(fields) == 3 else (0.0, 0.0)


def _numbers(words: Sequence[str]) -> list[int] | None:
    """None where one of them is no number."""
    numbers = [number(word) for word in words]
    known = [value for value in numbers if value is not None]
    return known if len(known) == len(numbers) else None


def _family_cpu_s(root: Path, pid: str) -> float:
    """CPU seconds of a process and all below it."""
    found = _process(root, pid)
    return found.cpu_s + found.children_cpu_s if found else 0.0


def _ended_children_s(folder: Path) -> float:
    """cutime + cstime of /proc/PID/stat (proc(5), fields 16 and 17): children that were waited for."""
    fields = (read_text(folder / "stat") or "").rpartition(")")[2].split()
    ticks = _numbers(fields[13:15])
    return sum(ticks) / _TICKS_PER_S if ticks and len(ticks) == 2 else 0.0


class FrequencySamples:
    """The kernel's figures of some cpus' clocks, taken while the load runs; the caller chooses the moments."""

    def __init__(self, cpus: Iterable[int], root: Path = Path("/")) -> None:
        self._paths = [root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in cpus]
        self._means: list[float] = []

    def sample(self) -> None:
        """Read them once, without waiting; nothing where this machine has no cpufreq."""
        found = [kilohertz / 1000 for path in self._paths if (kilohertz := number(read_text(path))) is not None]
        if found:
            self._means.append(sum(found) / len(found))

    def record(self) -> Frequency | None:
        """Of the cpus' mean; None where there was nothing to read."""
        if not self._means:
            return None
        return Frequency(len(self._means), min(self._means), median(self._means), max(self._means))
