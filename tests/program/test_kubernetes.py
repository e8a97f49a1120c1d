"""The Kubernetes backend against a FAKE kubectl: no cluster was at hand, so each failure is as the API's reference
describes it. What a cluster itself makes of our words is in tests/scheduler/test_kubernetes.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from resnet50_bench.backends import Settings, kubectl, kubernetes
from resnet50_bench.backends.kubernetes_state import PATIENCE_S, ApiObject, diagnose
from resnet50_bench.errors import BadInput, Infrastructure, RunFailed
from support import fake_kubectl
from support.documents import result, run

ROOT = Path(__file__).parents[2]
CASE = "resnet50_pytorch_xeon_public_inference_throughput_amx_int8"


def waiting(reason: str, message: str = "") -> dict:
    return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}


def failed(reason: str = "", message: str = "", **terminated: object) -> dict:
    states = [{"state": {"terminated": terminated}}] if terminated else []
    return {"phase": "Failed", "reason": reason, "message": message, "containerStatuses": states}


def condition(kind: str, status: str, reason: str, message: str = "") -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message}


class Cluster:
    """The FAKE's folder, and a worker-0-c0 to run into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.worker = folder / f"20260101-000000-logs-{CASE}" / "itr-1" / "worker-0-c0"
        self.worker.mkdir(parents=True)

    def has(self, *pods: dict, **scenario: object) -> None:
        """What the cluster will do; each pod leaves a result of 200 or 160 images/s and ``exit_status``."""
        named = [{"node": f"n{number}", "run_s": 0.1} | pod for number, pod in enumerate(pods)]
        for number, pod in enumerate(named):
            left = self.folder / f"pod-{number}"
            left.mkdir()
            made = result(*(run(i, step_ms=50.0 if number else 40.0) for i in (0, 1)))
            made.system.microcode = f"0x{number}"
            made.write(left / "benchmark_x_20260101-000000.json")
            (left / "benchmark_x_20260101-000000.log").write_text(
                "MODE: throughput\nINSTANCE_NUMBER: 1\nLOG_FORMAT: 1\nEvaluating RESNET: total Steps: 1\nComplete...\n"
                "Throughput: 7 fps\nVERDICT: valid\nRESULT: passed\n")
            if pod["run_s"]:
                (left / "status").write_text(f"{pod.get('exit_status', 0)}\n")
        (self.folder / "scenario.json").write_text(json.dumps({"pods": named} | scenario))

    def run(self, options: str = "--cpus=4", timeout_s: float = 60.0, **texts: str) -> int:
        """A case with the backend."""
        return kubernetes.make(Settings("kubernetes", options=options)).run(texts, self.worker, timeout_s)

    def text(self, number: int, name: str) -> str:
        """A file of worker ``number``."""
        return (self.worker.with_name(f"worker-{number}-c0") / name).read_text().strip()

    def calls(self, word: str) -> list[str]:
        """What kubectl was asked."""
        return [line for line in (self.folder / "calls").read_text().splitlines() if f"{word} " in line]

    def at_work(self) -> list[str]:
        """kubectls that still run."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder / "bin").encode() in (process / "environ").read_bytes() and (
                        b"fake_kubectl" in (process / "cmdline").read_bytes()):
                    found.append(process.name)
            except OSError:  # it ended meanwhile, or is somebody else's
                continue
        return found


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A FAKE cluster, patience cut short; afterwards no Job, no kubectl and no thread is left."""
    made = Cluster(tmp_path)
    program = tmp_path / "bin/kubectl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{fake_kubectl.__file__}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_CLUSTER", str(tmp_path))
    for module, values in ((kubernetes, {"START_POLL_S": 0.05, "POLL_S": 0.2, "DRAIN_S": 5.0}),
                           (kubectl, {"RETRY_S": 0.1}),
                           (kubernetes, {"PATIENCE_S": {
                               kind: min(seconds, 0.3) for kind, seconds in PATIENCE_S.items()}})):
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    threads = threading.active_count()
    yield made
    assert not (tmp_path / "manifest").exists() or (tmp_path / "deleted").exists(), "the Job was not deleted"
    assert not made.at_work() and threading.active_count() == threads


def test_one_pod_passes_and_its_logs_come_back(cluster, capfd):
    cluster.has({"looks": 2})
    assert cluster.run("--cpus=4 --namespace=bench", BATCH_SIZE="8") == 0
    assert cluster.text(0, "status") == "0" and cluster.text(0, "node") == "n0"
    assert cluster.text(0, "pod.log") == "FAKE pod 0 begins"
    assert json.loads(cluster.text(0, "benchmark_x_20260101-000000.json"))["verdict"] == "valid"
    out = capfd.readouterr().out
    assert "\nFAKE pod 0 begins\n" in out and f"n0 {'0':>20} {'200.00':>10}" in out and "Fleet" not in out
    assert all(call.endswith(" --namespace=bench") for call in cluster.calls(""))
    assert 'value: "8"' in (cluster.folder / "manifest").read_text()


def test_two_pods_are_compared(cluster, capfd):
    cluster.has({}, {})
    assert cluster.run("--cpus=4 --nodes=2") == 0
    assert [cluster.text(i, "node") for i in (0, 1)] == ["n0", "n1"]
    out = capfd.readouterr().out
    assert "[n0] FAKE pod 0 begins\n" in out and "[n1] FAKE pod 1 begins\n" in out
    assert f"n0 {'0':>20} {'200.00':>10}\nn1 {'0':>20} {'160.00':>10}\n" in out
    assert "inference_throughput_amx_int8: 2 nodes\n  samples/sec: sum 360.00" in out
    assert "DIFFERS microcode: " in out


@pytest.mark.parametrize(("statuses", "worst", "node"), [((0, 77), 77, "n1"), ((1, 77), 1, "n0"), ((0, 2), 2, "n1")])
def test_the_worst_pods_status_comes_through(cluster, statuses, worst, node, capfd):
    cluster.has(*({"exit_status": status} for status in statuses))
    assert cluster.run("--cpus=4 --nodes=2") == worst
    assert f"node {node} ended with status {worst}; see " in capfd.readouterr().out


def test_a_stream_that_breaks_off_is_made_good_from_the_folder(cluster):
    cluster.has({"break": True})
    assert cluster.run() == 0
    assert json.loads(cluster.text(0, "benchmark_x_20260101-000000.json"))["verdict"] == "valid"
    assert len(cluster.calls("exec")) > 1


UNSCHEDULABLE = {"phase": "Pending", "conditions": [condition(
    "PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 node(s) didn't match Pod's node "
    "affinity/selector.")]}
DISRUPTED = fake_kubectl.RUNNING | {"conditions": [condition("DisruptionTarget", "True", "PreemptionByScheduler", "x")]}
LOST = failed() | {"conditions": [condition("DisruptionTarget", "True", "DeletionByTaintManager", "taint unreachable")]}
SILENT = fake_kubectl.RUNNING | {"conditions": [condition("Ready", "Unknown", "NodeStatusUnknown")]}


BEFALLS_A_POD = {
    "image": ({"status": waiting("ImagePullBackOff", 'Back-off pulling image "x"')}, Infrastructure,
     r'pod \S+ on node n0: the image cannot be pulled \(ImagePullBackOff: Back-off pulling image "x"\); check REG'),
    "config": ({"status": waiting("CreateContainerConfigError", "image has non-numeric user")}, Infrastructure,
     r"the container cannot be started \(image has non-numeric user\)"),
    "label": ({"status": UNSCHEDULABLE, "node": None}, Infrastructure,
     r"cannot be scheduled: 0/3 nodes .*it needs a node with the labels \S+AMXTILE=true \(Node Feature Disc"),
    "memory": ({"status": failed(reason="OOMKilled", exitCode=137) | {"containerStatuses": [
        {"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}}, RunFailed,
     r"more memory than its limit \(OOMKilled\): raise --memory in --options"),
    "evicted": ({"status": failed("Evicted", "The node was low on resource: memory")}, Infrastructure,
     r"was evicted \(Evicted: The node was low on resource: memory\); run it again"),
    "preempted": ({"status": DISRUPTED, "run_s": None}, Infrastructure, r"was evicted \(PreemptionByScheduler: x\)"),
    "lost": ({"status": LOST}, Infrastructure, r"the node was lost \(taint unreachable\); run it again"),
    "silent": ({"status": SILENT}, Infrastructure, "the node does not answer any more"),
    "refused": ({"status": failed("UnexpectedAdmissionError", "not enough cpus available to satisfy request")},
                Infrastructure, r"was refused \(UnexpectedAdmissionError: not enough cpus"),
    "ended": ({"status": failed(reason="Error", exitCode=139) | {"containerStatuses": [
        {"state": {"terminated": {"reason": "Error", "exitCode": 139}}}]}}, RunFailed,
     r"ended before its run was over \(exit status 139\)"),
    "deleted": ({"deleted": True, "run_s": None}, Infrastructure, "somebody deleted it before its run was over"),
}


@pytest.mark.parametrize("what", BEFALLS_A_POD)
def test_what_befalls_a_pod_is_told_apart(what):
    pod, error, message = BEFALLS_A_POD[what]
    shown = fake_kubectl.pod_document("resnet50-bench-1", 0, {"node": "n0"} | pod, looks=1)
    problem = diagnose(ApiObject("Job"), [msgspec.convert(shown, ApiObject)])
    assert type(problem.error) is error and re.search(message, str(problem.error))


@pytest.mark.parametrize("what", ["image", "silent", "deleted"])
def test_what_befalls_a_pod_ends_the_case_and_deletes_the_job(cluster, what):
    pod, error, message = BEFALLS_A_POD[what]
    cluster.has(pod)
    with pytest.raises(error, match=message):
        cluster.run(PRECISION="amx_int8")


BEFALLS_THE_JOB = {
    "deadline": ({"job": {"conditions": [condition("Failed", "True", "DeadlineExceeded")]}}, RunFailed,
     "reached its deadline"),
    "deleted": ({"job": None}, Infrastructure, "somebody deleted the Job before its run was over"),
    "pod gone": ({"job": {"conditions": [condition("Failed", "True", "BackoffLimitExceeded", "x")]}}, Infrastructure,
     r"the Job failed because a pod is gone \(BackoffLimitExceeded: x\)"),
    "quota": ({"events": ["old", "exceeded quota: cpu"]}, Infrastructure,
     "created no pods for the Job: exceeded quota: cpu"),
}


@pytest.mark.parametrize("what", BEFALLS_THE_JOB)
def test_what_befalls_the_job_is_told_apart(what):
    scenario, error, message = BEFALLS_THE_JOB[what]
    job = scenario.get("job", {})
    shown = None if job is None else msgspec.convert({"status": job}, ApiObject)
    problem = diagnose(shown, [])
    assert type(problem.error) is error and re.search(message.partition(": exceeded")[0], str(problem.error))


@pytest.mark.parametrize("what", ["deleted", "quota"])
def test_what_befalls_the_job_ends_the_case(cluster, what):
    scenario, error, message = BEFALLS_THE_JOB[what]
    cluster.has(**scenario)
    with pytest.raises(error, match=message):
        cluster.run()


def test_of_two_pods_one_is_lost_and_the_summary_still_has_the_other(cluster, capfd):
    cluster.has({}, {"status": failed("Evicted", "low on memory"), "looks": 10})
    with pytest.raises(Infrastructure, match="on node n1 was evicted"):
        cluster.run("--cpus=4 --nodes=2")
    out = capfd.readouterr().out
    assert f"n0 {'0':>20} {'200.00':>10}" in out and f"worker-1-c0 {'None':>11} {'-':>10}" in out
    assert "MISSING worker-1-c0: no result and no exit status" in out


def test_exec_is_forbidden(cluster):
    cluster.has({}, errors={"exec": [1, 'Error from server (Forbidden): pods "x" is forbidden: User "u" cannot '
                                        'create resource "pods/exec"', 0, 99]})
    with pytest.raises(Infrastructure, match="kubectl exec is not allowed, so no logs come back: .*pods/exec"):
        cluster.run()


def test_the_api_server_goes_away_for_a_while_or_for_good(cluster, monkeypatch, capfd):
    away = "The connection to the server was refused"
    cluster.has({"run_s": 0.5}, errors={"get": [1, away, 3, 6]})
    assert cluster.run() == 0
    (cluster.folder / "scenario.json").write_text(json.dumps({"pods": [], "errors": {"get": [1, away, 1, 99]}}))
    for name in ("calls", "deleted"):
        (cluster.folder / name).unlink()
    monkeypatch.setattr(kubernetes, "API_PATIENCE_S", 0.3)
    with pytest.raises(Infrastructure, match=f"Kubernetes does not answer: {away}"):
        cluster.run()


def test_the_time_out_deletes_the_job_and_brings_what_logs_there_are(cluster):
    cluster.has({"run_s": None})
    with pytest.raises(RunFailed, match="took longer than TIMEOUT=1 s and was ended"):
        cluster.run(timeout_s=1)
    assert (cluster.worker / "benchmark_x_20260101-000000.log").exists() and not (cluster.worker / "status").exists()
    assert "--cascade=foreground" in cluster.calls("delete")[0]


def case(cluster: Cluster) -> subprocess.Popen[str]:
    """``case`` as ctest starts it, with its output on a pipe, in a session as that of a terminal."""
    overrides = cluster.folder / "overrides.json"
    overrides.write_text(json.dumps({"backend_options": "--cpus=4"}))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "RESNET50_BENCH_OVERRIDES": str(overrides)}
    return subprocess.Popen(
        [sys.executable, "-m", "resnet50_bench", "case", "--backend=kubernetes", "inference_throughput_amx_int8"],
        cwd=cluster.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)


def test_ctrl_c_deletes_the_job(cluster):
    cluster.has({"run_s": None})
    with case(cluster) as process:
        for line in process.stdout:
            if "FAKE pod 0 begins" in line:
                break
        os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "ended by SIGINT" in said
    assert (cluster.folder / "deleted").exists()


def test_a_case_ends_with_its_kpi(cluster):
    cluster.has({})
    with case(cluster) as process:
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "BACKEND: kubernetes (chosen by BACKEND)" in said and "*Throughput (samples/sec): 7" in said


def test_kubectl_is_not_installed(cluster, monkeypatch):
    monkeypatch.setenv("PATH", str(cluster.worker))
    with pytest.raises(Infrastructure, match="kubectl is not installed: BACKEND=kubernetes needs it"):
        cluster.run()


@pytest.mark.parametrize(("errors", "message"), [
    ({"get": [1, "The connection to the server localhost:8080 was refused", 0, 1]},
     "no cluster answers: The connection to the server localhost:8080 was refused; name a cluster in KUBECONFIG"),
    ({"create": [1, 'Warning: x\nError from server (Forbidden): jobs.batch is forbidden', 0, 1]},
     "could not create the Job: Error from server .Forbidden.: jobs.batch is forbidden"),
])
def test_nothing_is_begun_where_the_cluster_refuses(cluster, errors, message):
    cluster.has({}, errors=errors)
    with pytest.raises(Infrastructure, match=message):
        cluster.run()
    assert not (cluster.folder / "manifest").exists()


def test_a_job_that_cannot_be_deleted_is_named_with_what_ends_it(cluster, monkeypatch, capfd):
    monkeypatch.setattr(kubernetes, "DELETE_PATIENCE_S", 0.5)
    monkeypatch.setattr(kubernetes, "DRAIN_S", 0.2)
    cluster.has({}, errors={"delete": [1, "error: the server is away", 0, 99]})
    assert cluster.run() == 0
    assert not (cluster.folder / "deleted").exists()
    err = capfd.readouterr().err
    assert "may run on: the server is away; to end it: kubectl delete job resnet50-bench-" in err
    (cluster.folder / "deleted").touch()


@pytest.mark.parametrize(("options", "why"), [
    ("", "required: --cpus"), ("--cpus=1.5", "--cpus: '1.5' is not a whole number of 1 or more"),
    ("--cpus=4 --nodes=0", "--nodes: 0 is too small"), ("--cpus=4 --memory=16GB", "not such as 16Gi"),
    ("--cpus=4 --namespace=A_b", "'A_b' is not a name"), ("--cpus=4 --node-selector=x", "'x' is not LABEL=VALUE"),
    ("--cpus=4 --nosuch=1", "--nosuch is not an option"), ("--cpus='4", "No closing quotation")])
def test_bad_options_are_refused_with_what_is_allowed(options, why):
    with pytest.raises(BadInput, match=why) as raised:
        kubernetes.make(Settings("kubernetes", options=options))
    assert "quotation" in why or "expected: --options=" in str(raised.value)


def test_without_jinja_it_ends_before_anything_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModuleNotFoundError, match="jinja2"):  # the tree of commands says what to run
        kubernetes.make(Settings("kubernetes", options="--cpus=4"))
