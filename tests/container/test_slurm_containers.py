"""Slurm runs the image on two nodes, by the docker engine of this machine, which both nodes are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings, slurm
from resnet50_bench.errors import BadInput
from support import rootless
from support.docker_images import ROOT, Images, until
from support.images import CASE, FP32, containers, environment
from support.slurm_on_one_machine import NODES, Cluster, running_cluster, why_not


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with running_cluster() as started:
        yield started


def case(build: Path, *words: str) -> subprocess.Popen[str]:
    command = [ROOT / "ctest.sh", "-VV", "--testcase", CASE.format("throughput", FP32), "--options=--nodes=2 --docker"]
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


def test_a_gated_case_by_rootless_podman_on_each_node(image, build, cluster):
    # Without a cgroup of its own a container stays in the job's, with the memory that the job asked for.
    command = [ROOT / "ctest.sh", "-VV", "--testcase", CASE.format("throughput", FP32),
               "--options=--nodes=2 --podman --mem=0"]
    done = subprocess.run(rootless.as_user(*command), capture_output=True, text=True, check=False, timeout=400, cwd="/",
                          env=rootless.environment(
                              RESNET50_BENCH_BUILD=str(build), RELEASE=":container-test", BACKEND="slurm",
                              TIMEOUT="300", SLURM_CONF=str(cluster.conf), RESNET50_BENCH_LOCK_FOLDER=str(build)))
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    results = [json.loads(path.read_text())
               for path in build.glob("workload/*/*/itr-1/worker-*-c0/benchmark_*.json")]
    assert [each["system"]["container"] for each in results] == ["podman", "podman"]
    assert all(f"{node} " in done.stdout for node in NODES) and "*Throughput (samples/sec): " in done.stdout
    assert rootless.containers(image) == [] and cluster.jobs() == ""


def test_a_job_whose_host_side_was_killed_is_cancelled_at_the_next_start(images: Images, cluster, tmp_path):
    with case(tmp_path / "one", "--steps=100000") as killed:
        until(lambda: len(containers().split()) == 2)
        hosts = subprocess.run(["pgrep", "-f", "resnet50_bench case .*gated"], capture_output=True, text=True,
                               check=True).stdout.split()
        mine = [pid for pid in map(int, hosts)
                if f"RESNET50_BENCH_BUILD={tmp_path / 'one'}" in Path(f"/proc/{pid}/environ").read_text()]
        for pid in mine:
            os.kill(pid, signal.SIGKILL)
        killed.communicate(timeout=60)
    assert cluster.jobs() != "" and len(mine) >= 1
    with case(tmp_path / "two") as running:
        said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, said
    assert "was left by a case that was killed, and is cancelled" in said
    assert containers() == "" and cluster.jobs() == "" and cluster.leftovers() == []


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
