"""The real thing: run_test.sh with torch, IPEX and this CPU, to log, result and KPI."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from resnet50_bench.case.precision import PRECISIONS
from support.aside import PASSIVE
from support.engine import (
    FP32,
    INT8,
    MINE,
    NOT_BY_AMX_TESTS,
    ROOT,
    TWO_CORES,
    assert_no_kpi,
    kpi,
    require_precision,
    result_of,
    run_test,
)
from support.schema import violations
from support.stack import chosen


# AMX's are run by tests/amx, int8 by tests/engine/test_ctest.py.
@pytest.mark.parametrize("precision", [name for name in PRECISIONS if "amx" not in name and name != INT8])
def test_every_precision_proves_its_kernels_and_gives_a_kpi(folder, precision):
    if precision.startswith("avx2") and precision not in MINE:
        pytest.skip(f"{precision} is for CPUs without AVX-512")
    require_precision(precision)
    done = run_test(folder, f"--precision={precision}", "--case_type=gated")
    assert done.returncode == 0, done.stdout + done.stderr
    report = result_of(folder)["processes"][0]
    assert sum(report["kernels"].values()) == 53
    assert "*Throughput (samples/sec): " in kpi(folder).stdout
    assert violations(result_of(folder)) == [], "docs/reference/result-schema.json"
    log, _, card = done.stdout.partition("\n\n-- ")
    assert "RESULT: passed" in log and len(card.splitlines()) <= 10
    assert "\n   Throughput  " in card and f"\n   Ran         {precision}, IPEX" in card and "\n   Next  " in card


@pytest.mark.parametrize("torch_type", ["EAGER", pytest.param("COMPILE-INDUCTOR", marks=pytest.mark.slow)])
def test_the_other_engines_run_fp32(folder, torch_type, monkeypatch):
    require_precision(FP32)
    if torch_type == "EAGER":  # which caches no model: nobody has made the folder
        monkeypatch.setenv("RESNET50_BENCH_CACHE", str(folder.parent / "none/there"))
    done = run_test(folder, f"--precision={FP32}", "--case_type=gated", f"--torch_type={torch_type}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "*Throughput" in kpi(folder).stdout


def assert_int8_by_inductor(folder):
    result = result_of(folder)
    report = result["processes"][0]
    assert sum(report["kernels"].values()) == 53 and all("src:u8" in name for name in report["kernels"])
    # Each convolution's input and weights, each sum's two inputs, the last layer: none of it is left in fp32.
    assert report["facts"]["quantise_nodes"] >= 2 * 53
    assert "*Throughput" in kpi(folder).stdout
    return result["software"]


@NOT_BY_AMX_TESTS
def test_inductor_runs_int8_kernels_and_keeps_the_program(folder, monkeypatch):
    require_precision(INT8)
    cache = folder.parent / "models"
    monkeypatch.setenv("RESNET50_BENCH_CACHE", str(cache))
    done = run_test(folder, f"--precision={INT8}", "--case_type=gated", "--torch_type=COMPILE-INDUCTOR")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_int8_by_inductor(folder)
    assert len(list(cache.glob("*.pt2"))) == 2, "the model's and the peak's"


def test_inductor_runs_int8_on_the_current_stack_without_ipex(folder, monkeypatch):
    require_precision(INT8)
    monkeypatch.setenv("RESNET50_BENCH_STACK", "current")
    monkeypatch.delenv("RESNET50_BENCH_PYTHON", raising=False)
    if not chosen().is_set_up("current"):
        pytest.skip("the current stack is not set up: RESNET50_BENCH_STACK=current scripts/setup.sh")
    for _ in range(2):  # the second takes the program from the cache
        done = run_test(folder, f"--precision={INT8}", "--case_type=gated", "--torch_type=COMPILE-INDUCTOR")
        assert done.returncode == 0, done.stdout + done.stderr
    software = assert_int8_by_inductor(folder)
    assert "torchao" in software and "intel-extension-for-pytorch" not in software
    refused = run_test(folder, f"--precision={INT8}", "--case_type=gated")
    assert refused.returncode == 3 and "TORCH_TYPE=IPEX needs intel_extension_for_pytorch" in refused.stderr


@pytest.mark.quiet
@TWO_CORES
@pytest.mark.parametrize("sharing", ["", "--weight_sharing"])
def test_two_instances_of_one_core_overlap_and_stay_on_their_cores(folder, sharing):
    require_precision(INT8)
    done = run_test(folder, f"--precision={INT8}", "--mode=latency", "--cores_per_instance=1", "--steps=20",
                    "--warmup_steps=0", "--min_duration=3", *[sharing] * bool(sharing))
    assert done.returncode == 0, done.stdout + done.stderr
    result = result_of(folder)
    runs = [run for report in result["processes"] for run in report["runs"]]
    assert len(runs) == len(os.sched_getaffinity(0))
    assert len({run["pid"] for run in runs}) == (1 if sharing else len(runs))
    for run in runs:
        assert run["observed_cpus"] == run["cpus"]
        assert len(run["starts_ns"]) >= 20
    assert result["statistics"]["window"]["overlap"] >= 0.95
    assert "*Latency (ms): " in kpi(folder).stdout


@NOT_BY_AMX_TESTS
def test_a_wrong_isa_fails_and_names_the_kernels(folder):
    """The cap of another ISA under a precision is what a silent fall-back looks like."""
    require_precision(FP32)
    done = run_test(folder, f"--precision={FP32}", "--case_type=gated",
                    f"--customer_env=ONEDNN_MAX_CPU_ISA=SSE41 {PASSIVE}")
    assert done.returncode == 1
    assert "53 of 53 convolutions did not run" in done.stderr and "sse41" in done.stderr
    assert_no_kpi(folder)


@TWO_CORES
# To the runner alone it comes as to ctest.sh's child: tests/engine/test_ctest.py.
@pytest.mark.parametrize("victim", ["instance", pytest.param("runner", marks=pytest.mark.slow)])
def test_a_kill_in_the_middle_fails_the_case_and_leaves_nothing(folder, victim):
    require_precision(INT8)
    runner = subprocess.Popen([ROOT / "run_test.sh", f"--precision={INT8}", "--cores_per_instance=1",
                               "--batch_size=1", "--steps=100000"], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, start_new_session=True)
    seen = ""
    for line in runner.stdout:
        seen += line
        if "Evaluating RESNET" in line:
            break
    pids = subprocess.run(["pgrep", "-f", f"resnet50_bench.worker.main {folder}"], capture_output=True, text=True,
                          check=True).stdout.split()
    assert len(pids) == len(os.sched_getaffinity(0))
    time.sleep(1)
    began = time.monotonic()
    os.kill(int(pids[-1]) if victim == "instance" else runner.pid, signal.SIGKILL if victim == "instance"
            else signal.SIGTERM)
    rest = runner.stdout.read()
    status = runner.wait(timeout=10)
    runner.stdout.close()
    assert time.monotonic() - began < 10
    if victim == "instance":
        assert status == 1
        assert f"(pid {pids[-1]}) was killed by SIGKILL" in rest
    else:
        assert status == 128 + signal.SIGTERM
        assert "ended by SIGTERM" in rest
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert_no_kpi(folder)


def test_a_result_can_be_run_again_and_compared_with_a_customer_env_that_is_never_evaluated(folder, tmp_path):
    require_precision(INT8)
    assert run_test(folder, f"--precision={INT8}", "--case_type=gated", "--steps=7",
                    "--customer_env=FOO=$(touch${IFS}evaluated) BAR=x;y " + PASSIVE).returncode == 0
    again = tmp_path / "again"
    again.mkdir()
    done = subprocess.run([ROOT / "scripts/resnet50-bench.sh", "rerun", next(folder.glob("benchmark_*.json"))],
                          cwd=again, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STEPS: 7" in done.stdout and "images/s now, ratio" in done.stdout
    assert "CUSTOMER_ENV as seen inside: FOO=$(touch${IFS}evaluated) BAR=x;y" in done.stdout
    assert not (folder / "evaluated").exists() and not (again / "evaluated").exists()
