"""ctest.sh with real ctest, real torch and this CPU: what a user types and reads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

from support.aside import PASSIVE
from support.engine import CPU, GATED, INT8, ROOT, ctest, logs_folders, require_precision, result_of
from support.schema import violations


def test_a_gated_case_runs_to_its_kpi_and_into_junit(build, tmp_path):
    require_precision(INT8)
    done = ctest(build, "-VV", "--testcase", GATED, "--set", f"CUSTOMER_ENV=FOO=1 BAR=x {PASSIVE}",
                 "--steps=7", "--output-junit", str(tmp_path / "junit.xml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CUSTOMER_ENV as seen inside: FOO=1 BAR=x" in done.stdout
    assert "## STEPS: 7" in done.stdout and "*Throughput (samples/sec): " in done.stdout
    assert "Throughput (samples/sec)" in ElementTree.parse(tmp_path / "junit.xml").getroot().find(
        f"testcase[@name='{GATED}']/system-out").text
    logs, = logs_folders(build)
    assert (logs / "itr-1/worker-0-c0/status").read_text() == "0\n"
    result = result_of(logs / "itr-1/worker-0-c0")
    assert sum(result["processes"][0]["kernels"].values()) == 53 and violations(result) == []
    assert 'STEPS: "7"' in (logs / "workload-config.yaml").read_text()
    assert ctest(build, "--testcase", GATED, "--dry-run").returncode == 0
    assert len(logs_folders(build)) == 2, "earlier results are never deleted"


def test_what_this_cpu_lacks_is_skipped_with_the_reason(build):
    if not CPU.flags & {"amx_tile"}:
        done = ctest(build, "-V", "-R", "inference_throughput_amx_int8_gated", "--platform=SPR")
        assert done.returncode == 77
        assert "***Skipped" in done.stdout and "needs the CPU flags" in done.stdout and "amx_tile" in done.stdout
        assert "Passed" not in done.stdout.split("amx_int8_gated")[-1]
    else:
        pytest.skip("this CPU has AMX: nothing to skip")


@pytest.mark.slow
def test_a_list_is_one_iteration_a_value_and_the_kpi_is_their_mean(build):
    require_precision(INT8)
    done = ctest(build, "-V", "--testcase", GATED, "--set", "WARMUP_STEPS=1 2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# mean of 2 iterations" in done.stdout
    logs, = logs_folders(build)
    assert [path.name for path in sorted(logs.glob("itr-*"))] == ["itr-1", "itr-2"]


@pytest.mark.quiet
def test_a_burst_is_measured_at_once_and_its_results_say_so(build):
    require_precision(INT8)
    done = ctest(build, "-VV", "--testcase", GATED, "--burst", "2", "--min_duration=4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## BURST: 2" in done.stdout and "# BURST RESULT: 2 runs at once" in done.stdout
    share = int(re.search("BURST: all 2 runs were measuring during ([0-9]+) %", done.stdout).group(1))
    assert share > 20
    results = [json.loads(path.read_text()) for path in logs_folders(build)[0].glob("itr-*/*/benchmark_*.json")]
    assert [result["placement"]["burst"] for result in results] == [2, 2]
    assert {result["verdict"] for result in results} == {"noisy"}, "two runs on the same cores disturb each other"


# The others come by the same handler: tests/program/test_ended_from_outside.py sends them.
@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_to_ctest_ends_everything_and_leaves_no_kpi(build, signum):
    require_precision(INT8)
    ctest(build, "-N")
    running = subprocess.Popen([ROOT / "ctest.sh", "-V", "--testcase", GATED, "--steps=1000000"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                               env=os.environ | {"RESNET50_BENCH_BUILD": str(build), "BACKEND": "native"})
    for line in running.stdout:
        if "Evaluating RESNET" in line:
            break
    time.sleep(1)
    began = time.monotonic()
    running.send_signal(signum)
    rest = running.stdout.read()
    assert running.wait(timeout=10) == 128 + signum, rest
    running.stdout.close()
    assert time.monotonic() - began < 10
    assert "# INVALID RESULT" in rest and "*Throughput" not in rest
    left = subprocess.run(["pgrep", "-f", f"resnet50_bench.*{build}"], capture_output=True, text=True, check=False)
    assert left.stdout == ""
