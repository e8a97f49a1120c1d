"""gate and reference: what fails, by which numbers, and what is only said. FAKE results, no torch."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from resnet50_bench.cli import case_command, gate_command
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import config, logs, options
from resnet50_bench.errors import BadInput
from resnet50_bench.history.judgement import LEAST_HISTORY, ONE_RESTART
from resnet50_bench.history.references import read_references
from resnet50_bench.result.comparison_stats import control_limit
from support.results import put, synthetic

CASE = "inference_throughput_amx_int8"
LATENCY = {"mode": {"MODE": "latency"}, "name": "inference_latency_amx_int8"}
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
#: What a result of a single restart is said to show and not to show.
ALONE = f"; {ONE_RESTART}"


@pytest.fixture(autouse=True)
def yaml_is_here():
    pytest.importorskip("yaml")


def days(base: Path, *values: float, first: int = 0, kind: str = "rate", name: str = CASE, mode: dict | None = None,
         iteration: int = 1, **changes) -> Path:
    """A logs folder a day with a run of each value; returns the newest."""
    for day, value in enumerate(values, start=first):
        when = START + timedelta(days=day, minutes=iteration)
        path = put(base, synthetic(**{kind: value}, case=mode, started_at=when.isoformat(), **changes), name,
                   stamp=f"{START + timedelta(days=day):%Y%m%d-%H%M%S}", iteration=iteration)
    return path.parents[2]


def yaml(folder: Path, text: str) -> str:
    path = folder / "references.yaml"
    path.write_text(text)
    return str(path)


def one(folder: Path, value: float = 100.0, tolerance: str = "5 %", kpi: str = "throughput", cpu: str = "FAKE*",
        case: str = "*_amx_int8", more: str = "") -> str:
    return yaml(folder, f"systems:\n - cpu: '{cpu}'\n   cases:\n     '{case}':\n"
                        f"       {kpi}: {{value: {value}, tolerance: {tolerance}}}\n{more}")


@pytest.fixture
def gate(capsys):
    """(exit status, stdout, stderr) of the command."""
    def run(*words):
        status = main(["gate", *map(str, words)])
        return (status, *capsys.readouterr())
    return run


def test_within_the_tolerance_passes(tmp_path, gate):
    status, out, err = gate(days(tmp_path, 96.0), "--references", one(tmp_path))
    assert (status, err) == (0, "")
    assert "passed: throughput 96.0 is 4 % below the reference 100.0 (tolerance 5 %)" in out
    assert out.endswith("GATE: passed\n")


def test_below_the_tolerance_fails_with_its_numbers(tmp_path, gate):
    status, out, err = gate(days(tmp_path, 90.1), "--references", one(tmp_path, 102.7))
    assert status == 4
    assert err == f"error: throughput 90.1 is 12.3 % below the reference 102.7 (tolerance 5 %){ALONE}\n"
    assert out.endswith("GATE: 1 regression\n")


@pytest.mark.parametrize(("value", "status"), [(95.0, 0), (94.9, 4), (150.0, 0)])
def test_the_border_passes_and_better_never_fails(tmp_path, gate, value, status):
    assert gate(days(tmp_path, value), "--references", one(tmp_path))[0] == status


@pytest.mark.parametrize(("value", "status"), [(30.0, 0), (41.9, 0), (42.1, 4)])
def test_latency_is_worse_where_it_is_higher(tmp_path, gate, value, status):
    folder = days(tmp_path, value, kind="latency_ms", **LATENCY)
    found, _, err = gate(folder, "--references", one(tmp_path, 40.0, kpi="latency"))
    assert found == status
    assert not status or "latency 42.1 is 5.2 % above the reference 40.0" in err


def fleet(base: Path, *values: float, day: int = 0, iterations: int = 1) -> Path:
    """A logs folder with a run of each value on a node of its own; returns it."""
    for iteration in range(1, iterations + 1):
        for number, value in enumerate(values):
            stamp = f"{START + timedelta(days=day):%Y%m%d-%H%M%S}"
            path = put(base, synthetic(rate=value, started_at=(START + timedelta(days=day)).isoformat()), CASE, stamp,
                       iteration, worker=number)
            (path.parent / "node").write_text(f"n{number}\n")
    return path.parents[2]


def test_each_node_of_a_fleet_is_judged_for_itself(tmp_path, gate):
    folder = fleet(tmp_path, 100.0, 101.0, 80.0, iterations=3)
    status, out, err = gate(folder, "--references", one(tmp_path))
    assert status == 4
    assert err == f"error: {CASE} on n2: throughput 80.0 is 20 % below the reference 100.0 (tolerance 5 %)\n"
    assert f"GATE: {CASE} on n0 (median of 3 runs)" in out and "GATE: 1 regression" in out
    assert gate(fleet(tmp_path, 99.0, 100.0, 101.0, day=1), "--references", one(tmp_path))[0] == 0


def test_a_single_restart_is_a_test_of_the_tolerance_and_several_are_more(tmp_path, gate):
    alone = gate(days(tmp_path / "a", 96.0), "--references", one(tmp_path))[1]
    assert f"(tolerance 5 %){ALONE}\n" in alone and "whether the case is slower it cannot tell" in alone
    for iteration in (1, 2, 3):
        several = days(tmp_path / "b", 80.0 + iteration, iteration=iteration)
    status, out, err = gate(several, "--references", one(tmp_path))
    assert status == 4 and "below the reference 100.0 (tolerance 5 %)\n" in err and ALONE not in out


def test_a_single_restart_is_held_against_single_ones_not_against_medians_of_many(tmp_path, gate):
    """Restarts differ by 10 %, their medians hardly at all: by those every second sound run would fail."""
    for day in range(6):
        for iteration, value in enumerate((90.0 + 4 * (day % 6), 100.0, 110.0 - day, 99.5, 100.5), start=1):
            days(tmp_path, value, first=day, iteration=iteration)
    status, out, _ = gate(days(tmp_path, 88.0, first=6))
    assert status == 0 and "the median of the last 6 valid runs" in out
    for iteration, value in enumerate((88.0, 89.0, 88.5, 88.0, 88.5), start=1):
        several = days(tmp_path, value, first=7, iteration=iteration)
    assert gate(several)[0] == 4


def test_a_node_is_measured_by_what_the_fleet_did_before(tmp_path, gate):
    for day in range(6):
        fleet(tmp_path, 100.0 + day % 3, 101.0 + day % 2, day=day)
    status, _, err = gate(fleet(tmp_path, 100.5, 70.0, day=6))
    assert status == 4
    assert re.match(rf"error: {CASE} on n1: throughput 70.0 is 30.\d % below \S+, the median of the last 6 valid", err)


def test_repeated_runs_of_one_node_are_one_point_whatever_containers_call_it(tmp_path, gate):
    for iteration, value in enumerate((90.0, 100.0, 100.0), start=1):
        made = synthetic(rate=value)
        made.system |= {"node": f"container{iteration}"}
        folder = put(tmp_path, made, CASE, iteration=iteration).parents[2]
    status, out, _ = gate(folder, "--references", one(tmp_path))
    assert (status, f"GATE: {CASE} (median of 3 runs)" in out) == (0, True)


def test_earlier_runs_are_the_measure_without_a_reference(tmp_path, gate):
    days(tmp_path, 100, 101, 99, 100.5, 99.5, 100)
    assert gate(days(tmp_path, 98, first=6))[0] == 0
    status, _, err = gate(days(tmp_path, 90, first=7))
    assert status == 4
    assert re.fullmatch(r"error: throughput 90.0 is \d+(\.\d)? % below \S+, the median of the last 7 valid runs "
                        r"\(tolerance [\d.]+ %\)\n", err)


def test_a_rise_of_latency_over_earlier_runs(tmp_path, gate):
    days(tmp_path, *[40.0] * 6, kind="latency_ms", **LATENCY)
    assert gate(days(tmp_path, 36.0, first=6, kind="latency_ms", **LATENCY))[0] == 0
    status, _, err = gate(days(tmp_path, 44.0, first=7, kind="latency_ms", **LATENCY))
    assert status == 4
    assert "latency 44.0 is 10 % above 40.0, the median of the last 7 valid runs (tolerance 3 %)" in err


@pytest.mark.parametrize(("kind", "more", "step"), [("rate", {}, 0.99), ("latency_ms", LATENCY, 1.01)])
def test_a_slow_drift_within_every_predecessors_tolerance_is_found(tmp_path, gate, kind, more, step):
    values = [100 * step ** day for day in range(12)]
    statuses = [gate(days(tmp_path, value, first=day, kind=kind, **more))[0] for day, value in enumerate(values)]
    status, _, err = gate(days(tmp_path, values[-1], first=11, kind=kind, **more))
    assert (statuses[:5], status) == ([0] * 5, 4)
    assert re.search(r"(fell|rose) by (9|10)(\.\d)? % along a line through the last 11 runs \(first ", err)
    assert "which chance does not explain (tolerance 5 %)" in err


def test_a_slow_improvement_and_a_flat_series_are_no_drift(tmp_path, gate):
    days(tmp_path / "a", *[100 * 1.01 ** day for day in range(12)])
    status, out, _ = gate(tmp_path / "a")
    assert (status, "throughput rose by 1" in out) == (0, True)
    days(tmp_path / "b", *[100 + (-1) ** day for day in range(12)])
    status, out, _ = gate(tmp_path / "b")
    assert (status, "which chance explains" in out) == (0, True)


def test_last_bounds_what_is_looked_at(tmp_path, gate):
    folder = days(tmp_path, *[200] * 6, *[100] * 5, 100)
    assert "200.0, the median of the last 11 valid" in gate(folder, "--last", "20")[2]
    status, out, _ = gate(folder, "--last", "5")
    assert (status, "100.0, the median of the last 5 valid runs" in out) == (0, True)
    assert gate(folder, "--last", "0")[0] == 2


def test_only_comparable_valid_earlier_runs_count(tmp_path, gate):
    days(tmp_path, *[200] * 6, mode={"BATCH_SIZE": "64"})
    days(tmp_path, *[200] * 6, first=10, verdict="noisy", reasons=["steal"])
    days(tmp_path, *[200] * 6, first=20, failure="died")
    days(tmp_path, *[200] * 6, first=30, name="inference_throughput_amx_int8_gated")
    days(tmp_path, *[200] * 6, first=50)  # later than what is judged
    status, out, err = gate(days(tmp_path, 100, first=40))
    assert (status, err) == (0, "")
    assert f"{LEAST_HISTORY} comparable valid earlier runs are needed, 0 are there (6 noisy runs do not count)" in out
    assert "nothing was there to judge by" in out


def test_iterations_are_one_occasion(tmp_path, gate):
    for iteration in range(1, 21):
        days(tmp_path, 100, iteration=iteration)
    for iteration, value in enumerate((90, 99, 100), start=1):
        folder = days(tmp_path, value, first=1, iteration=iteration)
    status, out, _ = gate(folder, "--references", one(tmp_path))
    assert (status, "(median of 3 runs)" in out, "needed, 1 are there" in out) == (0, True, True)
    assert "throughput 99.0 is 1 % below" in out


def test_base_may_lie_elsewhere(tmp_path, gate):
    days(tmp_path / "history/nightly", *[100] * 6)
    folder = days(tmp_path / "new", 80, first=10)
    assert gate(folder)[0] == 0
    assert gate(folder, "--base", tmp_path / "history")[0] == 4
    assert gate(folder, "--base", tmp_path / "none")[0] == 2


def test_results_outside_of_logs_folders(tmp_path, gate):
    for number in range(7):
        made = synthetic(rate=100 if number < 6 else 80, started_at=(START + timedelta(days=number)).isoformat())
        made.write(tmp_path / f"benchmark_{number}.json")
    status, _, err = gate(tmp_path)
    assert (status, "100.0, the median of the last 6 valid runs" in err) == (4, True)


def test_no_reference_for_this_cpu_or_case_or_parameters_is_said(tmp_path, gate):
    folder = days(tmp_path, 1.0)
    status, out, err = gate(folder, "--references", one(tmp_path, cpu="Other*", more="   cores: 7\n"))
    assert (status, err) == (0, "")
    assert "no reference for the CPU 'FAKE Xeon' with 2 cores; its systems: 'Other*' with 7 cores" in out
    assert "no reference for the case" in gate(folder, "--references", one(tmp_path, case="*_avx*"))[1]
    other = one(tmp_path, more="       parameters: {BATCH_SIZE: 8}\n")
    status, out, _ = gate(folder, "--references", other)
    assert (status, "only with BATCH_SIZE=8, which this did not run with" in out) == (0, True)
    assert gate(folder, "--references", one(tmp_path, more="       parameters: {BATCH_SIZE: 4}\n"))[0] == 4


def test_several_systems_in_one_file(tmp_path, gate):
    file = yaml(tmp_path, """
systems:
  - cpu: "*"
    cases:
      "*": {throughput: {value: 1000, tolerance: 5 %}}
  - cpu: "FAKE*"
    cores: 2
    cases:
      "test_resnet50_pytorch_xeon_public_*_amx_int8": {throughput: {value: 100, tolerance: 5%}}
  - cpu: "FAKE*"
    cores: 4
    cases:
      "*_amx_int8": {throughput: {value: 200, tolerance: 2.5 %}, latency: {value: 20, tolerance: 5 %}}
""")
    assert gate(days(tmp_path / "a", 99), "--references", file)[0] == 0
    four = days(tmp_path / "b", 198, latency_ms=30, topology={"core_count": 4})
    status, out, err = gate(four, "--references", file)
    assert (status, "throughput 198.0 is 1 % below the reference 200.0" in out) == (4, True)
    assert err == f"error: latency 30.0 is 50 % above the reference 20.0 (tolerance 5 %){ALONE}\n"
    other = days(tmp_path / "c", 99, system={"cpu": "Another"})
    assert "90.1 % below the reference 1000.0" in gate(other, "--references", file)[2]


def test_a_noisy_result_is_judged_and_said(tmp_path, gate):
    slow = days(tmp_path, 80, verdict="noisy", reasons=["other load on cpu 3"])
    status, out, err = gate(slow, "--references", one(tmp_path))
    assert status == 4
    assert err == ("error: throughput 80.0 is 20 % below the reference 100.0 (tolerance 5 %)"
                   f"{ALONE}; the result is noisy\n")
    assert "is noisy: other load on cpu 3" in out
    assert gate(days(tmp_path, 100, first=1), "--references", one(tmp_path))[0] == 0


@pytest.mark.parametrize("changes", [{"verdict": "invalid", "reasons": ["frequency"]}, {"failure": "died"}])
def test_an_invalid_or_failed_result_does_not_pass(tmp_path, gate, changes):
    days(tmp_path, 100)
    status, out, err = gate(days(tmp_path, 100, first=1, **changes), "--references", one(tmp_path))
    assert (status, out) == (1, "GATE: 1 broken\n")
    assert ("died" if "failure" in changes else "frequency") in err


def test_a_mode_without_a_kpi_to_compare_is_named(tmp_path, gate):
    status, out, err = gate(days(tmp_path, 100, mode={"MODE": "training"}), "--references", one(tmp_path))
    assert (status, "is not judged: no primary KPI of MODE training" in err) == (0, True)


def test_a_folder_without_result_does_not_pass_by_an_older_one(tmp_path, gate):
    days(tmp_path, 100)
    folder = tmp_path / f"20260301-000000-logs-resnet50_pytorch_xeon_public_{CASE}"
    folder.mkdir()
    assert gate(tmp_path)[0] == 1
    status, _, err = gate(folder)
    assert (status, "there is no result to judge" in err) == (2, True)


def test_a_folder_of_cases_is_judged_case_by_case(tmp_path, gate):
    days(tmp_path, 50, 100)
    days(tmp_path, 60.0, kind="latency_ms", **LATENCY)
    file = one(tmp_path, more="     '*_latency_*':\n       latency: {value: 40, tolerance: 5 %}\n")
    status, _, err = gate(tmp_path, "--references", file)
    assert status == 4
    assert ("error: inference_latency_amx_int8: latency 60.0 is 50 % above the reference 40.0 (tolerance 5 %)"
            f"{ALONE}\n") in err


def test_points_of_a_sweep_are_judged_apart(tmp_path, gate):
    days(tmp_path, 100, iteration=1)
    folder = days(tmp_path, 50, iteration=2, mode={"BATCH_SIZE": "8"})
    status, _, err = gate(folder, "--references", one(tmp_path))
    assert (status, err) == (4, f"error: {CASE} BATCH_SIZE=8: throughput 50.0 is 50 % below the reference 100.0 "
                                f"(tolerance 5 %){ALONE}\n")


def test_junit_counts_and_names_everything(tmp_path, gate):
    days(tmp_path, 90, verdict="noisy", reasons=["a \x1b[31m<load>"])
    days(tmp_path, 100, name="inference_throughput_avx_int8", failure="killed \x00 & gone")
    file = tmp_path / "gate.xml"
    assert gate(tmp_path, "--references", one(tmp_path), "--junit", file)[0] == 4
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "2"}
    assert suite.find("testcase/failure").get("message").startswith("throughput 90.0 is 10 % below")
    assert "killed ? & gone" in suite.find("testcase/error").get("message")
    assert "<load>" in suite.find("testcase/system-out").text
    assert gate(tmp_path, "--junit", tmp_path / "none/x.xml")[0] == 3


@pytest.mark.parametrize(("text", "says"), [
    ("systems: [{cpu: a, cases: {'*x': {troughput: {}}}}]",
     r"systems\[0\]\.cases\['\*x'\]: troughput is not a key \(did you mean throughput\?\); allowed here: throughput, "
     r"latency,.* parameters"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerence: 5 %}}}}]", "did you mean tolerance"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1}}}}]", "the key tolerance is missing"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: -1, tolerance: 5 %}}}}]", "value: -1 is not a number above"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: .nan, tolerance: 5 %}}}}]", "value: nan"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 0.05}}}}]", "tolerance: 0.05 .* such as 5 %"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 100 %}}}}]", "below 100 %"),
    ("systems: [{cpu: a, cases: {x: {throughput: 5}}}]", r"value, tolerance below it .* not a int \(5\)"),
    ("systems: [{cpu: a, cases: {x: {}}}]", "no KPI is given"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 5 %}, parameters: {BATCHSIZE: 1}}}}]",
     "did you mean BATCH_SIZE"),
    ("systems: [{cpu: a, cores: true, cases: {}}]", "cores: True is no number"),
    ("systems: [{cores: 2, cases: {}}]", "key cpu is missing"), ("systems: [{cpu: a}]", "key cases is missing"),
    ("systems: [{cpu: a, cases: [x]}]", "case globs"), ("systems: {cpu: a}", "a list of systems"),
    ("system: []", "did you mean systems"), ("- a", "systems below it"), ("systems: [", "is not YAML"),
    ("systems: [{cpu: *glob}]", "is not YAML")])
def test_a_wrong_file_is_refused_by_place(tmp_path, text, says):
    file = yaml(tmp_path, text)
    with pytest.raises(BadInput, match=says) as caught:
        read_references(Path(file))
    assert all(line.startswith(file) for line in caught.value.violations)


def test_no_systems_is_a_gate_by_history_alone(tmp_path, gate):
    days(tmp_path, *[100] * 6)
    assert gate(days(tmp_path, 80, first=6), "--references", yaml(tmp_path, "systems: []"))[0] == 4


def test_reference_makes_a_file_that_gate_reads(tmp_path, gate, capsys):
    cpu = {"cpu": "FAKE [x] (R) *"}
    for iteration, value in enumerate((100, 101, 99, 110, 100), start=1):
        folder = days(tmp_path / "a", value, iteration=iteration, system=cpu)
    days(tmp_path / "a", 50, mode={"BATCH_SIZE": "8"}, iteration=6, system=cpu)
    days(tmp_path / "a", 1, iteration=7, system=cpu, verdict="noisy", reasons=["steal"])
    days(tmp_path / "a", 1, first=0, iteration=0, system=cpu, software={"torch": "1"})
    assert main(["reference", str(folder)]) == 0
    said = capsys.readouterr()
    assert "noisy: steal" in said.err and "software versions of newer runs differ" in said.err
    assert "rests on 1 restart, which shows no spread" in said.err
    file = tmp_path / "made.yaml"
    file.write_text(said.out)
    systems = read_references(file).systems
    assert [(system.cores, list(system.cases)[0].kpis["throughput"].value) for system in systems] == [
        (2, 100.0), (2, 50.0)]
    # MAD 1 of 100: 3 * 1.4826 * 1 %, rounded up
    assert systems[0].cases[0].kpis["throughput"].tolerance == pytest.approx(0.045)
    assert systems[1].cases[0].kpis["throughput"].tolerance == pytest.approx(0.03)
    assert gate(days(tmp_path / "b", 96, system=cpu), "--references", file)[0] == 0
    assert gate(days(tmp_path / "c", 95, system=cpu), "--references", file)[0] == 4
    assert gate(days(tmp_path / "d", 50, system=cpu, mode={"BATCH_SIZE": "8"}), "--references", file)[0] == 0


def test_reference_without_a_valid_result(tmp_path, capsys):
    assert main(["reference", str(days(tmp_path, 100, verdict="noisy", reasons=["steal"]))]) == 2
    assert "noisy: steal" in capsys.readouterr().err
    assert main(["reference", "--noisy", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "value: 100," in said.out and "is noisy: steal" in said.err


def test_control_limit():
    assert control_limit([100.0]) == (100.0, 0.03)
    middle, tolerance = control_limit([98, 99, 100, 101, 102, 50])
    assert (middle, tolerance) == (99.5, pytest.approx(3 * 1.4826 * 1.5 / 99.5, rel=1e-4))
    for values in ([], [0.0]):
        with pytest.raises(ValueError):
            control_limit(values)


def test_ctests_option_is_checked_before_any_case_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one(tmp_path)
    assert options.parse(["--gate", "references.yaml", "-V"])[1].gate == str(tmp_path / "references.yaml")
    assert options.parse(["-V"])[1].gate == ""
    yaml(tmp_path, "systems: [{}]")
    with pytest.raises(BadInput, match="key cpu is missing"):
        options.parse(["--gate", "references.yaml"])
    with pytest.raises(BadInput, match="cannot be read"):
        options.parse(["--gate", "none.yaml"])


class FakeBackend:
    """Stands in for a run: leaves a FAKE result."""

    local = False

    def cpus(self):
        return ()

    def run(self, texts, folder, timeout_s):
        synthetic(rate=90.1, started_at="2026-06-01T00:00:00+00:00").write(folder / "benchmark_x.json")
        return 0


@pytest.mark.parametrize(("reference", "status"), [(102.7, 4), (92.0, 0), (None, 0)])
def test_a_regression_fails_the_case(tmp_path, monkeypatch, capsys, reference, status):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(case_command, "choose", lambda settings: (FakeBackend(), "BACKEND: fake"))
    monkeypatch.setattr(logs, "run_kpi", lambda folder: (0, "*Throughput (samples/sec): 90.1\n"))
    overrides = options.Overrides(gate=one(tmp_path, reference) if reference else "",
                                  statuses=str(tmp_path / "statuses"))
    overrides.write(tmp_path / "overrides.json")
    monkeypatch.setenv(options.OVERRIDES_VARIABLE, str(tmp_path / "overrides.json"))
    assert main(["case", "inference_throughput_amx_int8"]) == status
    said = capsys.readouterr()
    assert (tmp_path / "statuses").read_text() == f"{status} inference_throughput_amx_int8\n"
    assert ("GATE: " in said.out) == bool(reference)
    text = f"error: throughput 90.1 is 12.3 % below the reference 102.7 (tolerance 5 %){ALONE}\n"
    assert said.err == text * (status == 4)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_examples_are_yaml_and_name_real_options(name):
    path = Path(__file__).parents[1] / "docs/ci" / name
    text = path.read_text()
    assert len(config.load_yaml(path)) == 1
    known = {word for parser in (options.parser(), gate_command.parser()) for word in parser._option_string_actions}
    used = set(re.findall(r"(?<![\w-])--[a-z-]+", "\n".join(line for line in text.splitlines()
                                                           if not line.lstrip().startswith("#"))))
    assert used <= known | {"--output-junit"}
    assert {"--gate", "--output-junit", "--junit"} <= used
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)
