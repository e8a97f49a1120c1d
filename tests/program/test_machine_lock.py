"""Two runs on the same logical CPUs: the second is told who measures there; disjoint ones, children and itself pass."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.errors import Infrastructure
from resnet50_bench.machine import machine_lock
from resnet50_bench.stack import environment
from resnet50_bench.versus.words import CHOOSING

HOLD = ("import sys, os; from resnet50_bench.machine import machine_lock\n"
        "with machine_lock.held([int(word) for word in sys.argv[1].split(',')]):\n"
        "    print('held', flush=True); sys.stdin.read()")


@contextmanager
def holding(cpus: str):
    """Another process, no ancestor of ours, that holds the CPUs."""
    with subprocess.Popen([sys.executable, "-c", HOLD, cpus], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=os.environ | {"PYTHONPATH": ":".join(sys.path)}) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def other(tmp_path, monkeypatch):
    """One that holds CPUs 2 and 3."""
    monkeypatch.setenv(machine_lock.FOLDER, str(tmp_path))
    with holding("2,3") as process:
        yield process


@pytest.mark.parametrize("words", [["engines"], ["run", "--batch_size=auto"],
                                   ["versus", "--a", "", "--b", "", "--folder=x"], ["sweep", "--batch_size=1 2"]],
                         ids=" ".join)
def test_nothing_that_measures_begins_beside_another(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv(machine_lock.FOLDER, str(tmp_path))
    monkeypatch.setattr(environment, "is_complete", lambda name, where: True)
    for name in CHOOSING:
        monkeypatch.delenv(name, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with holding(str(min(os.sched_getaffinity(0)))):
        assert main(words) == Infrastructure.exit_status
    assert "another measurement uses cpus" in capsys.readouterr().err
    assert not [path for path in here.rglob("*") if path.is_dir()], "a refusal leaves no folder of results"


def test_the_second_is_told_who_holds_them(other):
    with pytest.raises(Infrastructure) as refused, machine_lock.held([0, 1, 2]):
        pass
    assert f"cpus 2-3: process {other.pid}, running since 20" in str(refused.value)
    assert "2,3. Wait until it ends" in str(refused.value), "the command is named"


def test_disjoint_cpus_pass_each_other(other):
    with machine_lock.held([0, 1, 4]):
        pass


def test_a_refused_one_holds_nothing_itself(other):
    with pytest.raises(Infrastructure), machine_lock.held([0, 1, 2, 3]):
        pass
    assert run_child("0,1").returncode == 0


def test_the_kernel_frees_what_a_killed_one_held(other):
    other.kill()
    other.wait()
    with machine_lock.held([2, 3]):
        pass


def run_child(cpus: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", HOLD, cpus], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": ":".join(sys.path)}, check=False)


def test_a_run_within_a_run_and_its_siblings_pass(tmp_path, monkeypatch):
    monkeypatch.setenv(machine_lock.FOLDER, str(tmp_path))
    with machine_lock.held([2, 3]):
        with machine_lock.held([2, 3]):
            pass
        assert run_child("2,3").returncode == 0
        assert run_child("3").stdout == "held\n", "the inner one has not freed them, nor has the child"
    file = tmp_path / "resnet50-bench.lock"
    assert file.stat().st_mode & 0o777 == 0o666, "other users lock it, too"


def test_nothing_is_held_for_a_case_that_runs_elsewhere(other):
    with machine_lock.held(()):
        pass


def test_a_file_that_is_a_link_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(machine_lock.FOLDER, str(tmp_path))
    (tmp_path / "resnet50-bench.lock").symlink_to("/etc/passwd")
    with machine_lock.held([0]):
        pass
    assert "cannot be used" in capsys.readouterr().err
