"""KPIs over time: what the gate would say of each run is what its mark says; and comparisons A against B."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resnet50_bench.history import collection, judgement
from resnet50_bench.report.drawing import Gallery
from resnet50_bench.report.palette import LIGHT
from resnet50_bench.report.sections import Results, over_time, versus
from support import report_history


def lines(folder: Path) -> list[over_time.Timeline]:
    return over_time.timelines(collection.find([folder]))


@pytest.mark.parametrize("newest", [100, 96.9, 97.1, 90, 110])
def test_a_mark_is_worse_where_the_gate_fails(tmp_path, newest):
    report_history.days(tmp_path, (100, 100.2, 99.9, 100.1, 99.8, newest))
    (line,), entries = lines(tmp_path), collection.find([tmp_path])
    point, = judgement.points(entries[:1])
    by_history = next(check for check in judgement.findings(point, None, tmp_path, judgement.LAST)
                      if check.kind == judgement.AgainstHistory.kind)
    assert (line.occasions[-1].kind == "worse") == (by_history.state == judgement.FAILED)
    assert [each.kind for each in line.occasions[:3]] == ["too few earlier runs", "too few earlier runs", "as before"]


def test_changes_their_commits_and_what_was_expected(tmp_path):
    report_history.days(tmp_path)
    line, = lines(tmp_path)
    kinds = [each.kind for each in line.occasions]
    assert kinds[5:9] == ["as before"] * 4 and kinds[9] == "worse"
    assert (line.x_name, line.occasions[9].label) == ("commit", "f" * 7)
    low, high = line.occasions[9].limits
    assert low == pytest.approx(97, abs=0.3) and high == pytest.approx(103, abs=0.3)
    chart = over_time.chart(line)
    assert "worse at fffffff" in chart.description
    assert [row[3] for row in chart.rows] == kinds


def test_lower_latency_is_better(tmp_path):
    for day, latency in enumerate((40, 40.1, 39.9, 40, 40.2, 35, 45), start=1):
        report_history.put(tmp_path, report_history.synthetic(
            latency_ms=latency, case={"MODE": "latency"}, started_at=f"2026-01-0{day}T00:00:00+00:00"),
            "inference_latency_amx_int8", stamp=f"2026010{day}-000000")
    line, = lines(tmp_path)
    assert [each.kind for each in line.occasions[5:]] == ["better", "worse"]


def test_another_machine_and_other_parameters_are_other_lines_and_other_versions_are_not(tmp_path):
    report_history.days(tmp_path / "a", (100, 101, 102))
    report_history.days(tmp_path / "b", (50, 51, 52), system=report_history.SYSTEM | {"node": "other-host"})
    report_history.days(tmp_path / "c", (70, 71, 72), case={"PRECISION": "avx2_fp32", "BATCH_SIZE": "8"})
    report_history.days(tmp_path / "d", (103, 104), first=4, software={"torch": "2.9.0"})
    assert sorted(len(line.occasions) for line in lines(tmp_path)) == [3, 3, 5]
    assert {line.title for line in lines(tmp_path)} == {
        f"{report_history.CASE} · BATCH_SIZE 4", f"{report_history.CASE} · BATCH_SIZE 8"}


def test_texts_on_the_axis_stay_texts(tmp_path):
    hostile = "'\"]+alert(1)//\u2028\\"
    for day, version in enumerate(("1", hostile, "3"), start=1):
        report_history.days(tmp_path / str(day), (100,), first=day, software={"torch": version})
    line, = lines(tmp_path)
    expression = json.dumps(over_time.chart(line).spec(LIGHT))
    assert line.x_name == "version of torch"
    assert json.dumps(json.dumps(["1", hostile.replace("\u2028", "?"), "3"]) + "[datum.value]") in expression


def test_a_comparison_is_one_ranked_picture_with_its_sentence_and_its_turns_are_not_over_time(tmp_path):
    report_history.versus(tmp_path)
    entries = collection.find([tmp_path])
    assert lines(tmp_path) == []
    told: list[str] = []
    html = versus.SECTION.html(Results(entries, told), Gallery())
    assert "B is faster than A by 4.0 %" in html and "MALLOC=jemalloc" in html
    assert "103.5 – 104.5" in html.replace(" to ", " – ") and told == []
    assert html.count("<figure>") == 1 and "Pairs</summary>" in html


def test_a_damaged_outcome_is_named(tmp_path):
    report_history.versus(tmp_path)
    (tmp_path / "malloc/outcome.json").write_text('{"schema": "resnet50-bench-versus-outcome", "schema_version": 7}')
    told: list[str] = []
    assert versus.SECTION.html(Results(collection.find([tmp_path]), told), Gallery()) == ""
    assert "outcome.json cannot be read" in told[0] and "schema_version" in told[0]
    (tmp_path / "malloc/outcome.json").write_bytes(b'{"schema": "\xff\xff"}')
    assert versus.SECTION.html(Results(collection.find([tmp_path]), told), Gallery()) == ""
    assert "outcome.json cannot be read" in told[1] and "can't decode byte 0xff" in told[1]
