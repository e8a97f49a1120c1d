"""BATCH_SIZE=auto and CORES_PER_INSTANCE=auto with a FAKE measurement: searched once, then known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resnet50_bench.case.case import Case, Layer, resolve
from resnet50_bench.case.defaults import Machine
from resnet50_bench.cli.sweep_printer import SweepPrinter
from resnet50_bench.engines import memory
from resnet50_bench.errors import BadInput, RunFailed
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.sweep import auto, best


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(best.versions, "software_record", lambda python: {"torch": "2.8.0"})
    monkeypatch.delenv("RESNET50_BENCH_BURST", raising=False)
    return tmp_path / "cache"


def machine() -> Machine:
    return Machine(memory.read_cpu(), memory.read_topology())


def decided(**texts: str) -> Case:
    case = resolve([Layer("flag", {"PRECISION": "avx2_int8"} | texts)], machine())
    return auto.decided(case, machine(), Path("python"), Surroundings.of(os.environ), SweepPrinter())


def test_a_short_search_finds_both_once_and_then_they_are_known(fake, capsys):
    first = decided(BATCH_SIZE="auto", CORES_PER_INSTANCE="auto")
    assert (first.batch_size, first.cores_per_instance) == (64, 2)  # where the FAKE surface is highest
    assert 0 < len(fake.measured) < 20 and "A short search" in capsys.readouterr().out
    assert "BATCH_SIZE: auto is 64, CORES_PER_INSTANCE: auto is 2, the best of a search of" in first.notices[-1]
    measured = len(fake.measured)
    again = decided(BATCH_SIZE="Auto", CORES_PER_INSTANCE="auto", STEPS="7")
    assert len(fake.measured) == measured and (again.batch_size, again.steps) == (64, 7)
    assert "the best known since 20" in again.notices[-1]
    assert again.texts()["BATCH_SIZE"] == "64" and dict(again.origins)["BATCH_SIZE"] == "auto"


def test_a_given_rate_is_refused_before_anything_is_searched(fake):
    with pytest.raises(BadInput, match="BATCH_SIZE=auto is not supported with TARGET_QPS=20: .* Leave TARGET_QPS out"):
        decided(MODE="server", TARGET_QPS="20", BATCH_SIZE="auto")
    assert not fake.measured


def test_a_new_commit_searches_nothing_again_and_a_new_torch_does(fake, monkeypatch):
    def software(**found: object) -> None:
        monkeypatch.setattr(best.versions, "software_record", lambda python: found)

    software(torch="2.8.0", git_commit="a", git_changed=False)
    decided(BATCH_SIZE="auto")
    measured = len(fake.measured)
    software(torch="2.8.0", git_commit="b", git_changed=True)
    decided(BATCH_SIZE="auto")
    assert len(fake.measured) == measured
    software(torch="2.9.0", git_commit="b", git_changed=True)
    decided(BATCH_SIZE="auto")
    assert len(fake.measured) > measured


def test_only_what_is_auto_is_searched(fake):
    case = decided(BATCH_SIZE="auto", CORES_PER_INSTANCE="2")
    assert case.cores_per_instance == 2 and {cores for _, _, cores in fake.measured} == {2}
    assert {batch for _, batch, _ in fake.measured} == {1, 4, 16, 64}


def test_another_case_is_another_search(fake):
    decided(BATCH_SIZE="auto")
    measured = len(fake.measured)
    case = decided(BATCH_SIZE="auto", MODE="latency")
    assert len(fake.measured) > measured and case.batch_size == 1


def test_numbers_need_no_search(fake):
    assert decided(BATCH_SIZE="8").batch_size == 8 and not fake.measured


def test_a_whole_sweep_is_remembered_and_one_over_a_list_is_not(fake, cache):
    fake.sweep("--precision=avx2_int8", "--batch_size=1 2")
    assert not (cache / "best").exists()
    for path in fake.folder.iterdir():
        path.rename(cache.parent / path.name)
    fake.sweep("--precision=avx2_int8")
    measured = len(fake.measured)
    case = decided(BATCH_SIZE="auto", CORES_PER_INSTANCE="auto")
    assert len(fake.measured) == measured and case.batch_size == 128


@pytest.mark.parametrize("damaged", [b'{"BATCH_SIZE": 3}', b'{"BATCH_SIZE": 3, "unit": "\xff"}', b"\xff"])
def test_what_is_damaged_is_searched_again(fake, cache, damaged):
    decided(BATCH_SIZE="auto")
    path, = (cache / "best").glob("*.json")
    path.write_bytes(damaged)
    assert decided(BATCH_SIZE="auto").batch_size == 64


def test_a_search_that_was_ended_goes_on(fake):
    fake.ends_before = 2
    with pytest.raises(BaseException, match="SIGTERM"):
        decided(BATCH_SIZE="auto")
    fake.ends_before = None
    decided(BATCH_SIZE="auto")
    assert len(set(fake.measured)) == len(fake.measured)


@pytest.mark.parametrize(("texts", "why"), [
    ({"FUNCTION": "training", "PRECISION": "avx2_fp32"}, "not supported with FUNCTION=training"),
    ({"MODE": "accuracy"}, "MODE=accuracy: give a number")])
def test_where_no_speed_is_measured_it_is_refused(fake, texts, why):
    with pytest.raises(BadInput, match=why):
        decided(BATCH_SIZE="auto", **texts)


def test_a_burst_does_not_search(fake, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_BURST", "2")
    with pytest.raises(BadInput, match="run the case once before"):
        decided(BATCH_SIZE="auto")


def test_a_search_in_which_nothing_can_be_measured_fails(fake):
    fake.fails = {("avx2_int8", batch, 2): RunFailed("out of memory") for batch in (1, 4, 16, 64)}
    with pytest.raises(RunFailed, match="no point could be measured: failed: out of memory"):
        decided(BATCH_SIZE="auto", CORES_PER_INSTANCE="2")
