"""MODE=server with MLPerf's LoadGen itself and FAKE instances, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from resnet50_bench.history import collection
from support.fake_instance import interpreter
from support.kpi_logs import kpi

ROOT = Path(__file__).parents[2]
pytest.importorskip("mlperf_loadgen")


class Ran:
    """A case of FAKE instances: its exit status, what it printed, and its result."""

    def __init__(self, folder: Path, *words: str, python: Path | None = None, step_ms: float = 0.0, **environment: str):
        worker = folder / "itr-1/worker-0-c0"
        worker.mkdir(parents=True)
        python = python or interpreter(folder / "python")
        done = subprocess.run(
            [ROOT / "run_test.sh", "--mode=server", "--precision=avx2_fp32", "--cores_per_instance=1",
             "--warmup_steps=0", f"--customer_env=FAKE_STEP_MS={step_ms}", *words], cwd=worker, capture_output=True,
            text=True, check=False, env={**os.environ, "RESNET50_BENCH_PYTHON": str(python), **environment})
        self.status, self.folder, self.text = done.returncode, worker, done.stdout + done.stderr
        self.error = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), "")
        files = sorted(worker.glob("benchmark_*.json"))
        self.result = json.loads(files[-1].read_text()) if files else {}
        self.left = sorted(path.name for path in worker.glob(".*"))


def test_loadgen_judges_the_rate_and_kpi_sh_prints_it(tmp_path):
    ran = Ran(tmp_path, "--target_qps=200", "--min_duration=3", "--latency_bound_ms=500", "--batch_size=3")
    assert ran.status == 0, ran.text
    server = ran.result["statistics"]["server"]
    assert server["valid"] and server["queries"] >= 459
    assert server["completed_queries_per_s"] == pytest.approx(200, rel=0.2)
    logs = {path.name for path in ran.folder.iterdir()}
    assert {"mlperf_log_summary.txt", "mlperf_log_detail.txt"} <= logs and not ran.left
    served = [record["served"] for record in ran.result["processes"][0]["facts"]["data"].values()]
    assert all(1 <= int(size) <= 3 for one in served for size in one["batches"])
    printed = kpi(tmp_path).stdout
    assert f"*Server Rate (queries/sec): {server['completed_queries_per_s']:.4f}" in printed
    assert "Latency P90 (ms): " in printed and "## LATENCY_BOUND_MS: 500" in printed


def test_a_bound_that_nothing_meets(tmp_path):
    ran = Ran(tmp_path, "--target_qps=200", "--min_duration=2", "--latency_bound_ms=0.1", step_ms=2.0)
    assert ran.status == 1
    assert "LoadGen: not met: the bound" in ran.error
    assert ran.result["verdict"] == "invalid" and ran.result["statistics"]["server"]["late"] > 0
    assert kpi(tmp_path).returncode == 1 and "*Server Rate" not in kpi(tmp_path).stdout
    checks = {check["name"]: check["verdict"] for check in ran.result["checks"]}
    assert (checks["LoadGen"], checks["length"], checks["padding"]) == ("invalid", "note", "ok")


def test_a_rate_of_a_million_is_refused(tmp_path):
    ran = Ran(tmp_path, "--target_qps=1000000")
    assert ran.status == 2 and "TARGET_QPS='1000000'" in ran.error and "100000" in ran.error


def test_without_loadgen_one_line_says_how_to_get_it(tmp_path):
    python = interpreter(tmp_path / "python")
    hidden = tmp_path / "mlperf_loadgen.py"
    hidden.write_text("raise ImportError('hidden by a test')")
    ran = Ran(tmp_path, "--target_qps=100", python=python, PYTHONPATH=str(tmp_path))
    assert ran.status == 3
    assert "LoadGen" in ran.error and "scripts/setup.sh" in ran.error and not ran.left


def test_auto_finds_the_rate_and_keeps_what_it_tried(tmp_path):
    ran = Ran(tmp_path, "--min_duration=2", "--latency_bound_ms=400", "--batch_size=2", step_ms=5.0)
    assert ran.status == 0, ran.text
    server = ran.result["statistics"]["server"]
    tried, throughput = server["search"]["tried"], server["search"]["throughput_images_per_s"]
    assert server["valid"] and 0 < server["target_queries_per_s"] < throughput
    assert any(rate["valid"] for rate in tried)
    assert all((ran.folder / rate["folder"]).is_dir() for rate in tried)
    assert len(list(ran.folder.glob("benchmark_*.log"))) == 1 and ", new processes: " in ran.text
    assert kpi(tmp_path).stdout.count("*Server Rate (queries/sec): ") == 1
    listed = collection.find([tmp_path])
    assert [entry.primary[:2] for entry in listed] == [("Server Rate", "queries/sec")], "tried rates are no results"


def test_a_bound_below_every_query_ends_the_search_at_once(tmp_path):
    ran = Ran(tmp_path, "--min_duration=1", "--latency_bound_ms=0.1", step_ms=5.0)
    assert ran.status == 1
    assert "nothing meets LATENCY_BOUND_MS=0.1: the fastest query took" in ran.error
    assert len(list(ran.folder.glob("rates/*"))) == 1, "the throughput alone is left there: one rate was enough"
    assert kpi(tmp_path).returncode == 1 and not ran.left


@pytest.mark.parametrize(("program", "named"), [("fake_instance.py", "instance"), ("worker.loadgen", "LoadGen (pid ")])
def test_whoever_is_killed_ends_the_case_and_leaves_nothing(tmp_path, program, named):
    worker = tmp_path / "itr-1/worker-0-c0"

    def kill_one() -> None:
        for _ in range(600):
            time.sleep(0.1)
            if any("Evaluating RESNET" in log.read_text() for log in worker.glob("benchmark_*.log")):
                break
        time.sleep(0.5)
        pids = subprocess.run(["pgrep", "-f", f"{program} {worker}"], capture_output=True,
                              text=True, check=True)
        os.kill(int(pids.stdout.split()[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    ran = Ran(tmp_path, "--target_qps=50", "--min_duration=30", "--latency_bound_ms=1000")
    killer.join()
    assert ran.status == 1 and "was killed by SIGKILL" in ran.error and named in ran.error
    assert not ran.left and ran.result["failure"]
    left = subprocess.run(["pgrep", "-f", str(worker)], capture_output=True, text=True, check=False).stdout
    assert left == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk takes root")
def test_a_full_disk_is_the_infrastructures_fault(tmp_path):
    worker = tmp_path / "itr-1"
    worker.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", worker], check=False).returncode:
        pytest.skip("no tmpfs can be mounted")
    try:
        ran = Ran(tmp_path, "--target_qps=300", "--min_duration=3", "--latency_bound_ms=1000")
    finally:
        subprocess.run(["umount", worker], check=True)
    assert ran.status == 3 and len(ran.error) > 10
