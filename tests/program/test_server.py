"""MODE=server with MLPerf's LoadGen itself and FAKE instances, as processes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

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
    assert "Latency P99.9 (ms): " in printed and "## LATENCY_BOUND_MS: 500" in printed


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
