"""compare A B: the verdict's words, what it rests on, and what it refuses."""

from __future__ import annotations

import math
import random
import re

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.history import comparability
from resnet50_bench.history.comparison import SpeedRatio, verdict
from resnet50_bench.result.comparison_stats import Ratio, ratio_interval
from resnet50_bench.result.kpi import KPIS
from support.results import put, synthetic

LATENCY = {"MODE": "latency"}


def told_of(ratio, mode="throughput"):
    """The verdict's words."""
    kpi = KPIS[mode]
    return verdict(SpeedRatio(kpi.name, kpi.unit, 1.0, ratio.value, ratio.value, ratio.ci))


def runs(folder, *rates, kind="rate", name="inference_throughput_amx_int8", **changes):
    """A logs folder with an iteration for each value; returns ``folder``."""
    folder.mkdir(exist_ok=True)
    for number, rate in enumerate(rates, start=1):
        put(folder, synthetic(**{kind: rate}, **changes), name, iteration=number)
    return folder


@pytest.fixture
def compare(tmp_path, capsys):
    """(exit status, stdout, stderr) of comparing two folders."""
    def run(a, b, *words):
        status = main(["compare", str(a), str(b), *words])
        return (status, *capsys.readouterr())
    return run


@pytest.mark.parametrize(("b", "last"), [
    ((112, 113, 112, 112.2), r"B is faster by 12\.\d % \(95 % interval 1[01]\.\d to 1[34]\.\d %\)"),
    ((89, 88, 89, 89.2), r"B is slower by 11\.\d % \(95 % interval (9|10)\.\d to 1[23]\.\d %\)"),
    ((100, 101, 99, 100.3), r"no difference shown \(95 % interval -\d\.\d to \+\d\.\d %\)")])
def test_repeated_runs(tmp_path, compare, b, last):
    status, out, err = compare(runs(tmp_path / "a", 100, 101, 99.5, 100.2), runs(tmp_path / "b", *b))
    assert (status, err) == (0, "")
    assert re.fullmatch(last, out.splitlines()[-1])
    assert "4 runs" in out
    assert "WARNING" not in out


def test_lower_latency_is_faster(tmp_path, compare):
    a = runs(tmp_path / "a", 40, 40.2, 39.9, kind="latency_ms", case=LATENCY)
    b = runs(tmp_path / "b", 30, 30.2, 29.9, kind="latency_ms", case=LATENCY)
    assert re.search(r"B is faster by 25\.\d % \(95 % .* 2\d\.\d to 2\d\.\d %\): lower latency\n", compare(a, b)[1])
    assert re.search(r"B is slower by 33\.\d % .*: higher latency\n", compare(b, a)[1])


def test_a_single_restart_a_side_says_nothing_but_the_ratio_and_how_to_find_out(tmp_path, compare):
    narrow = runs(tmp_path / "a", 100, statistics={"throughput_ci95": [99.9, 100.1]})
    other = runs(tmp_path / "b", 150, statistics={"throughput_ci95": [149.9, 150.1]})
    many = runs(tmp_path / "e", 150, 150.5, 149.5)
    for a, b in ((narrow, other), (narrow, many), (many, narrow)):
        status, out, err = compare(a, b)
        assert (status, err) == (0, "")
        assert not re.search("faster|slower|better|regression", out)
        assert re.search(r"Ratio B/A: (1\.5|0\.66)\d+\n", out), "without an interval"
        assert "no difference shown: a verdict needs at least two runs per side" in out
        assert "--loop 5" in out and " versus" in out


def test_further_runs_of_a_sweeps_warm_worker_are_no_restarts(tmp_path, compare):
    placement = synthetic().document()["placement"]
    a = runs(tmp_path / "a", 100, 101, 99, placement=placement | {"workers": "warm"})
    b = runs(tmp_path / "b", 120, 121, 119)
    out = compare(a, b)[1]
    assert "NOTICE: A: 1 run of 3 counts" in out and "a verdict needs at least two runs per side" in out
    for number, rate in enumerate((80, 81, 79), start=4):
        put(a, synthetic(rate=rate, placement=placement | {"workers": "fresh"}), iteration=number)
    out = compare(a, b)[1]
    assert "NOTICE: A: 3 runs of 6 counts" in out and "A 80.0000" in out and "B is faster by 50.0 %" in out


def _normal(rng):
    return rng.gauss(100, 4)


def _heavy_tailed(rng):
    """Now and then a restart that loses up to a third."""
    return rng.gauss(100, 2) * (1 - rng.random() / 3 if rng.random() < 0.1 else 1)


@pytest.mark.parametrize("draw", [_normal, _heavy_tailed])
@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_restarts_of_one_thing_are_told_apart_in_at_most_5_percent(draw, count):
    rng, trials = random.Random(1), 2000
    told = 0
    for _ in range(trials):
        a, b = ([draw(rng) for _ in range(count)] for _ in "ab")
        told += "no difference" not in told_of(ratio_interval(a, b))
    assert told <= (0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)) * trials


def test_single_restarts_of_one_thing_are_never_told_apart():
    rng = random.Random(2)
    for _ in range(200):
        found = ratio_interval([_heavy_tailed(rng)], [_heavy_tailed(rng)])
        assert told_of(found).startswith("no difference shown")


def test_a_difference_of_10_percent_between_5_restarts_a_side_is_shown():
    rng, told = random.Random(3), 0
    for _ in range(200):
        a, b = ([factor * rng.gauss(100, 4) for _ in range(5)] for factor in (1, 0.9))
        told += "slower" in told_of(ratio_interval(a, b))
    assert told >= 160


@pytest.mark.parametrize(("case", "other"), [
    ({"PRECISION": "avx_int8"}, {}), ({"BATCH_SIZE": "8"}, {}), ({"CUSTOMER_ENV": ""}, {}),
    ({}, {"software": {"torch": "2.9.0", "torchvision": "1"}}),
    ({"CORES_PER_INSTANCE": "1"}, {"placement": {"processes": [
        {"process": 0, "instances": [{"instance": 0, "cpus": [0]}, {"instance": 1, "cpus": [1]}]}]}}),
    ({"PLATFORM": "GNR"}, {"system": {"cpu": "FAKE Xeon 6", "cpu_model": 173}, "topology": {"core_count": 64}})])
def test_one_thing_that_differs_on_purpose_only_warns(tmp_path, compare, case, other):
    status, out, _ = compare(runs(tmp_path / "a", 100, 101), runs(tmp_path / "b", 200, 201, case=case, **other))
    assert status == 0
    assert "B is faster by 9" in out
    assert out.count("WARNING") == 1
    assert " -> " in out


@pytest.mark.parametrize(("case", "other", "named"), [
    ({"FUNCTION": "training"}, {}, "FUNCTION must be equal"), ({"TOPOLOGY": "resnet101"}, {}, "TOPOLOGY"),
    ({"DATA_TYPE": "real"}, {}, "DATA_TYPE"), ({"STEPS": "7"}, {}, "STEPS must be equal"),
    ({}, {"topology": {"core_count": 4}}, "core_count"),
    ({"PRECISION": "avx_int8", "BATCH_SIZE": "8"}, {}, "more than one setting differs: BATCH_SIZE, PRECISION")])
def test_refusal_and_anyway(tmp_path, compare, case, other, named):
    a, b = runs(tmp_path / "a", 100, 101), runs(tmp_path / "b", 200, 201, case=case, **other)
    status, out, err = compare(a, b)
    assert status == 2
    assert "B is" not in out
    assert "Ratio" not in out
    assert named in out
    assert named in err
    status, out, err = compare(a, b, "--anyway")
    assert (status, err) == (0, "")
    assert named in out
    assert "B is faster" in out


@pytest.mark.parametrize(("duration", "same"), [("10", True), ("11", False)])
def test_a_result_from_before_a_parameter_has_its_default(duration, same):
    older, newer = synthetic(), synthetic(case={"MIN_DURATION": duration})
    assert comparability.things(older, newer) == (set() if same else {"MIN_DURATION"})
    assert bool(comparability.differences(older, newer)) is not same


def test_different_kpis_have_no_ratio_even_anyway(tmp_path, compare):
    a, b = runs(tmp_path / "a", 100), runs(tmp_path / "b", 200, case=LATENCY)
    for words in ([], ["--anyway"]):
        status, out, err = compare(a, b, *words)
        assert status == 2
        assert "Latency and Throughput" in err
        assert "Ratio" not in out


def test_invalid_results_are_left_out_and_noisy_ones_used(tmp_path, compare):
    a, b = runs(tmp_path / "a", 100, 101), runs(tmp_path / "b", 150, 151)
    put(b, synthetic(rate=1, verdict="invalid", reasons=["swapping"]), iteration=3)
    put(b, synthetic(rate=1, verdict="invalid", failure="instance 0 died"), iteration=4)
    put(b, synthetic(rate=152, verdict="noisy", reasons=["steal time"]), iteration=5)
    (b / "benchmark_newer.json").write_text('{"schema": "resnet50-bench-result", "schema_version": 99}')
    status, out, _ = compare(a, b)
    assert status == 0
    assert "B has 3 runs" in out
    assert re.search("LEFT OUT: B: .*itr-3.*: swapping", out)
    assert re.search("LEFT OUT: B: .*itr-4.*: instance 0 died", out)
    assert re.search("LEFT OUT: B: .*schema version 99", out)
    assert re.search("WARNING: B: .*itr-5.* is noisy: steal time", out)


def test_nothing_valid(tmp_path, compare):
    bad = runs(tmp_path / "b", 1, failure="died", verdict="invalid")
    status, _, err = compare(runs(tmp_path / "a", 1), bad)
    assert status == 2
    assert "no valid result" in err


@pytest.mark.parametrize("words", [(), ("--anyway",)])
def test_a_run_is_not_compared_with_itself(tmp_path, compare, words):
    """Neither a folder with itself nor one of its runs with the whole folder."""
    a = runs(tmp_path / "a", 100, 101)
    for b in (a, a / ".." / "a", next(a.rglob("benchmark_*.json")), tmp_path):
        status, out, err = compare(a, b, *words)
        assert (status, out) == (2, "")
        assert "benchmark_" in err


def test_case_by_case(tmp_path, compare):
    a, b = tmp_path / "a", tmp_path / "b"
    for folder, rate in ((a, 100), (b, 120)):
        runs(folder, rate, rate + 1)
        runs(folder, rate / 4, rate / 4 + 0.1, name="inference_throughput_avx_fp32", case={"PRECISION": "avx_fp32"})
    runs(a, 7, name="only_here")
    status, out, _ = compare(a, b)
    assert status == 0
    assert out.count("B is faster by") == 2
    assert "LEFT OUT: A: only_here" in out
    lone = runs(tmp_path / "c", 1, name="another")
    assert compare(a, lone)[0] == 2


def test_a_sweep_is_compared_point_by_point(tmp_path, compare):
    for side, factor in (("a", 1), ("b", 2)):
        folder = tmp_path / side
        folder.mkdir()
        for number, size in enumerate((1, 2, 4) if side == "a" else (1, 2, 8)):
            made = synthetic(rate=size * factor, case={"BATCH_SIZE": str(size)})
            put(folder, made, iteration=number)
    status, out, _ = compare(tmp_path / "a", tmp_path / "b")
    assert status == 0
    assert out.count("Ratio B/A: 2.0000") == 2
    assert "LEFT OUT: A: inference_throughput_amx_int8 BATCH_SIZE=4" in out
    assert "LEFT OUT: B: inference_throughput_amx_int8 BATCH_SIZE=8" in out


def test_runs_of_several_machines_are_not_repeated_runs(tmp_path, compare):
    a, b = runs(tmp_path / "a", 100, 101), runs(tmp_path / "b", 100, 101)
    put(a, synthetic(software={"torch": "2.9.0"}), iteration=3)
    status, _, err = compare(a, b)
    assert status == 2
    assert "the runs of A differ in software versions" in err


@pytest.mark.parametrize(("found", "mode", "words"), [
    (Ratio(1.123, 1.101, 1.146), "throughput", "B is faster by 12.3 % (95 % interval 10.1 to 14.6 %)"),
    (Ratio(0.8, 0.7, 0.9), "throughput", "B is slower by 20.0 % (95 % interval 10.0 to 30.0 %)"),
    (Ratio(0.8, 0.7, 0.9), "latency", "B is faster by 20.0 % (95 % interval 10.0 to 30.0 %): lower latency"),
    (Ratio(1.0, 0.99, 1.02), "latency", "no difference shown (95 % interval -1.0 to +2.0 %)")])
def test_verdict(found, mode, words):
    assert told_of(found, mode) == words
