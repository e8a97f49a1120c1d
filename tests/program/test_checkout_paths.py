"""Checkouts as people have them: below awkward paths, cloned with other settings of git. What runs is FAKE."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.fake_checkout import ROOT, Checkout

AWKWARD = ["bench [v2]", "-it's \"q\" a$HOME;b#c &<>|", "*? ${x}@y@%d`id` ünï" + "l" * 200, os.fsdecode(b"caf\xe9")]


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_a_case_runs_in_a_checkout_of_any_name(tmp_path, name):
    checkout = Checkout(tmp_path / name)
    done = checkout.ctest("--testcase", checkout.case)
    assert done.returncode == 0, done.stdout + done.stderr
    here = checkout.build / "workload/ResNet50-Pytorch-Xeon-Public"
    done = subprocess.run(["./ctest.sh", "-N"], cwd=here, env=checkout.environment, capture_output=True, check=False)
    assert done.returncode == 0 and checkout.case.encode() in done.stdout, done.stderr


def test_a_build_folder_of_any_name_is_configured(tmp_path):
    checkout = Checkout(tmp_path / "checkout")
    for name in AWKWARD:
        done = checkout.ctest("--testcase", checkout.case, RESNET50_BENCH_BUILD=str(tmp_path / name))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a:b", "a\\b", "a\nb"], ids=ascii)
def test_a_path_that_python_or_cmake_cannot_take_is_named(tmp_path, name):
    (tmp_path / name / "scripts").mkdir(parents=True)
    for script in ("ctest.sh", "scripts/resnet50-bench.sh"):
        shutil.copy(ROOT / script, tmp_path / name / script)
    done = subprocess.run([tmp_path / name / "ctest.sh", "-N"], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "move the checkout" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_scripts_start_in_a_clone_by_a_git_that_writes_crlf(tmp_path):
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    ignored = shutil.ignore_patterns(".git", "build", ".*cache", "__pycache__", "tests")
    shutil.copytree(ROOT, origin, symlinks=True, ignore=ignored)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"]):
        subprocess.run(["git", "-C", origin, *words], check=True)
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", origin, copy], check=True)
    picture = Path("docs/report.png")
    assert (copy / picture).read_bytes() == (ROOT / picture).read_bytes()
    assert not [path for path in copy.rglob("*.*") if ".git/" not in str(path) and path.is_file()
                and path.suffix != ".png" and b"\r\n" in path.read_bytes()]
    done = subprocess.run([copy / "ctest.sh", "-N"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
