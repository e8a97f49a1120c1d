"""Slurm runs the image on two nodes, by the docker engine of this machine, which both nodes are."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet50_bench.errors import BadInput
from resnet50_bench.hostside.backends import Settings, slurm
from scheduler.slurm_on_one_machine import NODES, Cluster, running_cluster, why_not

from .conftest import Images, containers
from .test_containers import CASE, INT8, ROOT, environment


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with running_cluster() as started:
        yield started


def case(build: Path, *words: str) -> subprocess.Popen[str]:
    command = [ROOT / "ctest.sh", "-V", "--testcase", CASE.format("throughput", INT8), "--options=--nodes=2 --docker"]
    return subprocess.Popen([*command, *words], env=environment(build, BACKEND="slurm", TIMEOUT="300"),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_gated_case_in_a_container_on_each_node(images: Images, cluster, tmp_path):
    with case(tmp_path) as running:
        said, _ = running.communicate(timeout=400)
    assert running.returncode == 0, said
    results = [json.loads(path.read_text())
               for path in tmp_path.glob("workload/*/*/itr-1/worker-*-c0/benchmark_*.json")]
    assert [each["system"]["container"] for each in results] == ["docker", "docker"]
    assert all(sum(report["kernels"].values()) == 53 for each in results for report in each["processes"])
    assert all(f"{node} " in said for node in NODES) and "*Throughput (samples/sec): " in said
    assert containers() == ""


def test_scancel_removes_the_containers(images: Images, cluster, tmp_path):
    with case(tmp_path, "--steps=100000") as running:
        deadline = time.monotonic() + 200
        while len(containers().split()) < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert len(containers().split()) == 2
        cluster.ask("scancel", "--state=RUNNING")
        said, _ = running.communicate(timeout=200)
    assert running.returncode != 0 and "somebody else ended it (scancel)" in said
    assert containers() == "" and cluster.jobs() == ""


def test_training_is_refused(tmp_path):
    backend = slurm.make(Settings("slurm", options="--nodes=2 --docker"))
    assert (backend.options, backend.tool) == (("--nodes=2",), "docker")
    with pytest.raises(BadInput, match="leave out --docker"):
        backend.run({"FUNCTION": "training"}, tmp_path, 60.0)
