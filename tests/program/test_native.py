"""The native backend's child: its status, and its end at the time-out. No torch."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings, choose
from resnet50_bench.backends.native import run_child
from resnet50_bench.errors import BadInput, RunFailed


def test_a_child_that_takes_too_long_is_ended_and_said_so(tmp_path):
    began = time.monotonic()
    with pytest.raises(RunFailed, match="took longer than TIMEOUT=1 s and was ended"):
        run_child(["sh", "-c", "echo $$ > pid; exec sleep 60"], tmp_path, os.environ, 1)
    assert time.monotonic() - began < 10
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


@pytest.mark.parametrize(("script", "status"), [("exit 4", 4), ("kill -TERM $$", 128 + 15)])
def test_a_childs_status_comes_through(tmp_path, script, status):
    assert run_child(["sh", "-c", script], tmp_path, os.environ, 60) == status


def test_options_that_no_program_takes_are_refused():
    with pytest.raises(BadInput, match="--options=--cpus=2: .*docker, podman, kubernetes, slurm.*--backend=docker"):
        choose(Settings("native", options="--cpus=2"))
    assert choose(Settings("native", options=" "))[0].local
