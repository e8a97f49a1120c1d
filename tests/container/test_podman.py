"""The podman backend, rootless, and the pod of a Kubernetes Job's template by ``podman kube play``."""

from __future__ import annotations

import json
import subprocess
import tarfile

import pytest

from resnet50_bench.backends import kubernetes_manifest
from support import rootless
from support.aside import PASSIVE
from support.docker_images import ROOT
from support.images import CASE, FP32

POD = "resnet50-bench-podtest"


def test_a_gated_case_runs_rootless_to_its_kpi(image, build):
    done = subprocess.run(
        rootless.as_user(ROOT / "ctest.sh", "-VV", "--testcase", CASE.format("throughput", FP32), "--set",
                         f"CUSTOMER_ENV=A=$(id) B=x;y {PASSIVE}"),
        capture_output=True, text=True, check=False, timeout=600, cwd="/",
        env=rootless.environment(RESNET50_BENCH_BUILD=str(build), RELEASE=":container-test", BACKEND="podman",
                                 RESNET50_BENCH_LOCK_FOLDER=str(build)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BACKEND: podman (chosen by BACKEND)" in done.stdout and "*Throughput (samples/sec): " in done.stdout
    assert "CUSTOMER_ENV as seen inside: A=$(id) B=x;y" in done.stdout
    path, = build.glob("workload/*/*-logs-*/itr-1/worker-0-c0/benchmark_*.json")
    measured = json.loads(path.read_text())
    assert measured["system"]["container"] == "podman"
    assert sum(measured["processes"][0]["kernels"].values()) == 53
    assert rootless.containers(image) == []


def pod_of(job: str) -> dict:
    """The pod that a Job's template makes; podman plays pods."""
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("jinja2")
    template = yaml.safe_load(job)["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": POD},
            "spec": template["spec"]}


def test_the_pod_of_the_jobs_template_runs_a_case(image, build):
    texts = {"CUSTOMER_ENV": f"A=$(id) B=$HOME,x;y:z {PASSIVE}",
             "MODE": "throughput", "PRECISION": FP32, "BATCH_SIZE": "2",
             "STEPS": "5", "WARMUP_STEPS": "0", "MIN_DURATION": "0", "CORES_PER_INSTANCE": "1"}
    options = kubernetes_manifest.KubernetesOptions(cpus=1, memory="4Gi")
    pod = pod_of(kubernetes_manifest.manifest(POD, image, "IfNotPresent", texts, options, 300.0))
    # Rootless without cgroups of version 2 podman can hold no pod to its limits.
    del pod["spec"]["containers"][0]["resources"]
    # What the user's settings give containers of ``podman run``, a pod has to ask for.
    mounts = rootless.mounts()
    pod["spec"]["containers"][0].setdefault("volumeMounts", []).extend(
        {"name": f"mounted-{number}", "mountPath": inside, "readOnly": True} for number, inside in enumerate(mounts))
    pod["spec"].setdefault("volumes", []).extend(
        {"name": f"mounted-{number}", "hostPath": {"path": str(path)}} for number, path in enumerate(mounts.values()))
    # What is data for the kubelet: it makes $ of $$, podman does not.
    for each in pod["spec"]["containers"][0]["env"]:
        each["value"] = each["value"].replace("$$", "$")
    container = f"{POD}-benchmark"
    try:
        played = rootless.podman("kube", "play", "--network=none", "-", stdin=json.dumps(pod).encode())
        assert played.returncode == 0, played.stderr
        seen = rootless.podman("exec", container, "sh", "-c",
                               "id -u; id -g; findmnt -n -o SIZE /dev/shm || df -h /dev/shm; "
                               "grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/1/status").stdout
        print(seen)
        assert seen.startswith("1000\n1000\n") and "NoNewPrivs:\t1" in seen, seen
        assert "CapBnd:\t0000000000800000" in seen, "nothing but SYS_NICE"
        (build / "logs.tar").write_bytes(subprocess.run(
            rootless.as_user("podman", "exec", container, "cat", "/export-logs"), capture_output=True, cwd="/",
            timeout=300, check=True, env=rootless.environment()).stdout)
        with tarfile.open(build / "logs.tar") as archive:
            archive.extractall(build, filter="data")
    finally:
        rootless.podman("pod", "rm", "--force", "--time=0", POD)
    log = "".join(path.read_text() for path in build.glob("benchmark_*.log"))
    assert (build / "status").read_text() == "0\n", log
    assert f"CUSTOMER_ENV as seen inside: {texts['CUSTOMER_ENV']}" in log and "RESULT: passed" in log
