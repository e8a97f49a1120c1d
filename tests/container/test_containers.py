"""The four images and the docker backend on a real engine, with real torch inside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from resnet50_bench.case.precision import PRECISIONS
from support.aside import PASSIVE
from support.docker_images import ROOT, Images, docker
from support.images import CASE, FP32, INT8, containers, environment


def ctest(build: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "ctest.sh", "-V", *words], capture_output=True, text=True, check=False,
                          timeout=600, env=environment(build, **more))


def result(build: Path) -> dict:
    path, = build.glob("workload/*/*-logs-*/itr-1/worker-0-c0/benchmark_*.json")
    return json.loads(path.read_text())


def assert_proven(measured: dict) -> None:
    kernels = measured["processes"][0]["kernels"]
    precision = PRECISIONS[measured["case"]["PRECISION"]]
    assert sum(kernels.values()) == 53
    assert all(precision.is_proven_by(*kernel.split(" src:")) for kernel in kernels)


def test_a_gated_case_runs_in_a_container_and_proves_its_kernels(images: Images, tmp_path):
    done = ctest(tmp_path, "--testcase", CASE.format("throughput", INT8),
                 "--set", f"CUSTOMER_ENV=A=$(id) B=x;y {PASSIVE}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BACKEND: docker (docker answers and has the image)" in done.stdout
    assert "*Throughput (samples/sec): " in done.stdout
    assert "CUSTOMER_ENV as seen inside: A=$(id) B=x;y" in done.stdout
    measured = result(tmp_path)
    assert measured["system"]["container"] == "docker"
    assert_proven(measured)
    assert containers() == ""


def test_loadgen_asks_the_instances_in_a_container(images: Images, tmp_path):
    done = ctest(tmp_path, "--testcase", CASE.format("server", FP32), "--target_qps=20", "--latency_bound_ms=60000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "*Server Rate (queries/sec): " in done.stdout
    assert list(tmp_path.glob("workload/*/*-logs-*/itr-1/worker-0-c0/mlperf_log_summary.txt"))
    assert_proven(result(tmp_path))


@pytest.mark.parametrize(("option", "notice"), [
    ("--cpuset-cpus=0", "this process may use 1 of"), ("--cpus=1", "the cgroup's quota is 1 CPUs")])
def test_placement_follows_what_the_container_may_use(images, tmp_path, option, notice):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two cores")
    done = ctest(tmp_path, "--testcase", CASE.format("throughput", FP32), f"--options={option}")
    assert done.returncode == 0, done.stdout + done.stderr
    measured = result(tmp_path)
    assert measured["topology"]["core_count"] == 1
    assert [i["cpus"] for p in measured["placement"]["processes"] for i in p["instances"]] == [[0]]
    assert notice in done.stdout
    assert_proven(measured)


def test_the_descriptions_own_sequence(images, tmp_path):
    docker("tag", images.name, "ai-resnet50-inference-dummy:latest")
    script = f"""set -e
mkdir -p logs-latency-avx-fp32-inference-dummy
id=$(docker run --rm --detach --privileged -e WORKLOAD=resnet50_pytorch_xeon_public -e PLATFORM=SPR -e MODE=throughput \
-e TOPOLOGY=resnet50 -e FUNCTION=inference -e PRECISION={FP32} -e BATCH_SIZE=2 -e STEPS=10 -e DATA_TYPE=dummy \
-e MIN_DURATION=1 -e WARMUP_STEPS=0 -e CORES_PER_INSTANCE=1 -e WEIGHT_SHARING=False -e CASE_TYPE= -e VERBOSE=False \
-e INSTANCE_MODE=flex ai-resnet50-inference-dummy:latest)
docker exec $id cat /export-logs | tar xf - -C logs-latency-avx-fp32-inference-dummy
docker rm -f $id
"""
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    logs = tmp_path / "logs-latency-avx-fp32-inference-dummy"
    assert (logs / "status").read_text() == "0\n"
    shown = subprocess.run(["sh", ROOT / "kpi.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.returncode == 0 and "*Throughput (samples/sec): " in shown.stdout


def started(build: Path, *words: str) -> tuple[subprocess.Popen, str]:
    """ctest.sh with an endless case, when it has begun to measure; and its container. EAGER has nothing to prepare."""
    running = subprocess.Popen([ROOT / "ctest.sh", "-V", "--testcase", CASE.format("throughput", FP32),
                                "--steps=1000000", "--torch_type=EAGER", *words], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment(build))
    for line in running.stdout:
        if "Evaluating RESNET" in line:
            break
    container, = containers().split()
    return running, container


def ended(running: subprocess.Popen, status: int) -> str:
    """What it said until it ended with ``status``."""
    with running.stdout:
        rest = running.stdout.read()
    assert running.wait(timeout=60) == status, rest
    return rest


def test_docker_kill_in_the_middle(images, tmp_path):
    running, container = started(tmp_path)
    docker("kill", container)
    rest = ended(running, 1)
    assert "error: the container died before the run was over (exit status 137)" in rest
    assert "# INVALID RESULT" in rest and "*Throughput" not in rest
    assert list(tmp_path.glob("workload/*/*/itr-1/worker-0-c0/benchmark_*.log")), "what logs there are come back"
    assert containers() == ""


def test_somebody_removes_the_container(images, tmp_path):
    running, container = started(tmp_path)
    docker("rm", "-f", container)
    rest = ended(running, 3)
    assert "error: docker stopped, or somebody removed the container" in rest


def test_ctrl_c(images, tmp_path):
    running, _ = started(tmp_path)
    running.send_signal(signal.SIGINT)
    rest = ended(running, 128 + signal.SIGINT)
    assert "*Throughput" not in rest and containers() == ""


def test_ctrl_c_while_the_container_starts(images, tmp_path):
    running = subprocess.Popen([ROOT / "ctest.sh", "-V", "--testcase", CASE.format("throughput", FP32)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(tmp_path))
    deadline = time.monotonic() + 60
    while not containers() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    ended(running, 128 + signal.SIGINT)
    assert containers() == ""


def test_a_container_that_cannot_start(images, tmp_path):
    done = ctest(tmp_path, "--testcase", CASE.format("throughput", FP32), "--options=--device=/dev/nothing")
    assert done.returncode == 3 and "error: docker could not start the container: " in done.stdout
    assert "/dev/nothing" in done.stdout and containers() == ""


def test_a_time_out(images, tmp_path):
    began = time.monotonic()
    done = ctest(tmp_path, "--testcase", CASE.format("throughput", FP32), "--steps=1000000", "--torch_type=EAGER",
                 TIMEOUT="7")
    assert done.returncode == 1 and time.monotonic() - began < 90
    assert "error: the case took longer than TIMEOUT=7 s and was ended" in done.stdout
    assert containers() == ""


def test_bad_input_inside_is_status_2_with_its_line(images, tmp_path):
    done = ctest(tmp_path, "--testcase", CASE.format("throughput", FP32), "--cores_per_instance=100000")
    assert done.returncode == 2
    assert "CORES_PER_INSTANCE=100000" in done.stdout and "does not fit" in done.stdout


def test_the_image_holds_data_and_weights_a_user_and_little_else(images):
    shown = docker("run", "--rm", images.name, "sh", "-c",
                   "id -un; ls /dataset/val/n01440764 /weights; du -sm /opt/venv /opt/resnet50").stdout
    assert shown.startswith("bench\n") and "one.JPEG" in shown and images.weights in shown
    stack_mb = int(re.search(r"(\d+)\s+/opt/venv", shown).group(1))
    image_mb = int(docker("image", "inspect", "--format", "{{.Size}}", images.name).stdout) / 1e6
    print(f"image {image_mb:.0f} MB, stack {stack_mb * 1.048576:.0f} MB")
    assert image_mb <= stack_mb * 1.048576 + 400


def test_a_change_in_src_is_built_in_seconds(images):
    init = images.checkout / "src/resnet50_bench/__init__.py"
    init.write_text(init.read_text() + "\n# changed\n")
    began = time.monotonic()
    built = subprocess.run([images.checkout / "build.sh", "--build-arg", f"RESNET50_WEIGHTS_VER={images.weights}"],
                           env=images.environment, capture_output=True, text=True, check=False, timeout=600)
    took = time.monotonic() - began
    assert built.returncode == 0, built.stderr[-2000:]
    print(f"rebuilt in {took:.1f} s")
    assert took < 60, "PyTorch was installed anew"


def test_weights_that_are_not_what_their_name_says_stop_the_build(images):
    wrong = images.checkout / "assets/resnet50-0676ba61.pth"
    wrong.write_bytes(b"something else")
    built = subprocess.run([images.checkout / "build.sh", "2"], env=images.environment | {"RELEASE": ":wrong"},
                           capture_output=True, text=True, check=False, timeout=600)
    wrong.unlink()
    assert built.returncode == 3
    assert "which does not begin with 0676ba61" in built.stdout + built.stderr
