"""scripts/test.sh's stages, with quick ones in the place of the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def begin(stages: str) -> subprocess.Popen[str]:
    code = ("import sys\nfrom support import stages\nfrom support.stages import Stage\nstages.TOOLS_OF_ALL = {}\n"
            f"stages.STAGES = ({stages},)\nsys.exit(stages.main([]))")
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env=os.environ | {"PYTHONPATH": "tests"}, start_new_session=True)


def sh(name: str, script: str, more: str = "") -> str:
    return f"Stage({name!r}, ('sh', '-c', {script!r}){more})"


def alive(pattern: str) -> list[str]:
    """The command lines that hold ``pattern``."""
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if pattern in line]


def test_what_runs_beside_others_is_told_when_it_is_waited_for_and_any_failure_counts(tmp_path):
    both = f"for i in $(seq 100); do [ -e {tmp_path}/there ] && echo met && exit; sleep 0.1; done; exit 1"
    meets = f"echo here; touch {tmp_path}/there; exit 3"
    run = begin(", ".join((sh("first", both, ", beside=True"), sh("second", meets),
                           sh("third", "echo last", ", alone=True"))))
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert [line for line in told.splitlines() if not line.startswith("==")] == [
        "here", "met", "last", *(line for line in told.splitlines()[-3:])]
    assert [line.rsplit(" ", 2)[0] for line in told.splitlines()[-3:]] == [
        "first: passed in", "second: FAILED (status 3) after", "third: passed in"]


def test_all_that_passes_is_0():
    run = begin(sh("only", "exit 0"))
    run.communicate(timeout=60)
    assert run.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_stage_and_what_it_left_in_other_sessions(tmp_path, number):
    token = f"30{os.getpid()}{int(number):02}"
    clears = f"trap 'touch {tmp_path}/cleared; exit 1' INT; setsid sleep {token} & touch {tmp_path}/begun; " \
             f"while :; do sleep 0.1; done"
    run = begin(", ".join((sh("beside", clears, ", beside=True"), sh("long", f"sleep {token}"),
                           sh("never", "echo no"))))
    deadline = time.monotonic() + 30
    while not (tmp_path / "begun").exists() or len(alive(f"sleep {token}")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(number)
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert (tmp_path / "cleared").exists() and "== never" not in told
    assert alive(f"sleep {token}") == []
