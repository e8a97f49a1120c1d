"""A against B with real torch: both sides measured by turns; killed in the middle and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.engine import INT8, ROOT, require_precision

COMMAND = ROOT / "scripts/resnet50-bench.sh"
WORDS = (f"--precision={INT8}", "--case_type=gated", "--a", "", "--b", "", "--rounds", "2")


def pids_of(folder: Path) -> dict[str, list[int]]:
    """The processes of each turn that passed, by its folder's name below ``folder``."""
    found = {}
    for path in folder.glob("[AB]/round-*/benchmark_*.json"):
        result = json.loads(path.read_text())
        assert result["failure"] is None
        found[str(path.parent.relative_to(folder))] = [report["pid"] for report in result["processes"]]
    return found


def test_two_equal_sides_killed_in_the_middle_go_on_and_no_round_is_measured_twice(tmp_path):
    require_precision(INT8)
    folder = tmp_path / "versus"
    first = subprocess.Popen([COMMAND, "versus", *WORDS, "--folder", folder], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.STDOUT, env=os.environ)
    said = ""
    for line in first.stdout:
        said += line
        if line.startswith("1 of at most 2 rounds"):
            break
    assert "NOTICE: B is the same as A" in said
    while not list(folder.glob("[AB]/round-002/instance-0.log")):  # the second round's first turn has begun
        assert first.poll() is None, said
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.stdout.close()
    first.wait(timeout=10)
    before = pids_of(folder)
    assert set(before) == {"A/round-001", "B/round-001"}

    second = subprocess.run([COMMAND, "versus", "--folder", folder, "--rounds", "2", "--json"], capture_output=True,
                            text=True, timeout=300, check=False)
    assert second.returncode == 0, second.stderr
    assert "2 turns exist already: not measured again" in second.stderr
    after = pids_of(folder)
    assert set(after) == {f"{side}/round-00{number}" for side in "AB" for number in (1, 2)}
    assert {name: after[name] for name in before} == before
    assert len({pid for pids in after.values() for pid in pids}) == sum(map(len, after.values())), "fresh processes"
    document = json.loads(second.stdout)
    assert len(document["turns"]) == 4 and document["pairs"][0]["low"] < document["pairs"][0]["ratio"]
    assert all(turn["value"] > 0 for turn in document["turns"])
    assert "2 rounds, each run in new processes" in (folder / "versus.txt").read_text()


@pytest.mark.slow
def test_a_side_that_cannot_run_ends_it_with_status_1_and_its_reason(tmp_path):
    require_precision(INT8)
    other = "CUSTOMER_ENV=ONEDNN_MAX_CPU_ISA=SSE41"
    done = subprocess.run([COMMAND, "versus", *WORDS[:2], "--a", other, "--b", other, "--folder", tmp_path / "versus"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "a turn is measured once more" in done.stdout
    assert f"convolutions did not run {INT8}'s kernels" in done.stderr and "no side was measured" in done.stdout
