"""The measuring window of a result and the machine's counters during it -> checks for disturbances."""

from __future__ import annotations

from ...machine.counters import Counters, CpuTimes
from ...machine.topology import Topology, known_cpulist
from ..processes import FeedRecord
from ..records import Check, Statistics, Verdict, Window
from ..result import Result
from .base import OPENMP, judge, of_machine, unknown, without

#: Below this overlap the instances were partly measured without each other's load.
LEAST_OVERLAP = 0.95
#: Below this share of the steps the common window is too short for the case.
INVALID_OVERLAP = 0.5
#: The largest share of the window that outlying steps may cost beyond the median step ...
MOST_OUTLIER_COST = 0.02
#: ... and the largest total: one hiccup of some milliseconds is not a finding in a window of 0.15 s.
LEAST_OUTLIER_COST_S = 0.010
#: The largest relative change of the step time over the window, if significant.
MOST_DRIFT = 0.05
MOST_STEAL = 0.005
#: The largest share of the window that an instance's threads may wait for an occupied core ...
MOST_WAIT = 0.01
#: ... and the largest total: some slices of the kernel's scheduler (3 to 4 ms each) are not a finding in 0.15 s.
LEAST_WAIT_S = 0.010
#: Voluntary context switches per step and core. ResNet50 has 53 convolutions, each a parallel region. Above this,
#: threads sleep in every second one. Measured on two cores: 117 per step (58 per core) cost 20 % of the
#: speed. Sound runs had 0 to 20.
MOST_SLEEPS = 25
#: The largest share of the instances' cores that other work may use, on them or on their SMT siblings.
MOST_OTHER_LOAD = 0.02
MOST_PRESSURE = 0.01
#: /proc/stat counts in ticks of 10 ms. A difference of few ticks is meaningless.
_LEAST_TICKS_S = 0.03
MOST_CLOCK_STEP_S = 0.01
MOST_FREQUENCY_CHANGE = 0.10


def run_all(result: Result) -> list[Check]:
    """Run every check of the window and of the time between ``go`` and ``stop``, for a speed result."""
    statistics, window = result.statistics, result.statistics.window
    if window is None:
        raise ValueError("the result has no window")
    return [overlap(window), _enough(statistics, window, _asked(result)), _outliers(statistics, window),
            _drift(statistics), *meanwhile(result)]


def meanwhile(result: Result) -> list[Check]:
    """The checks of the time between ``go`` and ``stop``."""
    counters, cpus = result.counters, sorted({cpu for run in result.runs() for cpu in run.cpus})
    return [*of_machine((
                _waiting(result, len(cpus)), _other_load(result, cpus), _siblings(counters, cpus, result.topology),
                _steal(counters, cpus), _quota(counters), _memory(result), _swap(result), _online(counters, cpus),
                _frequency(counters, cpus), _thermal(counters))),
            _sleeping(result, len(cpus)), _clock(counters)]


def of_any_run(result: Result) -> list[Check]:
    """The checks that apply to every kind of run."""
    return of_machine([_online(result.counters, [cpu for run in result.runs() for cpu in run.cpus])])


def overlap(window: Window) -> Check:
    """Whether the instances measured at the same time."""
    reading = (f"{100 * window.overlap:.1f} % (start skew {window.start_skew_ms:.1f} ms, "
               f"end skew {window.end_skew_ms:.1f} ms)")
    hardly = window.overlap < INVALID_OVERLAP
    return judge("overlap", reading, window.overlap < LEAST_OVERLAP, Verdict.INVALID if hardly else Verdict.NOISY,
                 "the instances measured together for too short a time" if hardly
                 else "the instances did not measure the whole time together", "raise STEPS or MIN_DURATION")


def _asked(result: Result) -> int:
    """The steps that each instance had to measure. A resumed training may have fewer than STEPS."""
    for training in result.trainings():
        return training.total_steps - training.began_at - result.processes[0].runs[0].warmup_steps
    steps = result.parameter("STEPS")
    return int(steps) if steps.isdigit() else 1


def _enough(statistics: Statistics, window: Window, asked: int) -> Check:
    """Whether every instance has at least half of the asked steps within the common window."""
    fewest = min(instance.steps_in_window or 0 for instance in statistics.instances)
    return judge("common window", f"{window.duration_s:.3f} s, {fewest} steps at least",
                 fewest < max(1, asked / 2), Verdict.INVALID,
                 f"an instance has {fewest} of {asked} steps in the window common to all",
                 "raise STEPS or MIN_DURATION")


def _outliers(statistics: Statistics, window: Window) -> Check:
    slow = [(instance, instance.outliers) for instance in statistics.instances if instance.outliers]
    worst, outliers = max(slow, key=lambda pair: pair[1].cost)
    reading = f"{sum(steps.count for _, steps in slow)} steps"
    if outliers.count and worst.latency_ms:
        reading += (f"; instance {worst.instance}: step {outliers.worst_step} took {outliers.worst_ms:.1f} ms against "
                    f"a median of {worst.latency_ms.median:.1f} ms")
    return judge("outliers", reading, outliers.cost > MOST_OUTLIER_COST
                 and outliers.cost * window.duration_s > LEAST_OUTLIER_COST_S, Verdict.NOISY,
                 f"slow steps cost {100 * outliers.cost:.1f} % of an instance's window",
                 "find the other programs that ran; repeat with --loop")


def _drift(statistics: Statistics) -> Check:
    drifts = [(instance.instance, instance.drift) for instance in statistics.instances if instance.drift]
    number, drift = max(drifts, key=lambda pair: abs(pair[1].relative))
    return judge("drift", f"{100 * drift.relative:+.1f} % step time over the window (instance {number})",
                 drift.significant and abs(drift.relative) > MOST_DRIFT, Verdict.NOISY,
                 "the speed changed during the measurement", "raise WARMUP_STEPS; look at frequency and temperature")


def _keep_off(result: Result) -> str:
    """The remedy for other work on the instances' cores."""
    return ("run without --burst: its runs share the cores" if result.placement.burst
            else "stop the other programs (see top), or keep them off these cores")


def _less_memory(result: Result) -> str:
    """The remedy for too little memory."""
    return " or ".join(["free memory", *["use fewer instances"] * (len(result.runs()) > 1),
                        *["use a smaller BATCH_SIZE"] * (result.parameter("BATCH_SIZE") not in ("", "1"))])


def _waiting(result: Result, cores: int) -> Check:
    """The time that instances' threads were runnable but not running (schedstat's second field).

    Excludes LoadGen's time on their cores, which has its own check.
    """
    processes = result.instance_counters()
    if not processes:
        return unknown("waiting for a core", "the kernel has no schedstat")
    waited = max(0.0, sum(process.run_queue_wait_s for process in processes) - result.loadgen_beside_s())
    switches = sum(process.involuntary_switches for process in processes)
    share = waited / (result.counters.duration_s * cores)
    return judge("waiting for a core", f"{100 * share:.2f} % of the window, {switches:.0f} involuntary switches",
                 share > MOST_WAIT and waited > LEAST_WAIT_S, Verdict.NOISY,
                 "another program ran on the instances' cores", _keep_off(result))


def _sleeping(result: Result, cores: int) -> Check:
    """The voluntary context switches of threads. Exempt are trainings and decoders, which must wait for each other.

    A note, not noise, if the user asked OpenMP's threads to sleep.
    """
    switches = [process.voluntary_switches for process in result.instance_counters()]
    known = [count for count in switches if count is not None]
    if not switches or len(known) < len(switches):
        return unknown("context switches", "the kernel shows no voluntary switches")
    runs = result.runs()
    a_step = sum(known) / max(1, sum(len(run.starts_ns) for run in runs))
    a_core = a_step * len(runs) / max(1, cores)
    waits = any(record != FeedRecord() for record in result.feeds().values())
    asked = result.customer_env().get("OMP_WAIT_POLICY", "").lower() == "passive"
    return judge("context switches", f"{a_step:.1f} voluntary a step", a_core > MOST_SLEEPS and not waits,
                 Verdict.NOTE if asked else Verdict.NOISY, "the threads slept within a step" + (
                     ", as OMP_WAIT_POLICY=passive asks" if asked else
                     ": there were more threads than cores, or they waited passively"),
                 without(result, OPENMP, _keep_off(result)))


def _busy(times: CpuTimes) -> float:
    return sum(value for state, value in times.items() if state not in ("idle", "iowait", "steal"))


def _other_load(result: Result, cpus: list[int]) -> Check:
    """The busy time of the instances' cpus that other processes used."""
    counters = result.counters
    times, processes = counters.cpu_s, result.instance_counters()
    if not processes or any(str(cpu) not in times for cpu in cpus):
        return unknown("other load", "/proc/stat or schedstat lacks the instances' cpus")
    other = (sum(_busy(times[str(cpu)]) for cpu in cpus)
             - sum(process.cpu_s + process.children_cpu_s for process in processes) - result.loadgen_beside_s())
    share = max(0.0, other) / (counters.duration_s * len(cpus))
    return judge("other load", f"{100 * share:.1f} % of the instances' cores",
                 share > MOST_OTHER_LOAD and other > _LEAST_TICKS_S * len(cpus), Verdict.NOISY,
                 "another program used the instances' cores", _keep_off(result))


def _siblings(counters: Counters, cpus: list[int], topology: Topology) -> Check:
    siblings = {cpu for core in topology.cores if set(core.cpus) & set(cpus)
                for cpu in (*core.cpus, *core.siblings) if cpu not in cpus}
    if not siblings:
        return Check("SMT siblings", "none", Verdict.OK)
    times = counters.cpu_s
    busy = sum(_busy(times[str(cpu)]) for cpu in siblings if str(cpu) in times)
    share = busy / (counters.duration_s * len(siblings))
    return judge("SMT siblings", f"{100 * share:.1f} % busy",
                 share > MOST_OTHER_LOAD and busy > _LEAST_TICKS_S * len(siblings), Verdict.NOISY,
                 "another program used the SMT siblings of the instances' cores",
                 "stop the other programs, or keep them off these cpus")


def _steal(counters: Counters, cpus: list[int]) -> Check:
    times = counters.cpu_s
    if any(str(cpu) not in times for cpu in cpus):
        return unknown("steal time", "/proc/stat lacks the instances' cpus")
    stolen = sum(times[str(cpu)]["steal"] for cpu in cpus)
    share = stolen / (counters.duration_s * len(cpus))
    return judge("steal time", f"{100 * share:.2f} %", share >= MOST_STEAL and stolen > _LEAST_TICKS_S,
                 Verdict.NOISY, "the hypervisor gave the cores to another virtual machine",
                 "use a dedicated or larger VM, or repeat with --loop")


def _quota(counters: Counters) -> Check:
    cgroup = counters.cgroup
    if not cgroup:
        return unknown("quota throttling", "no cgroup cpu controller is visible")
    periods, seconds = cgroup.get("throttled_periods", 0), cgroup.get("throttled_s", 0.0)
    return judge("quota throttling", f"{periods:.0f} periods, {seconds:.3f} s", periods > 0, Verdict.NOISY,
                 "the cgroup's CPU quota stopped the instances",
                 "raise the quota, or give whole cpus instead (docker: --cpuset-cpus, not --cpus)")


def _memory(result: Result) -> Check:
    pressure = result.counters.pressure_s
    if "memory" not in pressure:
        return unknown("memory pressure", "the kernel has no PSI")
    share = pressure["memory"] / result.counters.duration_s
    return judge("memory pressure", f"{100 * share:.2f} %", share > MOST_PRESSURE, Verdict.NOISY,
                 "tasks waited for memory", _less_memory(result))


def _swap(result: Result) -> Check:
    vmstat = result.counters.vmstat
    if "pswpin" not in vmstat:
        return unknown("swapping", "/proc/vmstat is not readable")
    pages = vmstat["pswpin"] + vmstat["pswpout"]
    return judge("swapping", f"{pages} pages", pages > 0, Verdict.NOISY, "the machine swapped",
                 _less_memory(result))


def _clock(counters: Counters) -> Check:
    step = counters.clock_step_s
    return judge("clock", f"{1000 * step:+.1f} ms against the monotonic clock", abs(step) > MOST_CLOCK_STEP_S,
                 Verdict.NOTE, "the wall clock was changed; step times use the monotonic clock and are not affected")


def _online(counters: Counters, cpus: list[int]) -> Check:
    before, after = ((counters.online.before, counters.online.after) if counters.online else ("", ""))
    listed = set(known_cpulist(before)) & set(cpus)  # a container's file may never list all of them
    if not known_cpulist(after) or not listed:
        return unknown("online cpus", "/sys/devices/system/cpu/online does not list the instances' cpus")
    lost = listed - set(known_cpulist(after))
    return judge("online cpus", after, bool(lost), Verdict.INVALID,
                 f"cpus {sorted(lost)} of the instances went offline during the run")


def _frequency(counters: Counters, cpus: list[int]) -> Check:
    """The clock frequency, by samples under load if there are any. Readings at the edges may be of idle cores."""
    sides = (counters.cpu_mhz.before, counters.cpu_mhz.after) if counters.cpu_mhz else ()
    if samples := counters.frequency:
        low, middle, high = samples.min_mhz, samples.median_mhz, samples.max_mhz
        reading = f"{low:.0f} to {high:.0f} MHz, median {middle:.0f} ({samples.samples} samples)"
        change = (high - low) / middle
    elif not sides or any(str(cpu) not in readings for cpu in cpus for readings in sides):
        return unknown("frequency", "this machine shows no cpufreq")
    else:
        before, after = (sum(readings[str(cpu)] for cpu in cpus) / len(cpus) for readings in sides)
        reading, change = f"{before:.0f} MHz before, {after:.0f} MHz after", abs(after / before - 1)
    return judge("frequency", reading, change > MOST_FREQUENCY_CHANGE, Verdict.NOTE,
                 "the cores' frequency changed over the run", "raise WARMUP_STEPS; look at the governor")


def _thermal(counters: Counters) -> Check:
    counts = counters.throttle_count
    if counts is None:
        return unknown("thermal throttling", "this machine shows no throttle counters")
    events = sum(counts.values())
    return judge("thermal throttling", f"{events} events", events > 0, Verdict.NOISY,
                 "cores were slowed down because they were too hot", "improve the cooling")
