"""/proc, /sys and the cgroup at two moments -> what happened on the machine between them; read-only.

Readings that this machine does not have are absent, never invented. Times are seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import cgroup

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STAT_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_VMSTAT = ("pgmajfault", "pswpin", "pswpout", "numa_hint_faults", "numa_pages_migrated")


def snapshot(pids: Iterable[int], root: Path = Path("/")) -> dict[str, Any]:
    """Every counter now. ``pids`` are the processes that host instances."""
    found: dict[str, Any] = {
        "monotonic_s": time.monotonic(), "realtime_s": time.time(),
        "cpu_s": _cpu_times(root), "vmstat": _vmstat(root), "cgroup": _cgroup_throttling(root),
        "pressure_s": _pressure(root), "throttle_count": _thermal_throttling(root),
        "processes": {str(pid): process for pid in pids if (process := _process(root, pid))},
        "cpu_mhz": _frequencies(root), "temperature_c": _temperatures(root),
        "online": _text(root / "sys/devices/system/cpu/online"),
    }
    return {name: value for name, value in found.items() if value not in (None, {}, "")}


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes the out-of-memory killer ended since the start of the machine; 0 where unknown."""
    lines = (line.split() for line in (_text(root / "proc/vmstat") or "").splitlines())
    return next((int(value) for name, value in lines if name == "oom_kill"), 0)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What the counters gained; gauges (MHz, temperature, online cpus) keep both readings."""
    duration = after["monotonic_s"] - before["monotonic_s"]
    changed: dict[str, Any] = {
        "duration_s": duration,
        "clock_step_s": (after["realtime_s"] - before["realtime_s"]) - duration,
    }
    for name in ("cpu_s", "vmstat", "cgroup", "pressure_s", "throttle_count", "processes"):
        if name in before and name in after:
            changed[name] = _gained(before[name], after[name])
    for name in ("cpu_mhz", "temperature_c", "online"):
        if name in before and name in after:
            changed[name] = {"before": before[name], "after": after[name]}
    return changed


def _gained(before: Any, after: Any) -> Any:
    if isinstance(after, dict):
        return {key: _gained(before[key], value) for key, value in after.items() if key in before}
    return after - before


def _text(path: Path) -> str | None:
    """The file's text; None where this machine or container does not have it."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _cpu_times(root: Path) -> dict[str, dict[str, float]]:
    """Seconds in each state by cpu number, and ``all``."""
    times = {}
    for line in (_text(root / "proc/stat") or "").splitlines():
        name, *values = line.split()
        if name.startswith("cpu"):
            times[name[3:] or "all"] = {field: int(value) / _TICKS_PER_S
                                        for field, value in zip(_STAT_FIELDS, values, strict=False)}
    return times


def _vmstat(root: Path) -> dict[str, int]:
    lines = (line.split() for line in (_text(root / "proc/vmstat") or "").splitlines())
    return {name: int(value) for name, value in lines if name in _VMSTAT}


def _pressure(root: Path) -> dict[str, float]:
    """Seconds that some task waited for a resource (PSI ``some total``)."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        text = _text(root / "proc/pressure" / resource) or ""
        for line in text.splitlines():
            if line.startswith("some") and "total=" in line:
                found[resource] = int(line.rsplit("total=", 1)[1]) / 1e6
    return found


def _cgroup_throttling(root: Path) -> dict[str, float]:
    """Periods in which the quota stopped this cgroup, and for how long."""
    found: dict[str, float] = {}
    for line in next((text for folder in cgroup.folders(root, "cpu") if (text := _text(folder / "cpu.stat"))),
                     "").splitlines():
        name, value = line.split()
        if name == "nr_throttled":
            found["throttled_periods"] = int(value)
        elif name == "throttled_usec":
            found["throttled_s"] = int(value) / 1e6
        elif name == "throttled_time":  # v1, nanoseconds
            found["throttled_s"] = int(value) / 1e9
    return found


def _thermal_throttling(root: Path) -> dict[str, int]:
    counts = {}
    for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count"):
        counts[f"{path.parts[-3]}/{path.name}"] = int(path.read_text())
    return counts


def _frequencies(root: Path) -> dict[str, float]:
    """The kernel's current figure in MHz by cpu, where there is cpufreq."""
    return {path.parts[-3][3:]: int(path.read_text()) / 1000
            for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")}


def _temperatures(root: Path) -> dict[str, float]:
    return {f"{path.parent.name}/{path.stem}": int(text) / 1000
            for path in (root / "sys/class/hwmon").glob("hwmon*/temp*_input")
            if (text := _text(path)) and text.lstrip("-").isdigit()}


def _process(root: Path, pid: int) -> dict[str, float] | None:
    """CPU time, time spent runnable but waiting for a core, and switches, over all threads."""
    totals = {"cpu_s": 0.0, "run_queue_wait_s": 0.0, "involuntary_switches": 0}
    tasks = root / "proc" / str(pid) / "task"
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return None
    for task in threads:
        schedstat = (_text(task / "schedstat") or "").split()
        if len(schedstat) == 3:  # Documentation/scheduler/sched-stats.rst: on cpu, waiting (ns), slices
            totals["cpu_s"] += int(schedstat[0]) / 1e9
            totals["run_queue_wait_s"] += int(schedstat[1]) / 1e9
        for line in (_text(task / "status") or "").splitlines():
            if line.startswith("nonvoluntary_ctxt_switches"):
                totals["involuntary_switches"] += int(line.split()[1])
    return totals
