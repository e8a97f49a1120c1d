"""A sweep whose measurement is a FAKE one on a FAKE machine."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from resnet50_bench.case.case import Case
from resnet50_bench.case.inputs import Inputs
from resnet50_bench.cli import sweep_command
from resnet50_bench.engines import memory
from resnet50_bench.errors import Interrupted
from resnet50_bench.result import measurement
from resnet50_bench.result.result import Result
from resnet50_bench.stack.environment import StackChoice
from resnet50_bench.sweep import sweep
from support import documents
from support.fakes import MILAN_CPU, machine


class FakeMachine:
    """Takes the place of ``run_case``: writes a result as fast as the surface says, and counts.

    Restarts vary by ``spread``. ``ended_at``: the seconds ``now`` after each run; new workers take 5 s more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.measured = folder, []
        self.cpu = "FAKE Xeon"
        self.fails: dict[tuple[str, int, int], Exception] = {}
        self.ends_before: int | None = None
        self.launches: list[object] = []
        self.cases: list[tuple[Case, Path]] = []
        self.spread, self.now, self.ended_at = 0.0, 0.0, []

    def run_case(self, case, found, topology, python, folder, now, surroundings, run_workers, echo, workers,
                 tell) -> Result:
        if self.ends_before == len(self.measured):
            raise Interrupted(15, "ended by SIGTERM")
        if case.seeks_rate:
            tell("rate 1")
        point = (case.precision, case.batch_size, case.cores_per_instance)
        self.now += 3 + 0.02 * case.batch_size + (5 if run_workers.__self__ not in self.launches else 0)
        self.ended_at.append(self.now)
        self.measured.append(point)
        self.cases.append((case, python))
        self.launches.append(run_workers.__self__)
        if point in self.fails:
            raise self.fails[point]
        step_ms = 10.0 * case.batch_size / (case.batch_size / (case.batch_size + 1)) / case.cores_per_instance**0.8
        if workers == "fresh":
            step_ms *= 1 + random.Random(len(self.measured)).uniform(-self.spread, self.spread)
        runs = (documents.run(0, step_ms=step_ms),)
        processes = [{"process": 0, "instances": [{"instance": 0, "cpus": list(range(case.cores_per_instance))}]}]
        result = documents.result(
            *runs, case=case.texts() | {"origins": {}, "notices": []}, started_at=now.isoformat(),
            system={"cpu": self.cpu}, placement={"processes": processes, "workers": workers},
            statistics=measurement.statistics(runs, case.batch_size))
        result.write(folder / f"benchmark_{len(self.measured)}.json")
        return result

    def sweep(self, *flags: str) -> int:
        return sweep_command.main(["--folder", str(self.folder), *flags])


@pytest.fixture
def fake(tmp_path, monkeypatch):
    made = FakeMachine(tmp_path / "sweep")
    made.folder.mkdir()
    (tmp_path / "machine").mkdir()
    where = machine(tmp_path / "machine", MILAN_CPU, cores_per_node=2)
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(sweep, "run_case", made.run_case)
    monkeypatch.setattr(memory, "read_topology", lambda: where.topology)
    monkeypatch.setattr(memory, "read_cpu", lambda: _named(made.cpu))
    monkeypatch.setattr(StackChoice, "worker_python", lambda choice, stack=None: Path(stack or "python"))
    monkeypatch.setattr(sweep.inputs, "find", lambda case: Inputs())
    monkeypatch.setattr(sweep.best.versions, "software_record", lambda python: {"torch": "2.8.0"})
    return made


def _named(name: str):
    return replace(MILAN_CPU, name=name)
