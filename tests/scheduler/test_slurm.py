"""The Slurm backend against a real two-node Slurm on this machine; the runner is a FAKE where the test is not of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings, slurm
from resnet50_bench.case import platforms
from resnet50_bench.checkout import ROOT
from resnet50_bench.errors import BadInput, BenchError, Infrastructure, Interrupted, RunFailed
from resnet50_bench.machine.cpu import read_cpu
from support.documents import result
from support.documents import run as run_of
from support.results import synthetic
from support.slurm_on_one_machine import NODES, Cluster, running_cluster, why_not
from support.stack import chosen

pytestmark = pytest.mark.scheduler
CPU = read_cpu()
PLATFORM = platforms.detect(CPU).name
FP32 = next(name for name in platforms.PLATFORMS[PLATFORM].precisions
            if name.endswith("fp32"))

#: Told by FAKE_STATUS, FAKE_SLEEP and FAKE_MB; FAKE_STATUS_<node> is for that node alone.
#: FAKE_RESULTS holds <node>.json.
FAKE = """#!/usr/bin/env bash
echo "FAKE on $SLURMD_NODENAME begins"
printf '%s' "${CUSTOMER_ENV-unset}" >customer_env
printf '%s' "${MODE-unset}" >mode
sleep "${FAKE_SLEEP:-0}"
[ -z "${FAKE_MB-}" ] || python3 -c "import os; len(b'x' * (int(os.environ['FAKE_MB']) << 20))"
echo "RESULT: passed" >benchmark_fake.log
result="${FAKE_RESULTS-}/$SLURMD_NODENAME.json"
[ -n "${FAKE_RESULTS-}" ] || result="$(dirname "$0")/result.json"
cp "$result" benchmark_fake.json
own=FAKE_STATUS_$SLURMD_NODENAME
exit "${!own-${FAKE_STATUS:-0}}"
"""


@pytest.fixture(scope="module")
def cluster():
    reason = why_not()
    if reason:
        pytest.skip(reason)
    context = running_cluster()
    try:
        started = context.__enter__()
    except Exception as error:  # cgroup v2 without systemd, say: nothing of ours
        pytest.skip(f"Slurm does not come up here: {error}")
    yield started
    context.__exit__(None, None, None)


@pytest.fixture
def folder(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A worker-0-c0 with blanks and percent signs above it; afterwards nothing runs any more."""
    runner = tmp_path / "fake runner.sh"
    runner.write_text(FAKE)
    runner.chmod(0o755)
    synthetic(rate=12.5).write(tmp_path / "result.json")
    monkeypatch.setattr(slurm, "RUNNER", runner)
    monkeypatch.setattr(slurm, "POLL_S", 0.3)
    made = tmp_path / "logs 100%j it's" / "itr-1" / "worker-0-c0"
    made.mkdir(parents=True)
    cluster.wait_idle()
    yield made
    assert cluster.jobs() == ""
    cluster.wait_for(lambda: not cluster.leftovers(), lambda: f"left behind: {cluster.leftovers()}")


def run(folder: Path, options: str = "", timeout_s: float = 60, **texts: str) -> int:
    return slurm.make(Settings("slurm", options=options)).run(texts, folder, timeout_s)


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text().strip()


class Later:
    """Does something on another thread as soon as both FAKEs are at work."""

    def __init__(self, folder: Path, action, nodes: int = 2) -> None:
        self._folder, self._action, self._nodes = folder, action, nodes
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if len(list(self._folder.parent.glob("worker-*-c0/mode"))) == self._nodes:
                self._action()
                return
            time.sleep(0.1)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@pytest.mark.parametrize("options", ["--nodes=2", "-N2", "-N 2 --comment='two words'"])
def test_two_nodes_pass_and_each_has_its_own_folder(folder, options, capfd, monkeypatch):
    monkeypatch.setenv("MODE", "a value of this host that must not leak in")
    assert run(folder, options, CUSTOMER_ENV="a b;$(touch /tmp/evil)'\"`\n%j\\") == 0
    workers = [folder, folder.with_name("worker-1-c0")]
    assert [text(worker, "status") for worker in workers] == ["0", "0"]
    assert {text(worker, "node") for worker in workers} == set(NODES)
    for worker in workers:
        assert (worker / "customer_env").read_text() == "a b;$(touch /tmp/evil)'\"`\n%j\\"
        assert text(worker, "mode") == "unset"
    out = capfd.readouterr().out
    for node in NODES:
        assert f"FAKE on {node} begins" in out
        assert re.search(rf"^{node} +0 +12\.50$", out, re.M)


def test_from_inside_a_job_its_variables_reach_neither_the_new_job_nor_what_is_asked(folder, monkeypatch):
    for name, value in {"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_PER_TASK": "7", "SLURM_JOB_ID": "4711",
                        "SLURM_NTASKS": "9", "SLURM_NODELIST": "elsewhere", "SBATCH_MEM_BIND": "local",
                        "SQUEUE_STATES": "SUSPENDED", "SQUEUE_FORMAT": "%i", "SLURM_TIME_FORMAT": "relative",
                        "SCANCEL_STATE": "SUSPENDED"}.items():
        monkeypatch.setenv(name, value)
    assert run(folder, "--nodes=2 --mem=500") == 0
    assert [text(worker, "status") for worker in (folder, folder.with_name("worker-1-c0"))] == ["0", "0"]


def test_a_case_within_a_real_job(folder, cluster):
    """The outer job, of --mem-per-cpu, holds one node; the case runs on the other."""
    code = ("from pathlib import Path; from resnet50_bench.backends import Settings, slurm; "
            f"slurm.RUNNER, slurm.POLL_S = Path({str(slurm.RUNNER)!r}), 0.3; backend = slurm.make(Settings('slurm', "
            f"options='--mem=500')); raise SystemExit(backend.run({{}}, Path({str(folder)!r}), 60))")
    outer = ["srun", "-w", "n1", "-n", "1", "--mem-per-cpu=1000", sys.executable, "-c", code]
    given = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(outer, env=given, capture_output=True, text=True, check=False)
    cluster.wait_for(lambda: not cluster.jobs(), lambda: "the outer job is not over")
    assert done.returncode == 0, done.stdout + done.stderr
    assert text(folder, "status") == "0" and text(folder, "node") == "n2"


def test_the_nodes_of_a_case_are_compared(folder, tmp_path, capfd, monkeypatch):
    for node, step_ms in zip(NODES, (40.0, 50.0), strict=True):
        made = result(run_of(step_ms=step_ms))
        made.system.microcode = node
        made.write(tmp_path / f"{node}.json")
    monkeypatch.setenv("FAKE_RESULTS", str(tmp_path))
    assert run(folder, "--nodes=2") == 0
    out = capfd.readouterr().out
    assert re.search(r"^n1 +0 +100\.00\nn2 +0 +80\.00\nFleet: ", out, re.M)
    assert "samples/sec: sum 180.00, median 90.00" in out and "DIFFERS microcode: n1 on 1 node (n1)" in out


def test_one_node_is_the_default_and_an_old_jobs_second_node_is_not_counted(folder):
    assert run(folder, "--nodes=2") == 0
    assert run(folder) == 0
    assert not (folder.with_name("worker-1-c0") / "status").exists()


@pytest.mark.parametrize("statuses, worst", [((0, 1), 1), ((77, 77), 77), ((77, 1), 1), ((2, 1), 2), ((0, 77), 77)])
def test_the_worst_nodes_status_comes_through(folder, statuses, worst, monkeypatch, capfd):
    for node, status in zip(NODES, statuses, strict=True):
        monkeypatch.setenv(f"FAKE_STATUS_{node}", str(status))
    assert run(folder, "--nodes=2") == worst
    bad = NODES[statuses.index(worst)]
    assert f"node {bad} ended with status {worst}" in capfd.readouterr().out


def test_the_real_runner_is_reached_and_gets_the_parameters(folder, monkeypatch, capfd):
    monkeypatch.setattr(slurm, "RUNNER", slurm.ROOT / "run_test.sh")
    assert run(folder, "--nodes=2", BATCH_SIZE="no number") == 2
    assert "BATCH_SIZE='no number' (environment)" in capfd.readouterr().out


@pytest.fixture
def real(folder, monkeypatch) -> Path:
    """The real runner, which needs torch; a Slurm "node" is this whole machine, so both nodes share its cores."""
    try:
        chosen().worker_python()
    except BenchError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(slurm, "RUNNER", slurm.ROOT / "run_test.sh")
    return folder


def documents_of(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.parent.glob("worker-*-c0/benchmark_*.json"))]


def test_ctest_runs_a_gated_case_on_both_nodes_and_sums_it_up(real, tmp_path):
    build = tmp_path / "build"
    case = f"test_resnet50_pytorch_xeon_public_inference_throughput_{FP32}_gated"
    done = subprocess.run(
        [slurm.ROOT / "ctest.sh", "-VV", "--testcase", case, "--options=--nodes=2 --mem=5000"],
        env=os.environ | {"BACKEND": "slurm", "RESNET50_BENCH_BUILD": str(build), "TIMEOUT": "300"},
        capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    logs, = build.glob("workload/*/*-logs-*")
    results = documents_of(logs / "itr-1/worker-0-c0")
    assert len(results) == 2 and all(result["failure"] is None for result in results)
    assert all(sum(report["kernels"].values()) == 53 for result in results for report in result["processes"])
    assert {text(folder, "node") for folder in logs.glob("itr-1/worker-*-c0")} == set(NODES)
    assert "Fleet: inference_throughput" in done.stdout and "*Throughput (samples/sec): " in done.stdout


@pytest.mark.slow
def test_two_nodes_train_one_model(real, capfd):
    assert run(real, "--nodes=2 --mem=5000", timeout_s=400, FUNCTION="training", PRECISION=FP32, BATCH_SIZE="2",
               STEPS="3", WARMUP_STEPS="1", MIN_DURATION="0", INSTANCE_MODE="single", CORES_PER_INSTANCE="1") == 0
    records = [record["training"] for result in documents_of(real) for report in result["processes"]
               for record in report["facts"]["data"].values()]
    assert [(record["rank"], record["world"]) for record in records] == [(0, 2), (1, 2)]
    assert len({record["weights_sha256"] for record in records}) == 1
    assert "Training_Instances: 2 on all nodes" in capfd.readouterr().out


def test_cancelled_from_outside(folder, cluster, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEP", "50")
    began = time.monotonic()
    with Later(folder, lambda: cluster.ask("scancel", "--state=RUNNING")), pytest.raises(RunFailed, match="CANCELLED"):
        run(folder, "--nodes=2")
    assert time.monotonic() - began < 20


def test_our_own_timeout_cancels_and_the_output_came_while_it_ran(folder, monkeypatch, capfd):
    monkeypatch.setenv("FAKE_SLEEP", "50")
    with pytest.raises(RunFailed, match=r"still RUNNING .* at TIMEOUT=3 s"):
        run(folder, timeout_s=3)
    assert capfd.readouterr().out.count("FAKE on n1 begins") == 1


@pytest.mark.slow
def test_the_schedulers_time_limit(folder, cluster, monkeypatch):
    """Slurm counts whole minutes and looks every half: this one takes up to 95 s, and hardly any CPU."""
    monkeypatch.setenv("FAKE_SLEEP", "150")
    with pytest.raises(RunFailed, match="TIMEOUT: it reached the time limit"):
        run(folder, "--time=1", timeout_s=150)


def test_a_signal_cancels_the_job(folder, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEP", "50")
    states = iter([("RUNNING", "N/A", "None")] * 3)
    real = slurm._state

    def interrupted_later(job: str):
        if next(states, None) is None:
            monkeypatch.setattr(slurm, "_state", real)
            raise Interrupted(15, "ended by SIGTERM")
        return real(job)

    monkeypatch.setattr(slurm, "_state", interrupted_later)
    with pytest.raises(Interrupted):
        run(folder, "--nodes=2")


def test_a_signal_while_sbatch_submits_leaves_no_job(folder, cluster, tmp_path, monkeypatch):
    """With a FAKE slow sbatch that hands on to the real one after the signal."""
    slow = tmp_path / "bin/sbatch"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\nsleep 1\nid=$({shutil.which("sbatch")} "$@") && echo "$id" | tee {tmp_path}/id\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_SLEEP", "50")

    def interrupt(*_: object) -> None:
        raise Interrupted(signal.SIGALRM, "ended by a signal")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Interrupted):
            run(folder)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert "JobState=CANCELLED" in cluster.ask("scontrol", "show", "job", text(tmp_path, "id"))


def test_out_of_memory(folder, monkeypatch):
    monkeypatch.setenv("FAKE_MB", "300")
    with pytest.raises(RunFailed, match="OUT_OF_MEMORY"):
        run(folder, "--mem=100")


@pytest.mark.parametrize("node", [NODES[0], pytest.param(NODES[1], marks=pytest.mark.slow)])
def test_a_node_dies_in_the_middle(folder, cluster, node, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEP", "100")
    try:
        with Later(folder, lambda: cluster.kill_node(node)), pytest.raises(Infrastructure, match="NODE_FAIL"):
            run(folder, "--nodes=2", timeout_s=120)
    finally:
        cluster.start_node(node)
        cluster.wait_idle()


def test_a_node_down_from_the_start(folder, cluster):
    cluster.kill_node("n2")

    def down() -> bool:
        """Told so, as Slurm notices in 30 s only, and for good: a last word of the killed daemon brings it back."""
        cluster.ask("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
        for _ in range(10):
            time.sleep(0.3)
            if not cluster.node_states()[1].startswith("down"):
                return False
        return True

    try:
        cluster.wait_for(down, lambda: f"nodes are {cluster.node_states()}")
        for options in ("--nodes=2", "--nodelist=n2"):
            # Slurm names the node in the job's own reason where it takes it for lost, else in its list of nodes.
            with pytest.raises(Infrastructure, match=r"cannot start and was cancelled: .*n2"):
                run(folder, options)
        assert run(folder) == 0  # the other node is still good for one
        cluster.ask("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=test")
        with pytest.raises(Infrastructure, match=r"cannot start and was cancelled: .*n1 \(drain.*: test\)"):
            run(folder)
    finally:
        cluster.start_node("n2")
        cluster.ask("scontrol", "update", "NodeName=n1", "State=RESUME")
        cluster.wait_idle()


def test_resources_that_never_come_free(folder, cluster, monkeypatch):
    monkeypatch.setattr(slurm, "SUBMIT_PATIENCE_S", 2)
    monkeypatch.setattr(slurm, "_state", lambda job, real=slurm._state: (
        [(found := real(job))[0], "N/A", found[2]]))
    blocker = cluster.ask("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null",
                          "--wrap=sleep 60").strip()
    try:
        with pytest.raises(Infrastructure, match="cannot start and was cancelled: (Resources|Priority)"):
            run(folder, timeout_s=30)
    finally:
        cluster.ask("scancel", blocker)
        cluster.wait_for(lambda: not cluster.jobs(), cluster.jobs)


def test_a_queue_that_moves_is_waited_for(folder, cluster):
    cluster.ask("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 4")
    assert run(folder) == 0


def test_a_suspended_job_is_waited_for(folder, cluster, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEP", "2")

    def suspend() -> None:
        job = cluster.ask("squeue", "-h", "-o", "%A").strip()
        cluster.ask("scontrol", "suspend", job)
        time.sleep(3)
        assert cluster.ask("squeue", "-h", "-o", "%T").strip() == "SUSPENDED"
        cluster.ask("scontrol", "resume", job)

    with Later(folder, suspend, nodes=1):
        assert run(folder) == 0


def test_a_refused_submission(folder):
    with pytest.raises(Infrastructure, match="sbatch refused the job: .*partition"):
        run(folder, "--partition=nowhere")
    with pytest.raises(Infrastructure, match="sbatch refused the job"):
        run(folder, "--nodes=3")


def test_the_runner_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(slurm, "RUNNER", folder / "nothing.sh")
    with pytest.raises(Infrastructure, match="node n1 cannot run .*nothing.sh"):
        run(folder)


def test_the_folder_is_not_shared(folder, monkeypatch):
    """As where the nodes have a /tmp of their own: the job cannot begin."""
    real = slurm._write_job

    def elsewhere(*given: object) -> Path:
        script = real(*given)
        script.write_text("#!/bin/sh\nexit 0\n")
        return script

    monkeypatch.setattr(slurm, "_write_job", elsewhere)
    monkeypatch.setattr(slurm, "SHARED_PATIENCE_S", 1)
    with pytest.raises(Infrastructure, match="a node wrote no exit status; do all nodes share"):
        run(folder)


def test_the_controller_goes_away_for_a_while(folder, cluster, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEP", "4")

    def restart() -> None:
        cluster.daemons["slurmctld"].terminate()
        cluster.daemons["slurmctld"].wait()
        cluster.start("slurmctld", "slurmctld", "-D")

    with Later(folder, restart, nodes=1):
        assert run(folder) == 0


def test_no_sbatch_and_bad_options(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Infrastructure, match="sbatch is not installed: "):
        run(tmp_path)
    with pytest.raises(BadInput, match="No closing quotation"):
        slurm.make(Settings(options="--comment='x"))
