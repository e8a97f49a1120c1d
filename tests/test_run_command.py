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
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.cli import one_run, rerun_command
from resnet50_bench.errors import RunFailed
from resnet50_bench.launch import run_case
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.machine.topology import read_topology
from resnet50_bench.result import result
from resnet50_bench.result.result import Result
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
                             datetime.now(timezone.utc), Surroundings({}), breaks, io.StringIO())
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
    given: dict[str, str] = {}

    def run(flags: dict[str, str], environment: dict[str, str]) -> Result:
        assert not {*environment} & {*CATALOGUE}, "what surrounds the command changes nothing of what is run again"
        given.update(flags)
        return before

    monkeypatch.setattr(one_run, "run", run)
    assert rerun_command.main([str(tmp_path / "before.json")]) == 0
    assert given["MODE"] == "accuracy" and given["BATCH_SIZE"] == "4"
    assert not {"STEPS", "ACCURACY_TARGET"} & set(given)
    assert result.read(tmp_path / "before.json").case["STEPS"] == "all"
