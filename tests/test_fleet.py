"""A fleet's summary: FAKE results of 1,000 nodes with faults injected, and the small fleets that fool rules."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from pathlib import Path

import pytest

from resnet50_bench.cli import fleet_command
from resnet50_bench.cli import report_command as report
from resnet50_bench.errors import BadInput, Regression, RunFailed
from resnet50_bench.history.fleet import Fleet, Node
from resnet50_bench.machine.host import SystemRecord
from support.documents import result, run

CASE = "20260101-000000-logs-resnet50_pytorch_xeon_public_inference_throughput_amx_int8"


def fleet_of(*nodes: Node) -> Fleet:
    return Fleet("case", "samples/sec", nodes)


def drawn(count: int, cv: float, seed: int, slow: dict[int, float] | None = None) -> Fleet:
    rng = random.Random(seed)
    return fleet_of(*(Node(f"n{i:04d}", rng.gauss(1000, 1000 * cv) * (slow or {}).get(i, 1.0), "", {})
                      for i in range(count)))


@pytest.mark.parametrize("cv", [0.003, 0.01, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_sound_nodes_raise_at_most_one_false_alarm_in_a_hundred(cv, seed):
    assert len(drawn(1000, cv, seed).outliers) <= 10


@pytest.mark.parametrize(("cv", "factor"), [(0.003, 0.95), (0.003, 1.05), (0.01, 0.9), (0.05, 0.5)])
def test_every_fault_well_beyond_the_threshold_is_found(cv, factor):
    bad = dict.fromkeys(range(0, 1000, 97), factor)
    assert {f"n{i:04d}" for i in bad} <= drawn(1000, cv, 1, bad).outliers.keys()


def test_what_drowns_in_the_spread_is_not_claimed():
    assert 0.15 < drawn(1000, 0.05, 1).threshold < 0.21


def test_equal_nodes_and_small_fleets_raise_no_alarm():
    assert not fleet_of(*(Node(str(i), 1000 + i / 100, "", {}) for i in range(8))).outliers
    assert not fleet_of(Node("a", 100.0, "", {}), Node("b", 50.0, "", {}), Node("c", 90.0, "", {})).outliers


def put(root: Path, number: int, step_ms: float, *, failure: str | None = None, **facts: str) -> None:
    folder = root / CASE / f"itr-1/worker-{number}-c0"
    folder.mkdir(parents=True)
    made = result(run(0, steps=20, step_ms=step_ms), run(1, steps=20, step_ms=step_ms), failure=failure)
    made.system = SystemRecord(**({"node": "same", "cpu": "FAKE Xeon", "microcode": "0x2b",
                                   "memory_bytes": 2**38 + number} | facts))
    made.write(folder / "benchmark_x_20260101-000000.json")
    (folder / "node").write_text(f"n{number:04d}\n")
    (folder / "status").write_text("0\n")


def test_a_fleet_is_summed_up_with_what_explains_the_odd_node(tmp_path, capsys):
    for number in range(8):
        put(tmp_path, number, 10.0)
    put(tmp_path, 8, 11.0, microcode="0x1")
    assert fleet_command.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "9 nodes" in out and "OUTLIER n0008: " in out and "-9.1 %" in out
    assert "also differs: microcode 0x1 instead of 0x2b" in out
    assert "DIFFERS microcode: 0x1 on 1 node (n0008); elsewhere 0x2b" in out and "memory" not in out
    with pytest.raises(Regression, match=r"1 node \(n0008\) slower than the others"):
        fleet_command.main([str(tmp_path), "--gate"])


def test_failed_and_missing_nodes_are_named_and_fail(tmp_path, capsys):
    for number in range(5):
        put(tmp_path, number, 10.0)
    put(tmp_path, 5, 10.0, failure="instance 0 was killed by SIGKILL")
    silent = tmp_path / CASE / "itr-1/worker-6-c0"
    silent.mkdir()
    (silent / "node").write_text("n0006\n")
    with pytest.raises(RunFailed, match=r"2 nodes \(n0005, n0006\) without a valid result"):
        fleet_command.main([str(tmp_path)])
    out = capsys.readouterr().out
    assert "MISSING n0005: instance 0 was killed by SIGKILL" in out
    assert "MISSING n0006: no result and no exit status" in out


def test_only_what_lies_below_the_named_folder_is_missing(tmp_path, capsys):
    put(tmp_path, 0, 10.0)
    case = tmp_path / CASE
    (case / "itr-1/worker-1-c0").mkdir()
    (case / "itr-2").mkdir()
    (case / "itr-1/worker-0-c0").rename(case / "itr-2/worker-0-c0")
    assert fleet_command.main([str(case / "itr-2")]) == 0
    with pytest.raises(RunFailed, match=r"1 node \(worker-1-c0\)"):
        fleet_command.main([str(case)])


def test_two_populations_are_told_apart_without_a_usual_one():
    half = [Node(f"n{i}", 1000.0, "", {"governor": "powersave" if i % 2 else "performance"}) for i in range(6)]
    odd, = fleet_of(*half).odd_facts
    assert odd.usual is None and {len(names) for names in odd.others.values()} == {3}
    assert fleet_of(*(Node(f"n{i}", 1.0, "", {"serial": str(i)}) for i in range(6))).odd_facts == []


def put_copy(root: Path, number: int, template: Path, step_ms: float, **facts: str) -> None:
    """As ``put``, from a result of 10 ms a step, whose statistics need not be computed again."""
    document = json.loads(template.read_text())
    document["statistics"]["throughput_images_per_s"] *= 10 / step_ms
    document["system"] |= facts
    folder = root / CASE / f"itr-1/worker-{number}-c0"
    folder.mkdir(parents=True)
    (folder / "benchmark_x_20260101-000000.json").write_text(json.dumps(document))
    (folder / "node").write_text(f"n{number:04d}\n")
    (folder / "status").write_text("0\n")


def test_four_hundred_results_are_summed_up_in_under_two_seconds(tmp_path, capsys):
    rng = random.Random(3)
    put(tmp_path / "template", 0, 10.0)
    template, = (tmp_path / "template").rglob("*.json")
    tmp_path = tmp_path / "fleet"
    injected = {5: 10.6, 121: 11.2, 277: 13.0}
    for number in range(400):
        facts = {"microcode": "0x1"} if number == 277 else {}
        put_copy(tmp_path, number, template, injected.get(number, rng.gauss(10, 0.03)), **facts)
    began = time.process_time()
    fleet_command.main([str(tmp_path), "--format=json"])
    assert time.process_time() - began < 2
    found, = json.loads(capsys.readouterr().out)
    named = {each["node"] for each in found["outliers"]}
    assert {f"n{number:04d}" for number in injected} <= named and len(named) <= 13
    assert next(each for each in found["outliers"] if each["node"] == "n0277")["differs"]


def test_nothing_there_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no results below"):
        fleet_command.main([str(tmp_path)])


def fleet_of_twenty(root: Path) -> None:
    for number in range(20):
        put(root, number, 10.0 + number / 1000)
    put(root, 20, 11.0, microcode="0x1")
    put(root, 21, 10.0, failure="<b>killed</b>")


def test_tables_have_a_row_for_each_node(tmp_path, capsys):
    fleet_of_twenty(tmp_path)
    with pytest.raises(RunFailed):
        fleet_command.main([str(tmp_path), "--format=csv"])
    rows = {row["node"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert len(rows) == 22 and rows["n0020"]["outlier"] == "True" and rows["n0003"]["outlier"] == "False"
    assert rows["n0020"]["differs"] == "microcode 0x1 instead of 0x2b"
    assert -0.092 < float(rows["n0020"]["deviation"]) < -0.09
    assert rows["n0021"]["value"] == "" and rows["n0021"]["why_not"] == "<b>killed</b>"
    with pytest.raises(RunFailed):
        fleet_command.main([str(tmp_path), "--format=markdown"])
    assert "| n0020 |" in capsys.readouterr().out


def test_the_report_shows_the_nodes_and_what_sets_one_apart(tmp_path):
    fleet_of_twenty(tmp_path / "logs")
    report.main([str(tmp_path / "logs"), "--output", str(tmp_path / "r.html")])
    page = (tmp_path / "r.html").read_text()
    section = page[page.index('id="nodes"'):page.index('id="cases"')]
    assert "22 nodes; 1 without a result; 1 outlier" in section and "Throughput of 21 nodes" in section
    assert "▼ outlier" in section and "microcode 0x1 instead of 0x2b" in section and "outlier below" in section
    assert "&lt;b&gt;killed" in section and "Nodes that differ" in section and "All 22 nodes" in section


def test_the_report_of_one_node_has_no_such_section(tmp_path):
    put(tmp_path / "logs", 0, 10.0)
    report.main([str(tmp_path / "logs"), "--output", str(tmp_path / "r.html")])
    assert 'id="nodes"' not in (tmp_path / "r.html").read_text()
