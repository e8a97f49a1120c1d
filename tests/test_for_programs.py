"""What programs read: the JSON Schema of a result, and KPIs in Prometheus' text format."""

from __future__ import annotations

import json
import re

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.result.result import json_schema
from support import documents
from support.results import put, synthetic
from support.schema import violations


def test_result_schema_prints_the_schema_of_the_types(capsys):
    assert main(["result-schema"]) == 0 and capsys.readouterr().out == json_schema()


@pytest.mark.parametrize("result", [synthetic(), synthetic(failure="x", verdict="invalid"), documents.result()],
                         ids=["a summary", "of a failed run", "with every record"])
def test_results_as_they_are_written_keep_the_schema(tmp_path, result):
    result.write(tmp_path / "r.json")
    assert violations(json.loads((tmp_path / "r.json").read_text())) == []


def test_what_is_no_result_breaks_the_schema():
    good = json.loads(json.dumps(synthetic().document()))
    assert violations(good | {"verdict": 1}) == ["$.verdict"]
    assert violations(good | {"schema": "other"}) == ["$.schema"]
    assert violations({name: value for name, value in good.items() if name != "case"}) == ["$"]
    assert violations(good | {"later": 1}) == [], "keys may be added"


LINE = re.compile(r'([a-z_][a-z0-9_]*)\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)\} (\S+)')


def exported(capsys, *words: str) -> dict[str, list[tuple[str, float]]]:
    """Name -> (labels, value); each name has its HELP and TYPE before it."""
    assert main(["list", "--format", "prometheus", *words]) == 0
    found: dict[str, list[tuple[str, float]]] = {}
    announced = set()
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("#"):
            announced.add(tuple(line.split()[1:3]))
            continue
        name, labels, value = LINE.fullmatch(line).groups()
        assert {("HELP", name), ("TYPE", name)} <= announced
        found.setdefault(name, []).append((labels, float(value)))
    return found


def test_prometheus_gets_the_newest_result_of_each_configuration(tmp_path, capsys):
    put(tmp_path, synthetic(90.0))
    put(tmp_path, synthetic(100.0, started_at="2026-01-02T00:00:00+00:00"), stamp="20260102-000000")
    put(tmp_path, synthetic(70.0, case={"BATCH_SIZE": "8"}), iteration=2)
    found = exported(capsys, str(tmp_path))
    assert sorted(value for _, value in found["resnet50_bench_throughput_samples_per_second"]) == [70.0, 100.0]
    newest = next(labels for labels, value in found["resnet50_bench_throughput_samples_per_second"] if value == 100)
    assert 'case="inference_throughput_amx_int8"' in newest and 'batch_size="4"' in newest and 'node="' in newest
    assert (newest, 1767312000.0) in found["resnet50_bench_started_at_seconds"]
    assert (f'{newest},verdict="valid"', 1.0) in found["resnet50_bench_result"]
    everything = exported(capsys, "--all", str(tmp_path))
    assert everything["resnet50_bench_latency_p50_ms"][0][1] == 39.0
    assert everything["resnet50_bench_compute_utilization_percent"][0][1] == 50.0


def test_prometheus_gets_no_number_of_a_failed_run_and_any_text_as_a_label(tmp_path, capsys):
    put(tmp_path, synthetic(failure="it broke", verdict="invalid", case={"TORCH_TYPE": 'a"b\\c\nd'}))
    found = exported(capsys, str(tmp_path))
    assert {*found} == {"resnet50_bench_result", "resnet50_bench_started_at_seconds"}
    assert r'torch_type="a\"b\\c\nd"' in found["resnet50_bench_result"][0][0]
    assert 'verdict="failed"' in found["resnet50_bench_result"][0][0]
