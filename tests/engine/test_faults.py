"""Each disturbance and fault provoked for real: what the verdict says, and that nothing is lost or left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.engine import FP32, INT8, ROOT, TWO_CORES, assert_no_kpi, kpi, require_precision, result_of

TWO_INSTANCES = (f"--precision={INT8}", "--cores_per_instance=1", "--batch_size=1", "--warmup_steps=0",
                 "--min_duration=3", "--steps=20")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def checks(folder: Path) -> dict[str, dict]:
    return {check["name"]: check for check in result_of(folder)["checks"]}


def pids_of(folder: Path) -> list[int]:
    shown = subprocess.run(["pgrep", "-f", f"resnet50_bench.worker.main {folder}"], capture_output=True, text=True,
                           check=False)
    return [int(pid) for pid in shown.stdout.split()]


@contextlib.contextmanager
def while_measuring(folder: Path, disturb, *flags: str):
    """Start the runner, call ``disturb(pids)`` a second after the measurement began, give (status, output)."""
    runner = subprocess.Popen([ROOT / "run_test.sh", *flags], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    undo = None
    try:
        with runner.stdout:
            seen = ""
            for line in runner.stdout:
                seen += line
                if "Evaluating RESNET" in line:
                    break
            time.sleep(1)
            undo = disturb(pids_of(folder))
            seen += runner.stdout.read()
        yield runner.wait(timeout=120), seen
    finally:
        if undo:
            undo()
        if runner.poll() is None:
            runner.terminate()
            runner.wait(timeout=30)


@TWO_CORES
def test_a_busy_loop_on_an_instances_core_is_other_load(folder):
    require_precision(INT8)

    def burn(pids):
        loop = subprocess.Popen([sys.executable, "-c", "import os\nos.sched_setaffinity(0, {0})\nwhile True: pass"])
        return lambda: (loop.kill(), loop.wait())

    with while_measuring(folder, burn, *TWO_INSTANCES) as (status, output):
        assert status == 0, "noisy alone does not fail a case"
    result = result_of(folder)
    assert result["verdict"] == "noisy" and any("other load" in reason for reason in result["reasons"])
    assert "VERDICT: noisy" in output and "# NOISY RESULT: " in kpi(folder).stdout
    assert "*Throughput" in kpi(folder).stdout


@TWO_CORES
def test_an_instance_stopped_for_a_second_shows_as_an_outlier_and_fails_who_wants_no_noise(folder):
    require_precision(INT8)

    def stop(pids):
        os.kill(pids[-1], signal.SIGSTOP)
        time.sleep(1)
        os.kill(pids[-1], signal.SIGCONT)

    with while_measuring(folder, stop, *TWO_INSTANCES, "--fail_on_noisy") as (status, output):
        assert status == 1, output
    found = checks(folder)
    assert found["outliers"]["verdict"] == "noisy"
    longest = re.search(r"took (\d+)\.\d+ ms", found["outliers"]["reading"])
    assert longest and int(longest[1]) >= 1000, found["outliers"]["reading"]
    assert found["overlap"]["reading"]
    assert_no_kpi(folder)


@ROOT_ONLY
@TWO_CORES
def test_out_of_memory_is_said_as_such(folder):
    require_precision(FP32)
    group = Path("/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup")
    group = group / f"resnet50-bench-{os.getpid()}"
    try:
        group.mkdir()
        limit = group / ("memory.limit_in_bytes" if "memory/" in str(group) else "memory.max")
        limit.write_text(str(700 * 2**20))
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import os, sys\nopen(sys.argv[1], 'w').write(str(os.getpid()))\n"
             "os.execv(sys.argv[2], sys.argv[2:])", group / "cgroup.procs", ROOT / "run_test.sh",
             f"--precision={FP32}", "--torch_type=EAGER", "--batch_size=150", "--steps=2", "--warmup_steps=0",
             "--min_duration=0"],
            cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "out-of-memory killer" in done.stderr or "out of memory" in done.stderr
        assert_no_kpi(folder)
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    (disk / "worker-0-c0").mkdir()
    yield disk / "worker-0-c0"
    subprocess.run(["umount", "--lazy", disk], check=True)


@ROOT_ONLY
def test_a_full_disk_while_logging_is_the_infrastructures_fault(tiny_disk):
    require_precision(INT8)

    def fill(pids):
        with (tiny_disk.parent / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 512)

    with while_measuring(tiny_disk, fill, f"--precision={INT8}", "--batch_size=1",
                         "--min_duration=3") as (status, seen):
        assert status == 3, seen
    assert "No space left on device" in seen
    assert pids_of(tiny_disk) == []
    assert_no_kpi(tiny_disk)


@pytest.mark.slow
@ROOT_ONLY
@TWO_CORES
def test_a_cpu_that_goes_offline_makes_the_result_invalid(folder):
    require_precision(INT8)
    online = Path("/sys/devices/system/cpu/cpu1/online")
    if not online.exists():
        pytest.skip("this machine's cpus cannot be taken offline")

    # cgroup v1 takes the cpu out of every cpuset (docker's too) and never gives it back.
    cpusets = {path: path.read_text() for path in Path("/sys/fs/cgroup/cpuset").rglob("cpuset.cpus")}

    def back():
        online.write_text("1")
        for path, cpus in sorted(cpusets.items()):
            if path.exists() and path.parent != Path("/sys/fs/cgroup/cpuset"):
                path.write_text(cpus)

    def offline(pids):
        online.write_text("0")
        return back

    with while_measuring(folder, offline, *TWO_INSTANCES) as (status, output):
        assert status == 1, output
    assert "went offline during the run" in output
    assert_no_kpi(folder)


@pytest.mark.slow
@ROOT_ONLY
def test_a_stepped_clock_is_said_and_changes_no_number(folder):
    require_precision(INT8)

    def step(seconds):
        done = subprocess.run(["date", "--set", f"{seconds:+d} seconds"], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("the clock cannot be set here")

    def there_and_back(pids):
        step(30)
        return lambda: step(-30)

    with while_measuring(folder, there_and_back, f"--precision={INT8}", "--batch_size=1", "--min_duration=4") as (
            status, output):
        assert status == 0, output
    assert checks(folder)["clock"]["verdict"] == "note"
    assert result_of(folder)["statistics"]["window"]["duration_s"] < 20

