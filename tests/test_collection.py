"""What list-kpi.sh finds below folders, and how it shows it."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.errors import BadInput
from resnet50_bench.history import collection, comparability, listing
from resnet50_bench.result.result import SCHEMA_VERSION, ResultSummary
from resnet50_bench.tables import Cell, as_csv, as_markdown
from support.results import put, synthetic


def test_newest_first_with_case_and_iteration(tmp_path):
    old = put(tmp_path, synthetic(started_at="2026-01-01T00:00:00+00:00"), iteration=2)
    new = put(tmp_path, synthetic(started_at="2026-01-02T00:00:00+00:00"), stamp="20260102-000000")
    notices: list[str] = []
    found = collection.find([tmp_path, old], notices)
    assert [entry.path for entry in found] == [new, old] and notices == []
    assert (found[1].case, found[1].iteration, found[1].logs) == ("inference_throughput_amx_int8", 2, old.parents[2])
    assert found[1].primary == ("Throughput", "samples/sec", 100.0)


def test_a_file_outside_the_layout_is_named_after_its_parameters(tmp_path):
    synthetic().write(tmp_path / "benchmark_x.json")
    entry, = collection.find([tmp_path])
    assert (entry.case, entry.iteration, entry.logs) == ("inference_throughput_amx_int8", None, tmp_path)


@pytest.mark.parametrize(("text", "why"), [
    (json.dumps({"schema": "resnet50-bench-result", "schema_version": SCHEMA_VERSION + 1}), "schema version"),
    (json.dumps({"schema": "resnet50-bench-result", "schema_version": SCHEMA_VERSION}), "damaged"),
    ("[]", "not a result"), ("{", "cannot be read"), ("\0", "cannot be read"), ("", "cannot be read")])
def test_what_is_no_result_is_named_and_the_rest_listed(tmp_path, capsys, text, why):
    put(tmp_path, synthetic())
    (tmp_path / "benchmark_bad.json").write_text(text)
    assert main(["list", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "*Throughput (samples/sec): 100.0000" in said.out
    assert why in said.err
    assert "benchmark_bad.json" in said.err


def test_a_logs_folder_without_result_is_named_with_its_kpi_text(tmp_path):
    folder = tmp_path / "20260101-000000-logs-resnet50_pytorch_xeon_public_x"
    folder.mkdir()
    (folder / "kpi.txt").write_text("## MODE: x\n# INVALID RESULT: BATCH_SIZE=0 is too small\n")
    notices: list[str] = []
    assert collection.find([tmp_path], notices) == []
    assert notices == [f"{folder} contains no result: BATCH_SIZE=0 is too small"]


def test_a_folder_that_is_not_there(tmp_path, capsys):
    with pytest.raises(BadInput, match="no such folder"):
        collection.find([tmp_path / "none"])
    assert main(["list", str(tmp_path / "none")]) == 2
    assert main(["list", "--recent", "0"]) == 2
    assert main(["list", "--all", "--primary"]) == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{"failure": "instance 1 died", "verdict": "invalid"}, {"verdict": "invalid"},
                                     {"failure": "died"}, {"statistics": {"throughput_images_per_s": None}},
                                     {"statistics": {"throughput_images_per_s": float("nan")}}])
def test_no_primary_without_a_sound_result(tmp_path, changes, capsys):
    put(tmp_path, synthetic(**changes))
    assert collection.find([tmp_path])[0].primary is None
    for words in ([], ["--all"]):
        assert main(["list", *words, str(tmp_path)]) == 0
        shown = capsys.readouterr().out
        assert f"# INVALID RESULT: {changes.get('failure', '')}" in shown
        assert "*" not in shown
        assert "samples/sec" not in shown


def test_all_metrics_parameters_and_noise(tmp_path, capsys):
    put(tmp_path, synthetic(case={"MODE": "latency"}, verdict="noisy", reasons=["steal time"]))
    main(["list", "--all", "--params", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert "## CUSTOMER_ENV: A=1 B=x|y" in lines
    assert "# NOISY RESULT: steal time" in lines
    assert [line for line in lines if line.startswith("*")] == ["*Latency (ms): 40.0000"]
    assert {"Throughput (samples/sec): 100.0000", "Latency P50 (ms): 39.0000", "Compute Utilization (%): 50.0000",
            "Window Overlap (%): 99.0000"} <= set(lines)
    assert not [line for line in lines if "origins" in line]


def test_a_result_without_proof_of_its_kernels_is_called_unproven_in_every_listing(tmp_path, capsys):
    put(tmp_path / "a", synthetic(case={"TORCH_TYPE": "ONNXRUNTIME"}))
    put(tmp_path / "b", synthetic(case={"TORCH_TYPE": "OPENVINO"}))
    main(["list", str(tmp_path)])
    assert capsys.readouterr().out.count("# UNPROVEN RESULT: ONNXRUNTIME: its kernels are unproven") == 1
    main(["list", "--format", "json", str(tmp_path)])
    assert sorted(row["why"] for row in json.loads(capsys.readouterr().out)) == ["", "kernels unproven"]
    main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--anyway"])
    assert "NOTICE: A: ONNXRUNTIME: its kernels are unproven" in capsys.readouterr().out


def test_recent_counts_logs_folders(tmp_path, capsys):
    for day in (1, 2, 3):
        for iteration in (1, 2):
            put(tmp_path, synthetic(rate=day, started_at=f"2026-01-0{day}T00:00:0{iteration}+00:00"),
                stamp=f"2026010{day}-000000", iteration=iteration)
    main(["list", "--recent", "2", "--format", "json", str(tmp_path)])
    assert [row["value"] for row in json.loads(capsys.readouterr().out)] == [3, 3, 2, 2]


@pytest.fixture
def table(tmp_path) -> list[dict[str, Cell]]:
    """Rows with different metrics and awkward texts."""
    put(tmp_path, synthetic(rate=0.1 + 0.2))
    put(tmp_path, synthetic(failure='he said "no", | twice\nand left', verdict="invalid"), stamp="20260102-000000")
    return listing.rows(collection.find([tmp_path]), every=True, tunables=True)


def test_csv_reads_back(table):
    read = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert read == [{name: "" if value is None else str(value) for name, value in row.items()} for row in table]
    assert {row["value"] for row in table} == {0.1 + 0.2, None}


def test_markdown_has_a_cell_for_every_column(table):
    header, rule, *body = as_markdown(table).splitlines()
    cells = [line.replace("\\|", "").count("|") - 1 for line in (header, rule, *body)]
    assert cells == [len(table[0])] * 4
    assert "0.3000" in as_markdown(table)


@pytest.mark.parametrize("form", ["list", "json", "csv", "markdown"])
def test_no_results(tmp_path, capsys, form):
    assert main(["list", "--format", form, str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == ("[]" if form == "json" else "")


def test_what_is_large_is_not_kept_and_takes_nothing_else_with_it(tmp_path):
    made = synthetic(checks=[{"name": "x", "reading": "", "verdict": "ok"}],
                     counters={"cpu_s": {"0": {"user": 1.0}}, "processes": {}})
    made.case["CUSTOMER_ENV"] = '}], "verdict": "statistics": {[' + json.dumps({"processes": [{}], "counters": 1})
    path = put(tmp_path, made)
    whole = json.loads(path.read_text())
    entry, = collection.find([tmp_path])
    assert entry.result == msgspec.convert(whole, ResultSummary)
    assert entry.result.case["CUSTOMER_ENV"] == made.case["CUSTOMER_ENV"]
    assert not {"processes", "counters"} & set(entry.result.__struct_fields__)


@pytest.mark.parametrize("change", [
    lambda d: {"statistics": d["statistics"]} | {"processes": [{"processes": 1, "statistics": {}}]} | d,
    lambda d: d | {"processes": [{"facts": {"processes": 1, "a": 1, "statistics": 2}}]},
    lambda d: d | {"processes": [{"facts": "}"}], "counters": {"x": '"]", "verdict": "valid"'}},
    lambda d: dict(reversed(d.items())), lambda d: d | {"counters": {"counters": {"verdict": [{"verdict": 1}]}}}])
@pytest.mark.parametrize("form", [{}, {"indent": 1}, {"separators": (",", ":")}])
def test_a_result_reads_the_same_however_it_is_laid_out(tmp_path, change, form):
    document = change(synthetic().document())
    (tmp_path / "benchmark_x.json").write_text(json.dumps(document, **form))
    entry, = collection.find([tmp_path])
    assert entry.result == msgspec.convert(document, ResultSummary)


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_result_that_ends_early_is_no_result(tmp_path, cut):
    text = json.dumps(synthetic(counters={"cpu_s": {str(i): {"user": 1.0} for i in range(100)}}).document())
    (tmp_path / "benchmark_x.json").write_text(text[:int(cut * len(text))])
    notices: list[str] = []
    assert collection.find([tmp_path], notices) == []
    assert "cannot be read as a result" in notices[0]


def test_key_and_differences(tmp_path):
    a = synthetic()
    b = synthetic(case={"BATCH_SIZE": "8", "CUSTOMER_ENV": ""}, topology={"core_count": 4}, placement={},
                  software={"torch": "2.9.0", "numpy": "2"},
                  system=a.document()["system"] | {"firmware": {"bios": "2"}})
    assert comparability.differences(a, a) == []
    assert comparability.differences(a, b) == [
        ("parameter", "BATCH_SIZE", "4", "8"), ("parameter", "CUSTOMER_ENV", "A=1 B=x|y", ""),
        ("software", "torch", "2.8.0", "2.9.0"), ("software", "python", "3.11", None),
        ("software", "numpy", None, "2"), ("system", "firmware.bios", "1", "2"), ("placement", "core_count", 2, 4),
        ("placement", "instances", 1, 0), ("placement", "cpus_per_instance", "2", "")]
    mine, others = comparability.key(a), comparability.key(b)
    assert {name for name in mine if mine[name] != others[name]} == {
        "BATCH_SIZE", "CUSTOMER_ENV", "torch", "core_count", "instances", "cpus_per_instance"}
    assert {"cpu", "cpu_family", "cpu_model", "cpu_stepping", "intel-extension-for-pytorch"} <= set(mine)
