"""A case that breaks before or in its workers: what stands in the log and the result. The workers here are FAKE."""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.case.defaults import Machine
from resnet50_bench.case.inputs import Inputs
from resnet50_bench.cli import rerun_command, run_command
from resnet50_bench.errors import RunFailed
from resnet50_bench.launch import run_case
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.machine.topology import read_topology
from resnet50_bench.result import result
from support.results import synthetic


@pytest.mark.parametrize(("error", "why"), [
    (RunFailed("instance 0 died"), "instance 0 died"),
    (ValueError("a fault\nof ours"), "ValueError: a fault\nof ours"),
    (OSError(24, "Too many open files"), "OSError: [Errno 24] Too many open files"),
])
def test_whatever_breaks_a_run_stands_in_its_log_and_result(tmp_path, error, why):
    def breaks(*_: object) -> list:
        raise error

    machine = Machine(read_cpu(), read_topology())
    case = resolve([Layer("flag", {"PRECISION": "avx2_fp32", "CORES_PER_INSTANCE": "1"})], machine)
    with pytest.raises(type(error)):
        run_case.run_case(case, Inputs(), machine.topology, Path(sys.executable), tmp_path,
                             datetime.now(timezone.utc), breaks, io.StringIO())
    found = json.loads(next(tmp_path.glob("benchmark_*.json")).read_text())
    assert (found["failure"], found["verdict"]) == (why, "invalid")
    line = f"RESULT: failed: {'; '.join(why.splitlines())}"
    assert line in next(tmp_path.glob("benchmark_*.log")).read_text().splitlines()


def test_an_accuracy_result_is_run_again_without_its_steps(tmp_path, monkeypatch):
    before = synthetic()
    before.case = before.case | {"MODE": "accuracy", "STEPS": "all", "BATCH_SIZE": "4",
                                 "ACCURACY_TARGET": "75.6954", "origins": {"ACCURACY_TARGET": "default"}}
    before.write(tmp_path / "before.json")
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path / "again")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    words: list[str] = []

    def run(argv: list[str]) -> int:
        words.extend(argv)
        before.write(Path("benchmark_now.json"))
        return 0

    monkeypatch.setattr(run_command, "main", run)
    assert rerun_command.main([str(tmp_path / "before.json")]) == 0
    assert "--mode=accuracy" in words and "--batch_size=4" in words
    assert not [word for word in words if word.startswith(("--steps", "--accuracy_target"))]
    assert result.read(tmp_path / "before.json").case["STEPS"] == "all"
