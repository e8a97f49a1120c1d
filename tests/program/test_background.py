"""--nohup, --daemon, --status and --stop: real processes that outlive their caller; the runner is a FAKE."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from resnet50_bench.ctest import background, options
from resnet50_bench.errors import BadInput, Infrastructure
from resnet50_bench.machine import machine_lock
from resnet50_bench.machine.process_facts import boot_id, start_ticks
from support.fake_checkout import FAILS, HANGS, Checkout, until

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("background") / "checkout")


@pytest.fixture
def checkout(shared):
    shared.clear()
    yield shared
    background.stop(shared.build, "")
    until(lambda: not shared.left(), 10)


def measuring(checkout: Checkout, count: int = 1) -> bool:
    return len(list(checkout.build.glob("workload/*/*/itr-*/worker-0-c0/benchmark_*.log"))) == count


def status(checkout: Checkout, capsys: pytest.CaptureFixture[str], lines: int = 0) -> str:
    """What --status shows; the first test asks ctest.sh itself."""
    capsys.readouterr()
    assert background.show(checkout.build, lines) == 0
    return capsys.readouterr().out


def test_it_runs_without_the_terminal_and_ends_when_told(checkout, capsys):
    done = checkout.ctest("-V", "--testcase", checkout.case, "--set", HANGS, "--nohup")
    assert done.returncode == 0, done.stdout + done.stderr
    pid = int(re.search("as process ([0-9]+)", done.stdout).group(1))
    name = done.stdout.split()[0]
    assert name.startswith(checkout.case) and os.getsid(pid) == pid, "a session of its own has no terminal to hang up"
    until(lambda: measuring(checkout))
    until(lambda: f", case {checkout.case}\n" in status(checkout, capsys))
    shown = checkout.ctest("--status", "2").stdout
    assert f"{name}: running as process {pid}, started 20" in shown
    assert len(re.findall(r"^  \| ", shown, re.M)) == 2 and "Evaluating RESNET" in shown
    ended = checkout.ctest("--stop")
    assert (ended.returncode, ended.stdout) == (0, f"{name}: ended with status 143\n")
    until(lambda: not checkout.left())
    log = (checkout.build / "background" / name / "log").read_text()
    assert "# INVALID RESULT" in log and "*Throughput" not in log
    assert f"{name}: ended with status 143" in status(checkout, capsys)
    assert background.stop(checkout.build, "") == 0 and "nothing runs in the background" in capsys.readouterr().out


def test_the_exit_status_and_the_kpi_come_through_and_the_log_is_kept(checkout):
    log = checkout.folder / "mine.log"
    log.write_text("before\n")
    for does, status in (("STEPS=7", 0), (FAILS, 1)):
        done = checkout.ctest("-V", "--testcase", checkout.case, "--set", does, "--nohup", "mine.log")
        name = done.stdout.split()[0]
        assert name.startswith("mine-") and f"log: {log}" in done.stdout
        folder = checkout.build / "background" / name
        until((folder / "status").exists)
        assert (folder / "status").read_text() == f"{status}\n"
    text = log.read_text()
    assert text.startswith("before\n") and "*Throughput" in text and "FAKE failure" in text


def test_daemon_drops_the_callers_environment_and_nohup_keeps_it(checkout):
    for word, steps in (("--nohup", ["5"]), ("--daemon", [])):
        checkout.clear()
        done = checkout.ctest("-V", "--testcase", checkout.case, "--dry-run", word, STEPS="5")
        folder = checkout.build / "background" / done.stdout.split()[0]
        until((folder / "status").exists)
        assert (folder / "status").read_text() == "0\n", (folder / "log").read_text()
        logs, = checkout.logs()
        assert re.findall(r' STEPS: "(.*)"', (logs / "workload-config.yaml").read_text()) == steps


def test_daemon_keeps_the_backend(checkout):
    done = checkout.ctest("--testcase", checkout.case, "--daemon", BACKEND="kubernetes")
    folder = checkout.build / "background" / done.stdout.split()[0]
    until((folder / "status").exists)
    assert (folder / "status").read_text() == "2\n", "Kubernetes needs --options; every other backend would run it"


def test_stop_ends_only_what_begins_with_the_prefix(checkout, tmp_path, capsys):
    for number, log in enumerate(("one.log", "two.log"), start=1):
        done = checkout.ctest("--testcase", checkout.case, "--set", HANGS, f"--nohup={log}",
                              **({machine_lock.FOLDER: str(tmp_path)} if number == 2 else {}))
        assert ("NOTICE: one-" in done.stdout) == (number == 2), "it is said what disturbs it"
        until(lambda count=number: measuring(checkout, count))
    with pytest.raises(BadInput, match="no running background run has a name that begins so; running: .*one-"):
        background.stop(checkout.build, "three")
    assert re.fullmatch(r"one-\S+: ended with status 143\n", checkout.ctest("--stop", "one").stdout)
    shown = status(checkout, capsys)
    assert re.search(r"two-\S+: running", shown) and re.search(r"one-\S+: ended with status 143", shown)
    assert shown.index("two-") < shown.index("one-"), "what runs comes first"


def test_two_cannot_measure_on_the_same_cores(checkout):
    assert checkout.ctest("--testcase", checkout.case, "--set", HANGS, "--nohup=one.log").returncode == 0
    until(lambda: measuring(checkout))
    second = checkout.ctest("-V", "--testcase", checkout.case)
    assert second.returncode == 3, second.stdout
    assert re.search(r"error: another measurement uses cpus \S+: process \d+, running since 20\S+ \S+: "
                     r"\S*python\S* .* case ", second.stdout), second.stdout
    background.stop(checkout.build, "")
    assert checkout.ctest("--testcase", checkout.case).returncode == 0, "the kernel has freed them"


def test_a_run_that_does_not_start_in_time_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(background, "_START_S", 0.5)
    monkeypatch.setattr(background.sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nsleep 1000\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(Infrastructure, match="did not start within 0.5 s and was ended"):
        background.launch(tmp_path, options.parse(["--nohup"], {}))
    assert start_ticks(int((tmp_path / "pid").read_text())) is None


def test_bad_input_is_said_at_once(checkout, capsys):
    for words, why in ((["--testcase", "nothing"], "there is no such case"), (["--set", "BATCH_SIZE=0"], "too small"),
                       (["--testcase", checkout.case, "--nohup=/nowhere/x.log"], "cannot be written")):
        done = checkout.ctest("--nohup", *words)
        assert done.returncode == 2 and why in done.stderr, done.stdout + done.stderr
    assert "nothing was run in the background" in status(checkout, capsys)


def test_a_testset_can_run_in_the_background(checkout):
    (checkout.folder / "night.yaml").write_text(f"testcase: {checkout.case}\n---\ntestcase: {checkout.case}\nloop: 2\n")
    name = checkout.ctest("--testset", "night.yaml", "--daemon").stdout.split()[0]
    assert name.startswith("night-")
    folder = checkout.build / "background" / name
    until((folder / "status").exists)
    assert "document 2: 1 passed, 0 failed, 0 skipped, status 0" in (folder / "log").read_text()


@pytest.fixture
def innocent():
    """A process that has the id of a run that ended long ago."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def told(build, name: str, **changes) -> None:
    (build / "background" / name).mkdir(parents=True)
    (build / "background" / name / "run.json").write_text(json.dumps(
        {"pid": os.getpid(), "ticks": start_ticks(os.getpid()), "boot": boot_id(), "log": "/no/log",
         "started": "2026-01-01 00:00:00"} | changes))


def test_a_process_id_that_was_given_away_is_not_ended(tmp_path, innocent, capsys):
    ticks = start_ticks(innocent.pid)
    told(tmp_path, "old", pid=innocent.pid, ticks=ticks - 1)
    told(tmp_path, "before-the-restart", pid=innocent.pid, ticks=ticks, boot="another")
    told(tmp_path, "gone", pid=2**22 + 1)
    assert background.show(tmp_path, 1) == 0
    shown = capsys.readouterr().out
    assert shown.count("ended without a status (killed, or the machine restarted)") == 3
    assert "(the log cannot be read: No such file or directory)" in shown
    assert background.stop(tmp_path, "") == 0
    with pytest.raises(BadInput, match="running: nothing"):
        background.stop(tmp_path, "old")
    assert innocent.poll() is None


def test_a_damaged_entry_is_told_and_left_out(tmp_path, capsys):
    told(tmp_path, "a", pid="x")
    told(tmp_path, "b")
    (tmp_path / "background/b/status").write_text("4\n")
    assert background.show(tmp_path, 0) == 0
    shown = capsys.readouterr()
    assert "a/run.json is damaged and left out" in shown.err
    assert shown.out == "b: ended with status 4, started 2026-01-01 00:00:00\n  log: /no/log\n"


def test_many_ended_runs_do_not_hide_what_runs(tmp_path, capsys):
    told(tmp_path, "running")
    for number in range(15):
        told(tmp_path, f"ended-{number:02}", started=f"2026-02-{number + 1:02} 00:00:00", pid=2**22 + 1)
    background.show(tmp_path, 0)
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert lines[0].startswith("running: running as process") and lines[1].startswith("ended-14")
    assert len(lines) == 12 and lines[-1] == f"5 earlier runs: {tmp_path / 'background'}"


@pytest.mark.parametrize(("argv", "left"), [
    (["-V", "--nohup", "-R", "x"], ["-V", "-R", "x"]), (["--nohup", "my.log", "-V"], ["-V"]),
    (["--nohup=my.log", "--loop=2"], ["--loop=2"]), (["-V", "--nohup"], ["-V"])])
def test_the_words_that_go_to_the_background(argv, left):
    assert options.parse(argv, {}).words_without("--nohup", "--daemon") == left


def test_an_expression_that_chooses_no_case_is_no_success(checkout):
    assert checkout.ctest("-R", "nosuchcase").returncode != 0
    assert checkout.ctest("-R", "nosuchcase", "--no-tests=ignore").returncode == 0
    assert checkout.ctest("-N", "-R", "nosuchcase").returncode == 0
