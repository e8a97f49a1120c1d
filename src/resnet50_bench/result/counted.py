"""The types of what happened on the machine while a case measured: ``machine.counters``' difference of two moments.

Times are seconds. What this machine does not show is None or empty here, and absent in the file.
"""

from __future__ import annotations

import msgspec

#: Seconds that a cpu spent in each state of /proc/stat.
CpuTimes = dict[str, float]


class ProcessCounters(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the threads of one process took; ``children_cpu_s`` is that of its own child processes."""

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
    """Gained between the two moments, ``duration_s`` apart (0: nothing was measured). Cpus and process ids are text."""

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
