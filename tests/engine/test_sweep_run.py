"""A sweep with real torch: killed in the middle, gone on with, warm workers, and what other commands make of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from resnet50_bench.ctest.config import read_config, texts_for
from support.engine import INT8, ROOT, TWO_CORES, require_precision, result_of, run_test

#: One instance of one core and one of two are far apart: no restarts of rivals follow, which are the next test's.
POINTS = {(INT8, "1", cores) for cores in ("1", "2")}
QUICK = ("--steps=5", "--warmup_steps=0", "--min_duration=1")
WORDS = ("--set", f"PRECISION={INT8}/BATCH_SIZE=1/CORES_PER_INSTANCE=1 2", "--instance_mode=single", *QUICK)


def sweep(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([ROOT / "ctest.sh", "--sweep", folder, *words], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.STDOUT, env=os.environ | {"BACKEND": "native"})


def results_of(folder: Path, workers: str) -> list[dict]:
    """In the order of time; ``warm`` are those of the search, ``fresh`` the restarts of the last rivals."""
    results = [json.loads(path.read_text()) for path in folder.glob("*/benchmark_*.json")]
    return sorted((result for result in results if result["placement"]["workers"] == workers),
                  key=lambda result: result["started_at"])


def points_of(folder: Path, workers: str = "warm") -> Counter[tuple[str, ...]]:
    """How often each point was measured."""
    results = results_of(folder, workers)
    assert all(result["failure"] is None and result["verdict"] != "invalid" for result in results)
    return Counter(tuple(result["case"][name] for name in ("PRECISION", "BATCH_SIZE", "CORES_PER_INSTANCE"))
                   for result in results)


@pytest.mark.slow
@TWO_CORES
def test_a_sweep_killed_in_the_middle_goes_on_to_the_same_points_and_measures_none_twice(tmp_path):
    require_precision(INT8)
    folder = tmp_path / "sweep"
    first = sweep(folder, *WORDS)
    for line in first.stdout:
        if "] 1 of 2 |" in line:
            break
    first.send_signal(signal.SIGKILL)
    first.stdout.close()
    first.wait(timeout=10)
    before = points_of(folder)
    assert sum(before.values()) == 1
    left = subprocess.run(["pgrep", "-f", f"resnet50_bench.worker.main {folder}"], capture_output=True, text=True,
                          check=False)
    assert left.stdout == "", "the workers end with their launcher"

    second = sweep(folder)  # what it was started with lies in its folder
    said = second.communicate(timeout=1200)[0]
    assert second.returncode == 0, said
    assert "1 runs of these points exist already" in said
    assert points_of(folder) == Counter(POINTS)
    assert "2 of 2" not in said and "1 of 1 |" in said

    table = (folder / "sweep.txt").read_text()
    assert all(f"| {INT8} |  {batch} |   {cores} |" in table for _, batch, cores in POINTS), table
    assert str(folder / "sweep.txt") in said and str(folder / "best.yaml") in said
    best = texts_for(read_config(folder / "best.yaml"),
                     f"test_resnet50_pytorch_xeon_public_inference_throughput_{INT8}")
    assert (INT8, best["BATCH_SIZE"], best["CORES_PER_INSTANCE"]) in POINTS

    listed = subprocess.run([ROOT / "list-kpi.sh", "--format", "json", folder], capture_output=True, text=True,
                            check=True)
    assert len(json.loads(listed.stdout)) == len(POINTS) + sum(points_of(folder, "fresh").values())
    subprocess.run([ROOT / "scripts/resnet50-bench.sh", "report", folder, "--output", tmp_path / "report.html"],
                   check=True, capture_output=True)
    assert "Batch size and cores" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
@TWO_CORES
def test_points_of_one_set_up_share_their_processes_and_each_proves_its_kernels(tmp_path):
    require_precision(INT8)
    done = sweep(tmp_path / "sweep", "--set", f"PRECISION={INT8}/BATCH_SIZE=1 2/CORES_PER_INSTANCE=1", *QUICK)
    said = done.communicate(timeout=1200)[0]
    assert done.returncode == 0, said
    results = results_of(tmp_path / "sweep", "warm")
    assert len(results) == 2
    assert len({tuple(report["pid"] for report in result["processes"]) for result in results}) == 1
    for result in results:
        for report in result["processes"]:
            assert sum(report["kernels"].values()) == 53
            assert f"mb{result['case']['BATCH_SIZE']}_" in report["facts"]["layers"][0]["shape"]
    logs = sorted((tmp_path / "sweep").glob("*/benchmark_*.log"))
    assert all("RESULT: passed" in log.read_text() for log in logs)
    restarts = results_of(tmp_path / "sweep", "fresh")
    pids = [report["pid"] for result in restarts for report in result["processes"]]
    assert len(set(pids)) == len(pids), "a restart shares no process with any other"
    assert not restarts or 3 <= max(points_of(tmp_path / "sweep", "fresh").values()) <= 5


@pytest.mark.slow
@TWO_CORES
def test_auto_searches_once_and_its_numbers_stand_in_the_result(tmp_path, monkeypatch):
    require_precision(INT8)
    monkeypatch.setenv("RESNET50_BENCH_CACHE", str(tmp_path / "cache"))
    words = (f"--precision={INT8}", "--case_type=gated", "--batch_size=1", "--cores_per_instance=auto")
    folders = [tmp_path / "first", tmp_path / "again"]
    for each in folders:
        each.mkdir()
    first = run_test(folders[0], *words)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "a short search" in first.stdout and "the best of a search of 2 points" in first.stdout
    taken = result_of(folders[0])["case"]
    assert taken["CORES_PER_INSTANCE"] in ("1", "2") and taken["origins"]["CORES_PER_INSTANCE"] == "auto"
    assert f"CORES_PER_INSTANCE: {taken['CORES_PER_INSTANCE']}\n" in first.stdout
    again = run_test(folders[1], *words)
    assert "a short search" not in again.stdout and "the best known since" in again.stdout
