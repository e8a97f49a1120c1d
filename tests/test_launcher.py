"""Worker processes: started, synchronised, collected, reaped. The workers here are fakes."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from resnet50_bench import launcher
from resnet50_bench.case import Case
from resnet50_bench.errors import RunFailed
from resnet50_bench.launcher import LaunchPlan, launch
from resnet50_bench.placement import Instance, Placement, Process

FAKE = Path(__file__).with_name("fake_worker.py")


@dataclass
class Told:
    """What the launcher said and did, in order."""

    lines: list[str] = field(default_factory=list)


def _case(**environment: str) -> Case:
    return Case(workload="resnet50_pytorch_xeon_public", platform="SPR", function="inference", mode="throughput",
                case_type="", precision="avx2_fp32", topology="resnet50", data_type="dummy", dataset="",
                weights="", qconf="", accuracy_target=0.0, checkpoint="", batch_size=1,
                cores_per_instance=1, instance_mode="flex", steps=10, warmup_steps=0, min_duration=0,
                fail_on_noisy=False, weight_sharing=False, torch_type="IPEX", verbose=False,
                customer_env=tuple(environment.items()))


def _launch(tmp_path: Path, told: Told, **environment: str):
    placement = Placement(tuple(
        Process(i, (Instance(i, (i,), (0,), (0,), None),)) for i in range(2)), (), ())
    plan = LaunchPlan(python=FAKE, folder=tmp_path, cache_dir=tmp_path, libraries={}, inputs={"images": 0},
                      loader_cpus={}, memory_nodes=1,
                      outer_environment=os.environ, say=told.lines.append,
                      on_start=lambda pids: told.lines.append("START"), on_end=lambda pids: told.lines.append("END"))
    return launch(_case(**environment), placement, plan)


def _left_behind() -> list[str]:
    found = subprocess.run(["pgrep", "-f", str(FAKE)], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_all_instances_report_and_the_window_lies_between_start_and_end(tmp_path):
    told = Told()
    reports = _launch(tmp_path, told)
    assert [report.runs[0].instance for report in reports] == [0, 1]
    assert [line for line in told.lines if line in ("START", "END")] == ["START", "END"]
    assert "All instances are warm" in told.lines[told.lines.index("START") - 1]
    assert not list(tmp_path.glob(".process-*")), "exchange files are removed"


def test_an_instance_killed_while_measuring_fails_the_run_by_name_and_signal(tmp_path):
    told = Told()
    began = time.monotonic()
    with pytest.raises(RunFailed, match=r"instance 1 \(pid \d+\) was killed by SIGKILL"):
        _launch(tmp_path, told, FAKE_1="die")
    assert time.monotonic() - began < 10
    assert "END" not in told.lines
    assert _left_behind() == []


def test_an_instance_that_ends_early_is_named_with_its_last_words(tmp_path):
    with pytest.raises(RunFailed, match="instance 0 .* ended with status 3; its last line: no more of this"):
        _launch(tmp_path, Told(), FAKE_0="exit")
    assert _left_behind() == []


def test_a_refusal_is_passed_on(tmp_path):
    with pytest.raises(RunFailed, match="53 of 53 convolutions"):
        _launch(tmp_path, Told(), FAKE_1="refuse")


def test_an_instance_that_hangs_ends_the_run_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "LEAST_PATIENCE_S", 0.5)
    with pytest.raises(RunFailed, match="instance 1 .* it hangs or was stopped"):
        _launch(tmp_path, Told(), FAKE_1="hang")
    assert _left_behind() == []
