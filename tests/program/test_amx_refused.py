"""A kernel that refuses the AMX tile state, by a real seccomp filter: what a case, the doctor and the default do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench.machine.cpu import read_cpu

ROOT = Path(__file__).parents[2]
WITHOUT_AMX = (sys.executable, ROOT / "tests/support/without_amx.py")

pytestmark = pytest.mark.skipif("amx_tile" not in read_cpu().flags, reason="this CPU has no AMX, or may not use it")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WITHOUT_AMX, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_a_case_that_needs_amx_ends_before_anything_is_built(tmp_path):
    done = run(tmp_path, ROOT / "run_test.sh", "--precision=amx_int8", "--batch_size=1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "PRECISION=amx_int8 needs AMX" in done.stderr and "Operation not permitted" in done.stderr
    assert not list(tmp_path.glob("instance-*.log"))


def test_the_default_precision_is_one_that_can_be_used(tmp_path):
    done = run(tmp_path, ROOT / "run_test.sh", "--cores_per_instance=4096")
    assert done.returncode == 2 and "4096 does not fit" in done.stderr, "nothing else is wrong"
    assert "AMX" not in done.stderr


def test_the_doctor_says_it(tmp_path):
    done = run(tmp_path, ROOT / "scripts/resnet50-bench.sh", "doctor")
    assert done.returncode == 1 and "[invalid] AMX: the kernel refuses the tile state" in done.stdout
