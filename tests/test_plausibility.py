"""Ratios between precisions that hint at a fall-back, and the comparison of a rerun; FAKE results."""

from __future__ import annotations

from pathlib import Path

from resnet50_bench.cli import rerun_command
from resnet50_bench.history import plausibility
from support.documents import result, run


def put(base: Path, stamp: str, precision: str, step_ms: float) -> Path:
    logs = base / f"{stamp}-logs-case_{precision}"
    (logs / "itr-1/worker-0-c0").mkdir(parents=True)
    made = result(run(0, step_ms=step_ms), run(1, step_ms=step_ms))
    made.case["PRECISION"] = precision
    made.write(logs / "itr-1/worker-0-c0/benchmark_x_20260101-000000.json")
    return logs


def test_int8_that_is_hardly_faster_than_fp32_is_said(tmp_path):
    put(tmp_path, "1", "avx_fp32", 90.0)
    good = put(tmp_path, "2", "amx_int8", 10.0)
    bad = put(tmp_path, "3", "amx_int8", 60.0)
    assert list(plausibility.lines(good)) == []
    line, = plausibility.lines(bad)
    assert line.startswith("PLAUSIBILITY: amx_int8 is 1.50 times as fast as avx_fp32") and "fall-back" in line


def test_nothing_to_compare_with_says_nothing(tmp_path):
    assert list(plausibility.lines(put(tmp_path, "1", "amx_int8", 10.0))) == []


def test_a_rerun_says_what_differs_and_that_one_restart_a_side_cannot_tell():
    before, after = result(run(0)), result(run(0, step_ms=20.0), software={"torch": "2.9.0"})
    lines = rerun_command.comparison(before, after)
    assert "differs: software torch: 2.8.0 then, 2.9.0 now" in lines
    assert "ratio 0.500" in lines[-1]
    assert "no difference shown: a verdict needs at least two runs per side" in lines[-1] and "--loop 5" in lines[-1]
