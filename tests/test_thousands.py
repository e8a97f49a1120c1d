"""list, compare and report do not take longer than in proportion to the number of results of a large machine.

For 400 they take 0.4 to 1.4 s of CPU time on a shared VM: the limit catches work that grows with the square.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.report import drawing
from support import report_folder

POINTS, RUNS, LIMIT_S = 25, 8, 4.0
TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Two folders of 200 FAKE results each: 25 points, 8 runs of each, with the counters of 224 cpus."""
    base = tmp_path_factory.mktemp("thousands")
    document = report_folder.sweep_result("amx_int8", 4, 56, 50.0, random.Random(1), steps=100).document()
    document["counters"] = {"cpu_s": {str(cpu): dict.fromkeys(TIMES, 12.345678) for cpu in range(224)}}
    rate = document["statistics"]["throughput_images_per_s"]
    for point in range(POINTS):
        document["case"]["BATCH_SIZE"] = str(1 + point // 10)
        for kind in range(4):
            document["statistics"]["throughput_images_per_s"] = rate * (1 + 0.01 * kind)
            text = json.dumps(document)
            assert 40_000 < len(text) < 80_000
            original = base / f"{point}-{kind}.json"
            original.write_text(text)
            for run in range(2 * RUNS // 4):
                stamp = f"20260101-{point:03d}{kind}{run // 2:02d}"
                folder = base / "ab"[run % 2] / f"{stamp}-logs-case{point % 10}" / "itr-1" / "worker-0-c0"
                folder.mkdir(parents=True)
                os.link(original, folder / "benchmark_x.json")
    return base / "a", base / "b"


def seconds(*words: object) -> float:
    """Of the CPU: nothing here waits, and what else runs on this machine must not fail the test."""
    before = time.process_time()
    assert main([str(word) for word in words]) == 0
    return time.process_time() - before


def test_list(folders, capsys):
    assert seconds("list", "--all", "--params", *folders) < LIMIT_S
    assert capsys.readouterr().out.count("*Throughput") == 2 * POINTS * RUNS


def test_compare(folders, capsys):
    assert seconds("compare", *folders) < LIMIT_S
    shown = capsys.readouterr().out
    assert shown.count(f"A has {RUNS} runs, B has {RUNS} runs") == POINTS
    assert shown.count("between restarts, by Welch's t") == POINTS


def test_report(folders, tmp_path, capsys, monkeypatch):
    """Apart from its charts, whose number is bounded whatever the number of results."""
    charts = []
    monkeypatch.setattr(drawing, "_inner_svg", lambda spec: charts.append(spec) or "")
    assert seconds("report", *folders, "--output", tmp_path / "r.html") < LIMIT_S
    assert 10 < len(charts) < 30
    assert (tmp_path / "r.html").read_text().count('<tr class="valid">') == 2 * POINTS * RUNS
