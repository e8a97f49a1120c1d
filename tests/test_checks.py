"""Each check on FAKE result documents: what it catches, its verdict, and that it stays silent otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from resnet50_bench.cli.doctor_command import grouped
from resnet50_bench.machine import counters, process_facts
from resnet50_bench.result.checks import Check, Verdict, machine_checks, overall, result_checks
from support.documents import MS, decoded, document, result, run
from support.fakes import FakeMachine, put


def judged(document: dict) -> dict:
    return {check.name: check for check in result_checks(decoded(document))}


def test_a_quiet_run_is_valid():
    checks = result_checks(result())
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
    ((run(0), run(1, start_ms=1500)), "overlap", "invalid", "measured together for too short a time"),
    ((run(0), run(1, start_ms=200)), "overlap", "noisy", "not measure the whole time together"),
    ((run(0, steps=40), run(1, steps=200)), "common window", "invalid", "an instance has 40 of 100 steps"),
    ((run(0), run(1, **slow_step(57, 1000))), "outliers", "noisy", "step 57 took 1000.0 ms"),
    ((run(0), run(1, observed_cpus=(0, 1))), "affinity", "invalid", "instance 1 is placed on cpus [1]"),
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


@pytest.mark.parametrize(("weights", "verdict"), [("ab", "invalid"), ("aa", "ok")])
def test_instances_that_train_together_must_learn_the_same_weights(weights, verdict):
    one = document(run(0), run(1))
    one["processes"][0]["facts"]["data"] = {
        str(index): {"training": {"began_at": 0, "total_steps": 102, "weights_sha256": digest}}
        for index, digest in enumerate(weights)}
    assert judged(one)["replicas"].verdict.value == verdict


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
    (lambda d: d["topology"].update(cores=[{"socket": 0, "node": 0, "core_id": 0, "cpus": [0, 1]}]),
     "one thread a core", "noisy"),
    (lambda d: d["topology"].update(cores=[
        {"socket": 0, "node": 0, "core_id": cpu, "cpus": [cpu], "kind": kind}
        for cpu, kind in enumerate(("performance", "efficiency"))]), "unlike cores", "noisy"),
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


def test_cpus_that_a_container_never_listed_are_not_lost():
    changed = document()
    changed["counters"]["online"].update(before="7", after="7")
    assert judged(changed)["online cpus"].verdict.value == "unknown"


def test_the_doctor_reads_a_machine(tmp_path):
    root = FakeMachine(sockets=2, cores_per_node=2, smt=True).build(tmp_path)
    put(root / "proc/cpuinfo", "vendor_id: GenuineIntel\nmodel name: FAKE\nflags: avx2 avx512f amx_tile")
    put(root / "proc/loadavg", "3.0 2.0 1.0 9/300 1234")
    put(root / "proc/stat", "cpu  100 0 0 100 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0")
    put(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
    put(root / "sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]")
    put(root / "proc/sys/kernel/numa_balancing", "1")
    found = {check.name: check for check in machine_checks({}, root)}
    assert found["other load"].verdict.value == "noisy"
    for name in ("governor", "transparent huge pages", "NUMA balancing", "allocator", "numactl"):
        assert found[name].verdict.value == "note" and found[name].remedy, name
    assert found["turbo"].verdict.value == "unknown"


def test_the_doctor_says_what_disturbs_first_and_what_is_well_in_one_line():
    made = [Check("a", "1", Verdict.OK), Check("b", "not readable", Verdict.UNKNOWN, "hidden"),
            Check("c", "2", Verdict.OK), Check("d", "3", Verdict.NOTE, "slow", "raise it"),
            Check("e", "4", Verdict.NOISY, "shared", "move"), Check("f", "5", Verdict.INVALID, "broken", "mend it")]
    lines = list(grouped(made))
    assert [line.strip()[1:].partition(" ")[0] for line in lines if line.startswith("  [")] == [
        "invalid]", "noisy]", "note]", "unknown]"]
    assert lines[0].endswith(":") and lines[1].endswith("; mend it")
    assert lines[-2:] == ["2 checks ok: a, c", "doctor: 1 invalid, 1 noisy, 1 note, 1 unknown, 2 ok"]


def test_the_docs_list_every_check(tmp_path):
    text = (Path(__file__).parents[1] / "docs/reference/checks.md").read_text()
    assert [c.name for c in result_checks(result()) if f"| `{c.name}` |" not in text] == []
    before_a_run = text.partition("## Before a run")[2]
    root = FakeMachine().build(tmp_path)
    put(root / "proc/cpuinfo", "vendor_id: GenuineIntel\nmodel name: FAKE\nflags: avx2")
    made = machine_checks({}, root)
    assert [c.name for c in made if c.name not in before_a_run] == []


@pytest.mark.parametrize(("switches", "typed", "verdict"), [
    (200 * 20, "", "ok"), (200 * 58, "", "noisy"), (200 * 58, "OMP_WAIT_POLICY=active", "noisy"),
    (200 * 58, "A=1 OMP_WAIT_POLICY=PASSIVE", "note")])
def test_threads_that_sleep_in_each_step_are_noisy_unless_the_user_asked_for_it(switches, typed, verdict):
    made = document()
    made["case"]["CUSTOMER_ENV"] = typed
    for process in made["counters"]["processes"].values():
        process["voluntary_switches"] = switches
    assert judged(made)["context switches"].verdict.value == verdict


def test_a_team_that_left_its_cores_is_seen_and_helpers_are_not(tmp_path):
    """Of cores 0 and 1: the two bound threads, two that left, the main thread, a decoder's, jemalloc's."""
    masks = [("python", "0"), ("python", "1"), ("python", "2"), ("python", "3"), ("python", "0-1"),
             ("python", "6"), ("jemalloc_bg_thd", "0-7")]
    for tid, (name, cpus) in enumerate(masks):
        put(tmp_path / f"proc/self/task/{tid}/status", f"Name:\t{name}\nCpus_allowed_list:\t{cpus}")
    read = process_facts.thread_masks(tmp_path)
    assert process_facts.observed_cpus(read, [0, 1], [0, 1], [6]) == (0, 1, 2, 3)
    put(tmp_path / "proc/self/task/9/status", "Name:\tpython\nCpus_allowed_list:\t0-x")
    assert process_facts.thread_masks(tmp_path) == read, "what is no list of cpus is not known"
    assert process_facts.observed_cpus({t: read[t] for t in (0, 1, 4, 5, 6)}, [0, 1], [0, 1], [6]) == (0, 1)


def seconds(root: Path, *spent: float) -> dict[int, float]:
    """As the kernel has them by then."""
    for tid, each in enumerate(spent):
        put(root / f"proc/self/task/{tid}/schedstat", f"{int(each * 1e9)} 5 7")
    return process_facts.thread_seconds(root)


def test_the_threads_that_computed_are_told_from_those_that_wait(tmp_path):
    """Of cores 0 and 1: main, two that compute, one that talks; two of another instance; one that came meanwhile."""
    for tid, cpus in enumerate(("0-1", "0", "0", "0-1", "2", "3", "1")):
        put(tmp_path / f"proc/self/task/{tid}/status", f"Name:\tpython\nCpus_allowed_list:\t{cpus}")
    masks = process_facts.thread_masks(tmp_path)
    before = seconds(tmp_path, 90.0, 5.0, 0.0, 0.0, 7.0, 0.0)
    after = seconds(tmp_path, 90.1, 7.0, 1.5, 0.3, 9.0, 2.0)
    assert process_facts.computing_cpus(masks, before, after, [0, 1]) == [[0], [0]]
    assert process_facts.computing_cpus(masks, before, after, [2, 3]) == [[2], [3]]
    after = seconds(tmp_path, 90.1, 7.0, 1.5, 0.3, 9.0, 2.0, 0.5)
    assert process_facts.computing_cpus(masks, before, after, [0, 1]) == [[0], [0], [1]]
    (tmp_path / "proc/self/task/2/schedstat").unlink()
    assert process_facts.computing_cpus(masks, {}, {}, [0, 1]) == [], "where the kernel does not count"
    assert process_facts.thread_seconds(tmp_path)[2] == 0.0


@pytest.mark.parametrize(("cpus", "computing", "words"), [
    ((0, 1), [[0], [0]], "instance 0 computed with 2 threads on [0] and none on [1]"),
    ((0, 1, 2, 3), [[0], [2, 3], [2, 3], [2, 3]], "3 threads on [2, 3] and none on [1]"),
    ((0, 1), [[0], [1]], ""), ((0, 1), [[0, 1], [0, 1]], ""), ((0, 1), [[0], [0, 1], [0, 1]], ""), ((0, 1), [[0]], ""),
    ((0,), [[0], [0]], ""), ((0, 1), None, None)])
def test_threads_that_compute_on_one_core_while_another_has_none_are_invalid(cpus, computing, words):
    """``observed_cpus`` is right in each of them, for the main thread may run on all; an old result has no more."""
    made = document(run(0, cpus=cpus, observed_cpus=cpus))
    if computing is not None:
        made["processes"][0]["facts"]["computing_cpus"] = {"0": computing}
    found = judged(made)
    assert found["affinity"].verdict is Verdict.OK
    assert found["spread"].verdict is {None: Verdict.UNKNOWN, "": Verdict.OK}.get(words, Verdict.INVALID)
    assert (words or "") in found["spread"].message


@pytest.mark.parametrize(("facts", "verdict", "words"), [
    ({"answers": {"0": {"count": 4, "not_finite": 0}}}, "ok", "0 of 4"),
    ({"answers": {"0": {"count": 4, "not_finite": 4}}}, "invalid", "4 of 4 answers not finite"),
    ({"answers": {"0": {"count": 4, "not_finite": 0}},
      "data": {"0": {"counts": {"count": 50, "top1": 5, "top5": 9, "not_finite": 1}}}}, "invalid", "1 of 54"),
    ({"answers": {"0": {"count": 4, "not_finite": 0}},
      "data": {"0": {"training": {"losses": [6.9, None], "weights_sha256": "0"}}}}, "invalid", "1 of 2 losses"),
    ({"answers": {}}, "unknown", "did not report")])
def test_answers_that_are_no_numbers_are_invalid(facts, verdict, words):
    made = document(run(0))
    made["processes"][0]["facts"].update(facts)
    found = judged(made)["answers"]
    assert found.verdict.value == verdict and words in found.line()
    assert (found.remedy != "") == (verdict == "invalid")


def test_a_team_larger_than_its_cores_is_invalid():
    made = document()
    made["processes"][0]["facts"]["omp_threads"] = {"0": 2}
    found = judged(made)["team size"]
    assert found.verdict.value == "invalid" and "2 threads on 1 cores" in found.message


def test_a_team_that_torch_cut_to_the_machine_was_asked_for_all_the_same():
    made = document()
    made["case"]["CUSTOMER_ENV"] = "KMP_BLOCKTIME=1 OMP_NUM_THREADS=4"
    found = judged(made)["team size"]
    assert found.verdict.value == "invalid" and "4 threads on 1 cores" in found.message


def faulty(name: str, document: dict) -> dict:
    """``document`` with what makes the check ``name`` complain."""
    report, counters_ = document["processes"][0], document["counters"]
    if name == "affinity":
        report["runs"][0]["observed_cpus"] = [0, 1]
    elif name == "team size":
        report["facts"]["omp_threads"] = {"0": 2}
    elif name == "spread":
        report["runs"][0].update(cpus=[0, 1], observed_cpus=[0, 1])
        report["facts"]["computing_cpus"] = {"0": [[0], [0]]}
    elif name == "bf16":
        report["kernels"] = {"brgconv:avx512_core src:bf16": 53}
    elif name == "answers":
        report["facts"]["answers"] = {"0": {"count": 4, "not_finite": 4}}
    elif name == "page faults":
        report["facts"]["usage"].update(ru_minflt=200 * 1000)
    elif name == "context switches":
        for process in counters_["processes"].values():
            process["voluntary_switches"] = 200 * 58
    elif name == "waiting for a core":
        counters_["processes"]["100"].update(run_queue_wait_s=0.2)
    else:
        counters_["vmstat"].update(pswpin=7)
    return document


OPENMP = "A=1 OMP_NUM_THREADS=2 KMP_AFFINITY=none"


@pytest.mark.parametrize(("check", "case", "helps", "not_said"), [
    *((name, {"CUSTOMER_ENV": OPENMP}, "OMP_NUM_THREADS, KMP_AFFINITY", "TORCH_TYPE")
      for name in ("affinity", "team size", "spread")),
    *((name, {"CUSTOMER_ENV": "A=1"}, "TORCH_TYPE", "CUSTOMER_ENV") for name in ("affinity", "team size", "spread")),
    ("context switches", {"CUSTOMER_ENV": OPENMP}, "KMP_AFFINITY", "A,"),
    ("context switches", {}, "off these cores", "CUSTOMER_ENV"),
    ("bf16", {"CUSTOMER_ENV": "ONEDNN_MAX_CPU_ISA=avx2"}, "ONEDNN_MAX_CPU_ISA", "PRECISION"),
    ("bf16", {}, "PRECISION", "CUSTOMER_ENV"),
    ("answers", {"WEIGHTS": "/x.pth"}, "WEIGHTS", "PRECISION"), ("answers", {}, "PRECISION", "WEIGHTS"),
    ("page faults", {}, "", "jemalloc"),
    ("page faults", {"CUSTOMER_ENV": "MALLOC_CONF=retain:false"}, "MALLOC_CONF", "jemalloc"),
    ("swapping", {"BATCH_SIZE": "4"}, "fewer instances or use a smaller BATCH_SIZE", "CUSTOMER_ENV"),
    ("swapping", {"BATCH_SIZE": "1"}, "fewer instances", "BATCH_SIZE")])
def test_a_remedy_is_about_what_the_user_set(check, case, helps, not_said):
    made = document()
    made["case"] |= {"CUSTOMER_ENV": ""} | case
    found = judged(faulty(check, made))[check]
    assert found.verdict not in (Verdict.OK, Verdict.UNKNOWN)
    assert helps in found.remedy and not_said not in found.remedy


def test_one_instance_cannot_be_fewer():
    alone = judged(faulty("swapping", document(run(0))))["swapping"]
    assert alone.verdict is Verdict.NOISY and "instances" not in alone.remedy


def test_in_a_burst_the_other_load_is_the_burst():
    made = faulty("waiting for a core", document())
    assert "--burst" not in judged(made)["waiting for a core"].remedy
    made["placement"]["burst"] = 2
    assert "--burst" in judged(made)["waiting for a core"].remedy


def test_the_checks_of_what_the_machine_did_are_marked():
    """The card begins with them, as they may be the cause of what the others tell."""
    checks = {check.name: check.of_machine for check in result_checks(result())}
    assert checks["steal time"] and checks["other load"] and checks["online cpus"]
    assert not checks["affinity"] and not checks["outliers"] and not checks["clock"]


def test_own_decoders_are_not_other_load():
    made = document()
    made["counters"]["processes"]["100"].update(cpu_s=1.0, children_cpu_s=1.0)
    assert judged(made)["other load"].verdict.value == "ok"


def test_a_process_counts_its_threads_switches_and_its_childrens_time(tmp_path):
    for pid, children in ((7, "8"), (8, "")):
        task = tmp_path / f"proc/{pid}/task/{pid}"
        put(task / "schedstat", "2000000000 1000000 5")
        put(task / "status", "voluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t3")
        put(task / "children", children)
    found = counters.snapshot([7], tmp_path).processes["7"]
    assert (found.voluntary_switches, found.involuntary_switches) == (11, 3)
    assert (found.cpu_s, found.children_cpu_s) == (2.0, 2.0)


def test_frequency_is_judged_by_samples_under_load(tmp_path):
    samples = counters.FrequencySamples([0], tmp_path)
    samples.sample()
    assert samples.record() is None
    for mhz in (3000, 3000, 2000):
        put(tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", mhz * 1000)
        samples.sample()
    made = document()
    made["counters"]["frequency"] = msgspec.to_builtins(samples.record())
    found = judged(made)["frequency"]
    assert found.verdict.value == "note" and "2000 to 3000 MHz, median 3000 (3 samples)" in found.reading


def test_a_busy_sibling_outside_our_cpuset_is_seen():
    made = document()
    made["topology"]["cores"][0]["siblings"] = [4]
    made["counters"]["cpu_s"]["4"] = {"user": 1.0, "idle": 1.0}
    assert judged(made)["SMT siblings"].verdict.value == "noisy"


def test_ten_switches_in_a_window_of_a_seventh_of_a_second_are_no_finding():
    made = document()
    made["counters"]["duration_s"] = 0.15
    made["counters"]["processes"]["100"].update(run_queue_wait_s=0.006, involuntary_switches=10)
    assert judged(made)["waiting for a core"].verdict.value == "ok"


def test_what_cannot_be_shown_is_called_unproven():
    changed = document()
    changed["processes"][0]["kernels"] = {}
    changed["processes"][0]["facts"]["unproven"] = "ONNX Runtime names operators"
    check = judged(changed)["kernels"]
    assert (check.verdict.value, check.reading) == ("unknown", "unproven")
    assert overall([check]) == ("valid", []) and "ONNX Runtime names operators" in check.line()
