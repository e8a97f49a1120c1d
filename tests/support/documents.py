"""FAKE results, sound and valid, for tests that change one thing in them: of measured steps, or of named KPIs."""

from __future__ import annotations

from typing import Any

import msgspec

from resnet50_bench.result import measurement
from resnet50_bench.result.processes import Run
from resnet50_bench.result.result import Result

MS = 1_000_000
#: What every FAKE result says of its case and machine.
BASE = {
    "case": {"FUNCTION": "inference", "MODE": "throughput", "PRECISION": "amx_int8", "BATCH_SIZE": "4",
             "TORCH_TYPE": "IPEX", "CUSTOMER_ENV": "A=1 B=x|y", "origins": {}, "notices": []},
    "started_at": "2026-01-01T00:00:00+00:00",
    "system": {"cpu": "FAKE Xeon", "cpu_family": 6, "cpu_model": 143, "cpu_stepping": 8, "firmware": {"bios": "1"}},
    "software": {"torch": "2.8.0", "python": "3.11"}, "verdict": "valid"}


def run(instance: int = 0, steps: int = 200, step_ms: float = 10.0, start_ms: float = 0.0, **changes: Any) -> Run:
    """An instance whose steps take ``step_ms``, one after the other."""
    starts = tuple(int((start_ms + i * step_ms) * MS) for i in range(steps))
    values = {"instance": instance, "process": instance, "pid": 100 + instance, "cpus": (instance,),
              "observed_cpus": (instance,), "memory_node": 0, "warmup_steps": 20, "warmup_s": 0.2, "steady": True,
              "peak": {"operations_per_s": 1e12, "bytes_per_s": 1e10},
              "starts_ns": starts, "ends_ns": tuple(s + int(step_ms * MS) for s in starts)}
    return Run(**(values | changes))


def result(*runs: Run, **changes: Any) -> Result:
    """A result of ``runs`` (by default two instances of one core) as if nothing had disturbed it."""
    runs = runs or (run(0), run(1))
    duration = 2.0
    counters = {
        "duration_s": duration, "clock_step_s": 0.0, "online": {"before": "0-1", "after": "0-1"},
        "cpu_s": {str(cpu): {"user": duration, "nice": 0.0, "system": 0.0, "idle": 0.0, "iowait": 0.0, "irq": 0.0,
                             "softirq": 0.0, "steal": 0.0} for cpu in (0, 1)},
        "vmstat": {"pgmajfault": 0, "pswpin": 0, "pswpout": 0}, "cgroup": {"throttled_periods": 0, "throttled_s": 0.0},
        "pressure_s": {"cpu": 0.0, "memory": 0.0, "io": 0.0},
        "processes": {str(r.pid): {"cpu_s": duration, "run_queue_wait_s": 0.0, "involuntary_switches": 1}
                      for r in runs}}
    facts = {"usage": {"ru_minflt": 0, "ru_majflt": 0}, "denormal_share": 0.0, "layers": [],
             "answers": {"0": {"count": 4, "not_finite": 0}}}
    case = BASE["case"] | {"STEPS": "100", "CORES_PER_INSTANCE": "1", "CUSTOMER_ENV": ""}
    return decoded(plain(BASE | {
        "case": case, "command": ["run"], "placement": {},
        "topology": {"cores": [{"socket": 0, "node": 0, "core_id": i, "cpus": [i]} for i in (0, 1)]},
        "processes": [process(r, {"brgconv_1x1:avx10_1_512_amx src:u8": 53}, facts) for r in runs],
        "statistics": measurement.statistics(runs, 4), "counters": counters} | changes))


def synthetic(rate: float = 100.0, latency_ms: float = 40.0, case: dict[str, Any] | None = None,
              statistics: dict[str, Any] | None = None, **changes: Any) -> Result:
    """A result whose KPIs are what the test says, and of which no steps are known."""
    return decoded(BASE | {
        "case": BASE["case"] | (case or {}), "topology": {"core_count": 2},
        "placement": {"processes": [{"process": 0, "instances": [{"instance": 0, "cpus": [0, 1]}]}]},
        "statistics": {"throughput_images_per_s": rate, "window": {"overlap": 0.99, "duration_s": 10.0},
                       "latency_ms": {"count": 100, "mean": latency_ms, "median": 39.0, "stdev": 1.0, "cv": 0.025,
                                      "min": 1.0, "max": 99.0, "percentiles": {"50": 39.0}},
                       "instances": [{"instance": 0, "throughput_images_per_s": rate}]} | (statistics or {}),
        "limits": {"compute_utilization": 0.5}} | changes)


def process(of: Run, kernels: dict[str, int], facts: dict[str, Any] | None = None) -> dict[str, Any]:
    """The report of a process that hosts one instance."""
    return {"process": of.process, "pid": of.pid, "prepare_s": 1.0, "model_cache": "hit", "allocator": "jemalloc",
            "kernels": kernels, "runs": [of], "facts": facts or {}}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON has it."""
    return msgspec.to_builtins(values)


def decoded(document: dict[str, Any]) -> Result:
    """A result's JSON as a Result."""
    return msgspec.convert(document, Result)


def document(*runs: Run, **changes: Any) -> dict[str, Any]:
    """The result as JSON, to change things in."""
    return result(*runs, **changes).document()
