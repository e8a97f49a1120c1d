"""gate and reference: what fails, by which numbers, and what is only said. FAKE results, no torch."""

from __future__ import annotations

import math
import random
import re
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path

import pytest

from resnet50_bench.history.judgement import LEAST_HISTORY, change
from resnet50_bench.result.comparison_stats import control_limit
from support.gate import ALONE, CASE, LATENCY, START, days, one
from support.gate import gate as gate
from support.gate import yaml_is_here as yaml_is_here
from support.results import put, synthetic


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
    assert f"(tolerance 5 %){ALONE}\n" in alone and "cannot show whether the case became slower" in alone
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
    assert status == 0 and "the middle of the last 6 valid runs" in out
    for iteration, value in enumerate((88.0, 89.0, 88.5, 88.0, 88.5), start=1):
        several = days(tmp_path, value, first=7, iteration=iteration)
    assert gate(several)[0] == 4


def test_a_node_is_measured_by_what_the_fleet_did_before(tmp_path, gate):
    for day in range(6):
        fleet(tmp_path, 100.0 + day % 3, 101.0 + day % 2, day=day)
    status, _, err = gate(fleet(tmp_path, 100.5, 70.0, day=6))
    assert status == 4
    assert re.match(rf"error: {CASE} on n1: throughput 70.0 is 30.\d % below \S+, the middle of the last 6 valid", err)


def test_repeated_runs_of_one_node_are_one_point_whatever_containers_call_it(tmp_path, gate):
    for iteration, value in enumerate((90.0, 100.0, 100.0), start=1):
        made = synthetic(rate=value)
        made.system.node = f"container{iteration}"
        folder = put(tmp_path, made, CASE, iteration=iteration).parents[2]
    status, out, _ = gate(folder, "--references", one(tmp_path))
    assert (status, f"GATE: {CASE} (median of 3 runs)" in out) == (0, True)


def test_earlier_runs_are_the_measure_without_a_reference(tmp_path, gate):
    days(tmp_path, 100, 101, 99, 100.5, 99.5, 100)
    assert gate(days(tmp_path, 98, first=6))[0] == 0
    status, _, err = gate(days(tmp_path, 90, first=7))
    assert status == 4
    assert re.fullmatch(r"error: throughput 90.0 is \d+(\.\d)? % below \S+, the middle of the last 7 valid runs "
                        r"\(tolerance [\d.]+ %\)\n", err)


def test_a_rise_of_latency_over_earlier_runs(tmp_path, gate):
    days(tmp_path, *[40.0] * 6, kind="latency_ms", **LATENCY)
    assert gate(days(tmp_path, 36.0, first=6, kind="latency_ms", **LATENCY))[0] == 0
    status, _, err = gate(days(tmp_path, 44.0, first=7, kind="latency_ms", **LATENCY))
    assert status == 4
    assert "latency 44.0 is 10 % above 40.0, the middle of the last 7 valid runs (tolerance 3 %)" in err


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
    assert "through the last 12 runs" in gate(folder, "--last", "20")[2]
    status, out, _ = gate(folder, "--last", "5")
    assert (status, "100.0, the middle of the last 5 valid runs" in out) == (0, True)
    assert gate(folder, "--last", "0")[0] == 2


def test_only_comparable_valid_earlier_runs_count(tmp_path, gate):
    days(tmp_path, *[200] * 6, mode={"BATCH_SIZE": "64"})
    days(tmp_path, *[200] * 6, first=10, verdict="noisy", reasons=["steal"])
    days(tmp_path, *[200] * 6, first=20, failure="died")
    days(tmp_path, *[200] * 6, first=30, name="inference_throughput_amx_int8_gated")
    days(tmp_path, *[200] * 6, first=50)  # later than what is judged
    status, out, err = gate(days(tmp_path, 100, first=40))
    assert (status, err) == (0, "")
    needed = f"{LEAST_HISTORY} valid and comparable earlier runs are needed"
    assert f"{needed}, there are 0 (6 noisy runs do not count)" in out
    assert "without a comparison" in out


def test_iterations_are_one_occasion(tmp_path, gate):
    for iteration in range(1, 21):
        days(tmp_path, 100, iteration=iteration)
    for iteration, value in enumerate((90, 99, 100), start=1):
        folder = days(tmp_path, value, first=1, iteration=iteration)
    status, out, _ = gate(folder, "--references", one(tmp_path))
    assert (status, "(median of 3 runs)" in out, "needed, there are 1" in out) == (0, True, True)
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
    assert (status, "100.0, the middle of the last 6 valid runs" in err) == (4, True)


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
    assert (status, out) == (1, "GATE: 1 failed or without a result\n")
    assert ("died" if "failure" in changes else "frequency") in err


def test_a_mode_without_a_kpi_to_compare_is_named(tmp_path, gate):
    status, out, err = gate(days(tmp_path, 100, mode={"MODE": "training"}), "--references", one(tmp_path))
    assert (status, "is not judged: no primary KPI of MODE training" in err) == (1, True)
    assert gate(tmp_path)[0] == 0, "no file promised a comparison"


def test_what_sets_the_newest_earlier_run_apart_is_said_where_none_is_comparable(tmp_path, gate):
    days(tmp_path, *[100] * 6, mode={"TORCH_TYPE": "EAGER"})
    status, out, _ = gate(days(tmp_path, 100, first=6))
    assert (status, "there are 0; the newest earlier run differs in TORCH_TYPE" in out) == (0, True)


def test_a_folder_without_result_does_not_pass_by_an_older_one(tmp_path, gate):
    days(tmp_path, 100)
    folder = tmp_path / f"20260301-000000-logs-resnet50_pytorch_xeon_public_{CASE}"
    folder.mkdir()
    assert gate(tmp_path)[0] == 1
    status, _, err = gate(folder)
    assert (status, "has no result of a case to judge" in err) == (2, True)


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


def test_control_limit():
    assert control_limit([100.0]) == (100.0, 0.03)
    middle, tolerance = control_limit([99, 101])  # t(0.975, 1) = 12.7, deviation 1.414 %
    assert middle == pytest.approx(100, rel=1e-3) and tolerance == pytest.approx(0.198, abs=0.002)
    middle, tolerance = control_limit([98, 99, 100, 101, 102, 50])
    assert middle == pytest.approx(98.5, abs=1.5) and tolerance < 0.2


@pytest.mark.parametrize("earlier", [2, 3, 5, 10, 20])
def test_at_most_5_percent_of_unchanged_runs_fail_however_few_the_earlier_ones_are(earlier):
    dice = random.Random(earlier)

    def run() -> float:
        return 90 * math.exp(dice.gauss(0, 0.05))

    failed = sum(change("throughput", run(), [run() for _ in range(earlier)]) < 0 for _ in range(400))
    assert failed <= 20
    assert earlier < 5 or change("throughput", 50, [run() for _ in range(earlier)]) < 0


    for values in ([], [0.0]):
        with pytest.raises(ValueError):
            control_limit(values)
