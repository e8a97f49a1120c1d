"""Each check on FAKE result documents: what it catches, its verdict, and that it stays silent otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents import MS, document, run
from fakes import FakeMachine, put
from resnet50_bench.checks import machine_checks, overall, result_checks


def judged(document: dict) -> dict:
    return {check.name: check for check in result_checks(document)}


def test_a_quiet_run_is_valid():
    checks = result_checks(document())
    assert overall(checks) == ("valid", []), [c.line() for c in checks]


def slow_step(at: int, ms: float) -> dict:
    """An instance with one step of ``ms`` among steps of 10 ms."""
    starts, ends, now = [], [], 0
    for step in range(200):
        starts.append(now)
        now += int((ms if step == at else 10) * MS)
        ends.append(now)
    return {"starts_ns": tuple(starts), "ends_ns": tuple(ends)}


@pytest.mark.parametrize(("runs", "check", "verdict", "words"), [
    ((run(0), run(1, start_ms=1500)), "overlap", "invalid", "hardly measured together"),
    ((run(0), run(1, start_ms=200)), "overlap", "noisy", "not measure the whole time together"),
    ((run(0, steps=40), run(1, steps=200)), "common window", "invalid", "an instance has 40 of 100 steps"),
    ((run(0), run(1, **slow_step(57, 1000))), "outliers", "noisy", "step 57 took 1000.0 ms"),
    ((run(0), run(1, observed_cpus=(0, 1))), "affinity", "invalid", "instance 1 was to run on [1]"),
    ((run(0), run(1, steady=False)), "warm-up", "note", "instances [1] had not settled"),
])
def test_what_the_instances_show(runs, check, verdict, words):
    found = judged(document(*runs))[check]
    assert found.verdict.value == verdict
    assert words in found.line()


@pytest.mark.parametrize(("began_at", "verdict"), [(0, "invalid"), (60, "ok")])
def test_a_resumed_training_has_only_its_remaining_steps_to_measure(began_at, verdict):
    """40 of 100 steps: those that were left, or what a training from the start lost."""
    one = document(run(0, steps=40, warmup_steps=2))
    one["processes"][0]["facts"]["data"] = {"0": {"training": {
        "began_at": began_at, "total_steps": 102, "weights_sha256": "0"}}}
    assert judged(one)["common window"].verdict.value == verdict


def test_drift_over_the_window():
    starts, ends, now = [], [], 0
    for step in range(200):
        starts.append(now)
        now += int((10 + step * 0.01) * MS)
        ends.append(now)
    drifting = run(1, starts_ns=tuple(starts), ends_ns=tuple(ends))
    assert judged(document(run(0, steps=220), drifting))["drift"].verdict.value == "noisy"


@pytest.mark.parametrize(("change", "check", "verdict"), [
    (lambda d: d["counters"]["processes"]["100"].update(run_queue_wait_s=0.2), "waiting for a core", "noisy"),
    (lambda d: d["counters"]["processes"]["100"].update(cpu_s=1.5), "other load", "noisy"),
    (lambda d: d["counters"]["cpu_s"]["0"].update(steal=0.2), "steal time", "noisy"),
    (lambda d: d["counters"]["cgroup"].update(throttled_periods=3, throttled_s=0.1), "quota throttling", "noisy"),
    (lambda d: d["counters"]["pressure_s"].update(memory=0.5), "memory pressure", "noisy"),
    (lambda d: d["counters"]["vmstat"].update(pswpin=7), "swapping", "noisy"),
    (lambda d: d["counters"].update(clock_step_s=3600.0), "clock", "note"),
    (lambda d: d["counters"]["online"].update(after="0"), "online cpus", "invalid"),
    (lambda d: d["counters"].update(throttle_count={"cpu0/core": 4}), "thermal throttling", "noisy"),
    (lambda d: d["counters"].update(cpu_mhz={"before": {"0": 3500, "1": 3500}, "after": {"0": 2500, "1": 2500}}),
     "frequency", "note"),
    (lambda d: d["processes"][0].update(allocator="default"), "allocator", "note"),
    (lambda d: d["processes"][0]["facts"]["usage"].update(ru_minflt=200 * 1000), "page faults", "note"),
    (lambda d: d["processes"][0]["facts"]["usage"].update(ru_majflt=1), "page faults", "noisy"),
    (lambda d: d["processes"][0]["facts"].update(local_memory=0.5), "NUMA locality", "noisy"),
    (lambda d: d["processes"][0]["facts"].update(denormal_share=0.1), "denormals", "note"),
    (lambda d: d["processes"][0].update(kernels={"brgconv:avx512_core src:bf16": 53}), "bf16", "invalid"),
    (lambda d: d["topology"]["cores"].pop() and d["topology"]["cores"][0].update(cpus=[0, 1]),
     "one thread a core", "noisy"),
])
def test_what_the_counters_and_processes_show(change, check, verdict):
    changed = document()
    change(changed)
    assert judged(changed)[check].verdict.value == verdict


@pytest.mark.parametrize(("missing", "check"), [
    ("processes", "waiting for a core"), ("cgroup", "quota throttling"), ("pressure_s", "memory pressure"),
    ("online", "online cpus")])
def test_a_check_that_this_machine_cannot_make_says_so(missing, check):
    changed = document()
    del changed["counters"][missing]
    found = judged(changed)[check]
    assert found.verdict.value == "unknown" and "not readable" in found.line()


def test_the_doctor_reads_a_machine(tmp_path):
    root = FakeMachine(sockets=2, cores_per_node=2, smt=True).build(tmp_path)
    put(root / "proc/cpuinfo", "vendor_id: GenuineIntel\nmodel name: FAKE\nflags: avx2 avx512f amx_tile")
    put(root / "proc/loadavg", "3.0 2.0 1.0 9/300 1234")
    put(root / "proc/stat", "cpu  100 0 0 100 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0")
    put(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
    put(root / "sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]")
    put(root / "proc/sys/kernel/numa_balancing", "1")
    found = {check.name: check for check in machine_checks({}, {}, root)}
    assert found["other load"].verdict.value == "noisy"
    for name in ("governor", "transparent huge pages", "NUMA balancing", "allocator", "numactl"):
        assert found[name].verdict.value == "note" and found[name].remedy, name
    assert found["turbo"].verdict.value == "unknown"


def test_the_docs_list_every_check():
    text = (Path(__file__).parents[1] / "docs/checks.md").read_text()
    assert [c.name for c in result_checks(document()) if f"| `{c.name}` |" not in text] == []
