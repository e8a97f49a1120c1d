"""Worker processes: started, synchronised, collected, reaped. The workers here are fakes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from resnet50_bench.case.case import Case
from resnet50_bench.errors import RunFailed
from resnet50_bench.launch import launcher
from resnet50_bench.launch.launcher import Session, launch
from resnet50_bench.launch.placement import place, preview
from resnet50_bench.launch.plan import LaunchPlan
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.machine.topology import parse_cpulist
from resnet50_bench.protocol.messages import Data, Progress
from resnet50_bench.result.placement import PlacedInstance, PlacedProcess, Placement
from support.fakes import topology

FAKE = Path(__file__).parents[1] / "support" / "fake_worker.py"


@dataclass
class Told:
    """What the launcher said and did, in order."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def started(self, pids: list[int]) -> None:
        self.lines.append("START")

    def progressed(self, state: Progress) -> None:
        self.lines.append(f"{state.done} of {state.wanted}")

    def second_passed(self) -> None:
        pass

    def ended(self, pids: list[int]) -> None:
        self.lines.append("END")


def _case(batch_size: int = 1, precision: str = "avx2_fp32", **environment: str) -> Case:
    return Case(workload="resnet50_pytorch_xeon_public", platform="SPR", function="inference", mode="throughput",
                case_type="", precision=precision, topology="resnet50", data_type="dummy", dataset="",
                weights="", qconf="", accuracy_target=0.0, checkpoint="", batch_size=batch_size,
                cores_per_instance=1, instance_mode="flex", steps=10, warmup_steps=0, min_duration=0,
                fail_on_noisy=False, weight_sharing=False, torch_type="IPEX", verbose=False,
                customer_env=tuple(environment.items()))


def _placement(instances: int = 2) -> Placement:
    return Placement(tuple(
        PlacedProcess(i, (PlacedInstance(i, (i,), (0,), (0,)),)) for i in range(instances)))


def _plan(folder: Path) -> LaunchPlan:
    folder.mkdir(exist_ok=True)
    return LaunchPlan(python=FAKE, folder=folder, cache_dir=folder, libraries={}, data=Data(), memory_nodes=1,
                      surroundings=Surroundings(os.environ))


def _launch(tmp_path: Path, told: Told, **environment: str):
    return launch(_case(**environment), _placement(), _plan(tmp_path), told)


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
    with pytest.raises(RunFailed, match="instance 0 .* ended with status 3.*: no more of this"):
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


def _pids(reports) -> list[int]:
    return [report.pid for report in reports]


def test_a_session_gives_the_next_case_to_the_same_processes_each_with_its_own_log(tmp_path):
    told = Told()
    with Session() as session:
        first = session.launch(_case(), _placement(), _plan(tmp_path / "a"), told)
        second = session.launch(_case(batch_size=2), _placement(), _plan(tmp_path / "b"), told)
        assert _left_behind(), "they wait for a third"
        assert not list(tmp_path.glob("*/.process-*")), "exchange files are removed after each case"
    assert _pids(first) == _pids(second)
    assert [line for line in told.lines if line in ("START", "END")] == ["START", "END"] * 2
    assert [(tmp_path / folder / "instance-1.log").read_text() for folder in "ab"] == ["case 1\n", "case 2\n"]
    assert _left_behind() == []


@pytest.mark.parametrize("other", [{"precision": "avx2_int8"}, {"A": "1"}, {"instances": 1}], ids=str)
def test_a_session_starts_new_processes_where_the_set_up_differs(tmp_path, other):
    with Session() as session:
        first = session.launch(_case(), _placement(), _plan(tmp_path / "a"), Told())
        placement = _placement(other.pop("instances", 2))
        second = session.launch(_case(**other), placement, _plan(tmp_path / "b"), Told())
        assert not set(_pids(first)) & set(_pids(second))
        assert not [pid for pid in _pids(first) if Path(f"/proc/{pid}").exists()]
    assert _left_behind() == []


def test_a_session_lives_on_after_a_case_that_failed(tmp_path):
    with Session() as session:
        first = session.launch(_case(FAKE_1="second:die"), _placement(), _plan(tmp_path / "a"), Told())
        with pytest.raises(RunFailed, match=rf"instance 1 \(pid {first[1].pid}\) was killed by SIGKILL"):
            session.launch(_case(FAKE_1="second:die", batch_size=2), _placement(), _plan(tmp_path / "b"), Told())
        assert _left_behind() == []
        third = session.launch(_case(FAKE_1="second:die"), _placement(), _plan(tmp_path / "c"), Told())
        assert len(third) == 2


def test_a_worker_that_died_between_two_cases_is_replaced(tmp_path):
    with Session() as session:
        first = session.launch(_case(), _placement(), _plan(tmp_path / "a"), Told())
        os.kill(first[0].pid, signal.SIGKILL)
        _wait_for_death(first[0].pid)
        second = session.launch(_case(), _placement(), _plan(tmp_path / "b"), Told())
        assert first[0].pid not in _pids(second)


def _wait_for_death(pid: int) -> None:
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


#: The best points that this workload's authors report for two sockets of 56 cores: precision, batch
#: size, cores of an instance.
BEST_POINTS = (("amx_int8", 64, 14), ("amx_bfloat16", 32, 14), ("avx_int8", 32, 7), ("avx_fp32", 128, 4))


@pytest.mark.parametrize("shape", [{"cores_per_node": 56}, {"cores_per_node": 56, "smt": True},
                                   {"cores_per_node": 14, "nodes_per_socket": 4, "smt": True}],
                         ids=["SMT off", "SMT on", "four NUMA nodes a socket"])
@pytest.mark.parametrize(("precision", "batch_size", "cores"), BEST_POINTS)
def test_the_workers_of_a_large_xeon_get_what_the_preview_says(tmp_path, shape, precision, batch_size, cores):
    made = topology(tmp_path, sockets=2, **shape)
    placement, _ = place(made, cores, "flex", False)
    reports = launch(_case(batch_size, precision), placement, _plan(tmp_path / "logs"), Told())
    told = [re.split(r" {2,}", line.strip()) for line in preview(replace(
        _case(batch_size, precision), cores_per_instance=cores), made)]
    rows = [row for row in told if row[0].isdigit() and len(row) == 4]
    assert len(rows) == len(reports) == 112 // cores
    for (process, instance, cpus, node), report in zip(rows, reports, strict=True):
        ran, = report.runs
        assert (int(process), int(instance)) == (report.process, ran.instance)
        assert parse_cpulist(cpus) == ran.cpus and len(ran.cpus) == cores
        assert parse_cpulist(node) == placement.instances[ran.instance].memory_nodes
    assert sorted(cpu for report in reports for cpu in report.runs[0].cpus) == list(range(112)), "first threads only"
