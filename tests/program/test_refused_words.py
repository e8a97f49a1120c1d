"""What a user types wrongly, or asks without running: one line, before anything is started; and what is kept."""

from __future__ import annotations

import re
import subprocess

import pytest

from support.engine import FP32, GATED, ROOT, assert_no_kpi, ctest, logs_folders, run_test
from support.fake_checkout import FAILS, Checkout


@pytest.mark.parametrize(("words", "why"), [
    (["--set", "BATCH_SIZE=0"], "BATCH_SIZE='0' is too small"), (["--batchsize=2"], "did you mean --batch_size?"),
    (["--set", "BATCHSIZE=2"], "did you mean BATCH_SIZE?"), (["--testcase", GATED + "x"], "there is no such case"),
    (["--testcase", GATED, "--cores_per_instance=100000"], "does not fit")], ids=str)
def test_bad_input_is_status_2_in_one_line_before_anything_runs(tmp_path, words, why):
    done = ctest(tmp_path, *words, "-V")
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stdout + done.stderr
    assert "Evaluating RESNET" not in done.stdout


def test_config_and_dry_run(tmp_path):
    (tmp_path / "c.yaml").write_text('"*_gated":\n  STEPS: 3\n"*_latency_*":\n  STEPS: 4\n')
    build = tmp_path / "build"
    done = ctest(build, "-V", "--config", str(tmp_path / "c.yaml"), "--dry-run",
                 "-R", f"inference_(latency|throughput)_{FP32}_gated",
                 WARMUP_STEPS="7", STEPS="9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(logs_folders(build)) == 2
    for logs in logs_folders(build):
        text = (logs / "workload-config.yaml").read_text()
        assert f'STEPS: "{4 if "latency" in logs.name else 3}"' in text and 'WARMUP_STEPS: "7"' in text
        assert not list(logs.glob("itr-*"))


@pytest.fixture
def folder(tmp_path):
    """Where a case leaves its files."""
    (tmp_path / "worker-0-c0").mkdir()
    return tmp_path / "worker-0-c0"


def test_bad_input_ends_before_any_model_is_built(folder):
    done = run_test(folder, "--batch_size=0", "--steps=abc")
    assert done.returncode == 2 and "BATCH_SIZE" in done.stderr and "STEPS" in done.stderr
    assert not list(folder.glob("instance-*.log"))
    assert_no_kpi(folder)


def test_without_images_or_weights_nothing_is_started(folder):
    done = run_test(folder, "--mode=accuracy", f"--precision={FP32}", "--dataset=/nowhere")
    assert done.returncode == 2 and "the data set /nowhere is not a folder" in done.stderr


def test_doctor_says_a_verdict_for_every_check():
    done = subprocess.run([ROOT / "ctest.sh", "--doctor"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert all(line.endswith(":") or line.startswith("  [") or " checks ok: " in line for line in lines[:-1])
    assert sum(map(int, re.findall("[0-9]+", lines[-1].removeprefix("doctor: ")))) > 10


def test_nothing_already_measured_is_lost_when_a_later_iteration_fails(tmp_path):
    """What runs is FAKE; the second iteration fails."""
    checkout = Checkout(tmp_path / "checkout")
    name, failing = FAILS.split("=")
    done = checkout.ctest("-V", "--testcase", checkout.case, "--set", f"{name}=0 {failing}")
    assert done.returncode == 1 and "FAKE failure" in done.stdout, done.stdout + done.stderr
    logs, = checkout.logs()
    assert (logs / "itr-2").is_dir()
    assert "*Throughput" in checkout.run("sh", ROOT / "kpi.sh", logs / "itr-1").stdout
