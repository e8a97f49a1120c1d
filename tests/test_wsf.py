"""The folder inside a WSF checkout, by a STAND-IN for WSF that implements contract section 5's interface."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.parameters import CATALOGUE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A WSF checkout (STAND-IN) with this project below workload/."""
    wsf = tmp_path / "wsf"
    shutil.copytree(ROOT / "tests/wsf_stand_in", wsf)
    shutil.copytree(ROOT, wsf / "workload/ResNet50-PyTorch-Xeon-Public", symlinks=True,
                    ignore=shutil.ignore_patterns(".git", "build", ".*cache", "__pycache__", "tests"))
    return wsf


def sh(*words: object, cwd: Path, **environment: str) -> str:
    environment = {name: text for name, text in os.environ.items() if name not in CATALOGUE} | environment
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
def test_wsfs_cmake_lists_the_cases_and_runs_validate(checkout):
    build = checkout / "build"
    sh("cmake", "-S", checkout, "-B", build, "-DPLATFORM=GNR", cwd=checkout)
    listed = sh("ctest", "-N", cwd=build)
    assert len(re.findall(r"test_resnet50_pytorch_xeon_public_", listed)) == 51
    assert "setup_environment" not in listed, "our own fixture is for standing alone"
    shown = sh("ctest", "-V", "-R", "inference_throughput_amx_int8_pkm$", cwd=build)
    assert "EVENT_TRACE_PARAMS=roi,Evaluating RESNET: ,Complete..." in shown


@pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
def test_a_workload_that_was_not_selected_adds_nothing(checkout):
    sh("cmake", "-S", checkout, "-B", checkout / "build", "-DBENCHMARK=other", cwd=checkout)
    assert "Total Tests: 0" in sh("ctest", "-N", cwd=checkout / "build")


def test_validate_hands_over_what_wsf_reads(checkout):
    workload = checkout / "workload/ResNet50-PyTorch-Xeon-Public"
    shown = sh(workload / "validate.sh", "inference_throughput_amx_bfloat16_gated", cwd=checkout,
               CUSTOMER_ENV="A=$(touch evaluated) B=x y=1", STAND_IN_OVERWRITE="BATCH_SIZE=4",
               RECONFIG_OPTIONS="-DK_CPUS=56")
    assert "PARAM PRECISION=amx_bfloat16" in shown and "PARAM CASE_TYPE=gated" in shown
    assert "PARAM BATCH_SIZE=4" in shown, "overwrite.sh comes before the options are made"
    assert "Dockerfile.1.inference (resnet50-pytorch-intel-public-inference)" in shown
    assert "EVENT_TRACE_PARAMS=\n" in shown
    options = shlex.split(re.search(r"^DOCKER_OPTIONS=(.*)$", shown, re.M).group(1))
    assert "CUSTOMER_ENV=A=$(touch evaluated) B=x y=1" in options and "BATCH_SIZE=4" in options
    assert "RECONFIG_OPTIONS=-DK_CPUS=56 " in shown, "the caller's own definitions are kept"
    assert "-DK_BATCH_SIZE=4" in shown and not list(checkout.rglob("evaluated"))


def test_a_wrong_option_is_refused(checkout):
    done = subprocess.run([checkout / "workload/ResNet50-PyTorch-Xeon-Public/validate.sh", "inference_speed_amx_int8"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "MODE" in done.stderr


def test_build_hands_over_to_wsf(checkout):
    assert "STAND-IN build.sh" in sh(checkout / "workload/ResNet50-PyTorch-Xeon-Public/build.sh", cwd=checkout)
