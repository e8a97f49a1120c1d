"""A file of references: read, refused by place, made by reference, and held against by ctest.sh. FAKE results."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest.mock import ANY

import pytest

from resnet50_bench.cli import gate_command
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import case_run, handover, logs, options
from resnet50_bench.errors import BadInput
from resnet50_bench.history.references import read_references
from resnet50_bench.yaml_files import load_yaml
from support.gate import ALONE, days, one, yaml
from support.gate import gate as gate
from support.gate import yaml_is_here as yaml_is_here
from support.results import synthetic


@pytest.mark.parametrize(("there", "lack", "named"), [
    ({"cpu": "Other*", "more": "   cores: 7\n"}, "cpu", ("'FAKE Xeon'", "2 cores", "'Other*' with 7 cores")),
    ({"case": "*_avx_*"}, "case", ("the case inference_throughput_amx_int8",)),
    ({"more": "       parameters: {BATCH_SIZE: 8, TORCH_TYPE: IPEX}\n"}, "parameters",
     ("BATCH_SIZE=8", "BATCH_SIZE=4")),
    ({"kpi": "accuracy"}, "kpi", ("accuracy",))])
def test_a_gate_whose_references_compare_nothing_fails_and_says_what_differs_and_what_to_type(
        tmp_path, gate, there, lack, named):
    logs, file = days(tmp_path, 1.0), one(tmp_path, **there)
    status, out, err = gate(logs, "--references", file)
    assert status == 1 and out.endswith("GATE: 1 without a reference\n")
    assert all(word in err for word in named) and "TORCH_TYPE" not in err
    assert f"reference {logs} >> {file}" in err
    status, out, _ = gate(logs, "--references", file, "--allow-missing")
    assert status == 0 and out.endswith("GATE: passed, 1 without a reference (--allow-missing)\n")
    document = json.loads(gate(logs, "--references", file, "--json")[1])
    assert (document["status"], document["points"][0]["compared"]) == (1, False)
    assert (document["without_reference"][0]["lack"], document["allow_missing"]) == (lack, False)


def test_one_of_several_cases_without_a_reference_fails_the_gate_and_a_regression_beats_it(tmp_path, gate):
    days(tmp_path, 100)
    days(tmp_path, 100, name="inference_throughput_avx_int8")
    file = one(tmp_path)
    assert gate(tmp_path, "--references", file)[0] == 1
    days(tmp_path, 50, first=1)
    status, out, err = gate(tmp_path, "--references", file, "--junit", tmp_path / "x.xml")
    assert status == 4 and out.endswith("GATE: 1 regression, 1 without a reference\n")
    assert "below the reference" in err and "no reference for the case inference_throughput_avx_int8" in err
    suite = ElementTree.parse(tmp_path / "x.xml").getroot().find("testsuite")
    assert (suite.get("errors"), suite.find("testcase/error").get("type")) == ("1", "NothingCompared")


def test_allow_missing_is_about_references(tmp_path, gate):
    status, _, err = gate(days(tmp_path, 100), "--allow-missing")
    assert (status, "--references" in err) == (2, True)
    with pytest.raises(BadInput, match="--gate FILE"):
        options.parse(["--allow-missing"], {})


def test_earlier_runs_are_no_substitute_for_a_reference(tmp_path, gate):
    days(tmp_path, *[100] * 6)
    file = one(tmp_path, more="       parameters: {BATCH_SIZE: 8}\n")
    assert gate(days(tmp_path, 100, first=6), "--references", file)[0] == 1


@pytest.mark.parametrize(("glob", "nearest"), [
    ("*_troughput_amx_int8", "throughput"),
    ("inference_throughput_amx_int8_gate", "inference_throughput_amx_int8_gated"),
    ("training_latency_avx_fp32", "")])
def test_a_glob_that_matches_no_case_of_any_platform_is_refused_with_the_nearest(tmp_path, glob, nearest):
    with pytest.raises(BadInput, match="matches no case of any platform") as refused:
        read_references(Path(one(tmp_path, case=glob)))
    assert nearest in str(refused.value)


@pytest.mark.parametrize("glob", ["*", "*_gated", "*avx2_fp32*", "test_resnet50_pytorch_xeon_public_training_*",
                                  "inference_latency_amx_bfloat32", "resnet50_pytorch_xeon_public_*_pkm"])
def test_a_glob_for_another_platforms_cases_is_none_that_is_mistyped(tmp_path, glob):
    assert read_references(Path(one(tmp_path, case=glob))).systems[0].cases == {glob: ANY}


def test_a_reference_is_added_to_a_file_as_the_gate_advises(tmp_path, gate, capsys):
    file = Path(one(tmp_path, case="*_avx_*"))
    logs = days(tmp_path / "logs", 100)
    assert gate(logs, "--references", file)[0] == 1
    assert main(["reference", str(logs)]) == 0
    with file.open("a") as stream:
        stream.write(capsys.readouterr().out)
    assert gate(logs, "--references", file)[0] == 0


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """The results of the build folder: a case's, and later ones that no case left."""
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path / "build"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "build/workload/ResNet50-Pytorch-Xeon-Public"
    days(folder, 100)
    for path, mark in (("20260601-000000-sweep/amx_int8_b8_c2", "sweep.json"),
                       ("20260602-000000-versus/A/round-001", "versus.json"),
                       ("20260603-000000-engines/amx_int8/A/round-001", "")):
        made = synthetic(rate=7.0, started_at="2026-06-01T00:00:00+00:00")
        made.placement.workers = None if mark else "warm"
        (folder / path).mkdir(parents=True)
        made.write(folder / path / "benchmark_x.json")
        if mark:
            (folder / path.partition("/")[0] / mark).write_text("{}")
    return folder


def test_reference_and_gate_read_the_builds_results_and_no_points_of_a_sweep(results, gate, capsys):
    assert main(["reference"]) == 0
    said = capsys.readouterr()
    assert "value: 100," in said.out and "value: 7," not in said.out and said.err.count("left out") == 1
    assert ("NOTICE: 1 comparison (versus, engines), 1 sweep, 1 point of a sweep are left out: their runs are "
            "not runs of a case\n") in said.err
    Path("references.yaml").write_text(said.out)
    status, out, _ = gate("--references", "references.yaml")
    assert (status, "throughput 100.0 is equal to the reference" in out) == (0, True)
    assert main(["reference", str(results / "20260601-000000-sweep")]) == 2, "not when it is named, either"


def test_results_of_comparisons_alone_are_no_results_of_cases(results, gate, capsys):
    """One line is the error, and it says what helps."""
    there = results / "20260602-000000-versus"
    for side in "AB":
        (there / side / "round-002").mkdir(parents=True)
    turn = there / "A/round-001/benchmark_x.json"
    for words in (["reference", "--noisy", str(there)], ["reference", str(turn)]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "NOTICE: 1 comparison (versus, engines) is left out: its runs are not runs of a case\n" in said
        assert said.count("error: ") == 1 and "Use --noisy" not in said and "./ctest.sh -R gated --loop 5" in said
    for named in (there, turn):
        status, _, err = gate(named)
        assert (status, err.count("error: ")) == (2, 1)
        assert f"It belongs to the comparison {there}. Compare its sides: " in err
        assert f" compare {there}/A {there}/B\n" in err


@pytest.mark.parametrize("words", [["compare", "note.md", "note.md"], ["gate", "note.md"], ["reference", "note.md"],
                                   ["gate", "--references", "note.md"]])
@pytest.mark.parametrize("text", ["# Title: a\n\n- `b`: [c](d)\n", "Some text.\n", "Our systems: many\n@ x\n"])
def test_another_text_is_refused_without_a_parsers_words(tmp_path, monkeypatch, capsys, words, text):
    monkeypatch.chdir(tmp_path)
    Path("note.md").write_text(text)
    assert main(words) == 2
    said = "".join(capsys.readouterr())
    assert ("note.md is not a references file (what `resnet50-bench reference` prints)" if "--references" in words else
            "note.md is not a result file (JSON that a run wrote: benchmark_*.json)") in said
    assert not any(word in said for word in ("Expecting", "char 0", "line 1", "scanning", "mapping"))


def test_several_systems_in_one_file(tmp_path, gate):
    file = yaml(tmp_path, """
systems:
  - cpu: "*"
    cases:
      "*": {throughput: {value: 1000, tolerance: 5 %}}
  - cpu: "FAKE*"
    cores: 2
    cases:
      "test_resnet50_pytorch_xeon_public_*_amx_int8": {throughput: {value: 100, tolerance: 5%}}
  - cpu: "FAKE*"
    cores: 4
    cases:
      "*_amx_int8": {throughput: {value: 200, tolerance: 2.5 %}, latency: {value: 20, tolerance: 5 %}}
""")
    assert gate(days(tmp_path / "a", 99), "--references", file)[0] == 0
    four = days(tmp_path / "b", 198, latency_ms=30, topology={"core_count": 4})
    status, out, err = gate(four, "--references", file)
    assert (status, "throughput 198.0 is 1 % below the reference 200.0" in out) == (4, True)
    assert err == f"error: latency 30.0 is 50 % above the reference 20.0 (tolerance 5 %){ALONE}\n"
    other = days(tmp_path / "c", 99, system={"cpu": "Another"})
    assert "90.1 % below the reference 1000.0" in gate(other, "--references", file)[2]


@pytest.mark.parametrize(("text", "says"), [
    ("systems: [{cpu: a, cases: {'*x': {troughput: {}}}}]",
     r"systems\[0\]\.cases\['\*x'\]: troughput is not a key \(did you mean throughput\?\); allowed here: throughput, "
     r"latency,.* parameters"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerence: 5 %}}}}]", "did you mean tolerance"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1}}}}]", "the key tolerance is missing"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: -1, tolerance: 5 %}}}}]", r"throughput\.value: -1 .* above 0"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: .nan, tolerance: 5 %}}}}]", "value: nan"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 0.05}}}}]", "tolerance: 0.05 .* for example 5 "
                                                                                   "%"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 100 %}}}}]", "below 100 %"),
    ("systems: [{cpu: a, cases: {x: {throughput: 5}}}]", r"\.throughput: 5 .* value, tolerance"),
    ("systems: [{cpu: a, cases: {x: {}}}]", "no KPI is given"),
    ("systems: [{cpu: a, cases: {x: {throughput: {value: 1, tolerance: 5 %}, parameters: {BATCHSIZE: 1}}}}]",
     "did you mean BATCH_SIZE"),
    ("systems: [{cpu: a, cores: true, cases: {}}]", r"\[0\]\.cores: True .* number of cores"),
    ("systems: [{cores: 2, cases: {}}]", "key cpu is missing"), ("systems: [{cpu: a}]", "key cases is missing"),
    ("systems: [{cpu: a, cases: [x]}]", "case globs"), ("systems: {cpu: a}", "a list of systems"),
    ("system: []", "did you mean systems"), ("- a", r"\['a'\] is not lines of systems"), ("systems: [", "is not YAML"),
    ("systems: [{cpu: *glob}]", "is not YAML.*in quotes"), ("systems: [{cpu: *glob*}]", "is not YAML.*in quotes")])
def test_a_wrong_file_is_refused_by_place(tmp_path, text, says):
    file = yaml(tmp_path, text)
    with pytest.raises(BadInput, match=says) as caught:
        read_references(Path(file))
    assert all(line.startswith(file) for line in caught.value.violations)


def test_everything_that_is_wrong_in_a_file_is_told_at_once(tmp_path):
    file = yaml(tmp_path, "systems:\n - {cpu: a, cores: 0, cases: {'*': {throughput: {value: no, tolerance: 0.05}}}}\n"
                          " - {cpu: '', cases: {'*': {latency: {value: 1, tolerance: 5 %}, accuracy: 3}}}\n")
    with pytest.raises(BadInput) as caught:
        read_references(Path(file))
    places = [line.removeprefix(f"{file}: ").partition(": ")[0] for line in caught.value.violations]
    assert sorted(places) == ["systems[0].cases['*'].throughput.tolerance", "systems[0].cases['*'].throughput.value",
                              "systems[0].cores", "systems[1].cases['*'].accuracy", "systems[1].cpu"]


def test_no_systems_is_a_gate_by_history_alone(tmp_path, gate):
    days(tmp_path, *[100] * 6)
    assert gate(days(tmp_path, 80, first=6), "--references", yaml(tmp_path, "systems: []"))[0] == 4


def test_reference_makes_a_file_that_gate_reads(tmp_path, gate, capsys):
    cpu = {"cpu": "FAKE [x] (R) *"}
    for iteration, value in enumerate((100, 101, 99, 110, 100), start=1):
        folder = days(tmp_path / "a", value, iteration=iteration, system=cpu)
    days(tmp_path / "a", 50, mode={"BATCH_SIZE": "8"}, iteration=6, system=cpu)
    days(tmp_path / "a", 1, iteration=7, system=cpu, verdict="noisy", reasons=["steal"])
    days(tmp_path / "a", 1, first=0, iteration=0, system=cpu, software={"torch": "1"})
    assert main(["reference", str(folder)]) == 0
    said = capsys.readouterr()
    assert "noisy: steal" in said.err and "software versions of newer runs differ" in said.err
    assert "comes from 1 usable run, which shows no spread" in said.err
    file = tmp_path / "made.yaml"
    file.write_text(said.out)
    systems = read_references(file).systems
    glob, = {glob for system in systems for glob in system.cases}
    assert [(system.cores, system.cases[glob].kpis["throughput"].value) for system in systems] == [
        (2, 100.0), (2, 50.0)]
    # Student's t of 4 degrees of freedom, 2.78, of the robust deviation, times the root of 1 + 1/5, rounded up
    assert systems[0].cases[glob].kpis["throughput"].tolerance == pytest.approx(0.061)
    assert systems[1].cases[glob].kpis["throughput"].tolerance == pytest.approx(0.03)
    assert gate(days(tmp_path / "b", 95, system=cpu), "--references", file)[0] == 0
    assert gate(days(tmp_path / "c", 93, system=cpu), "--references", file)[0] == 4
    assert gate(days(tmp_path / "d", 50, system=cpu, mode={"BATCH_SIZE": "8"}), "--references", file)[0] == 0


def test_reference_without_a_valid_result(tmp_path, capsys):
    assert main(["reference", str(days(tmp_path, 100, verdict="noisy", reasons=["steal"]))]) == 2
    said = capsys.readouterr().err
    assert "noisy: steal" in said and "Use --noisy" in said and said.count("error: ") == 1
    assert main(["reference", "--noisy", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "value: 100," in said.out and "is noisy: steal" in said.err


def test_ctests_option_is_checked_before_any_case_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one(tmp_path)
    assert options.parse(["--gate", "references.yaml", "-V"]).overrides().gate == str(tmp_path / "references.yaml")
    assert options.parse(["-V"]).overrides().gate == ""
    yaml(tmp_path, "systems: [{}]")
    with pytest.raises(BadInput, match="key cpu is missing"):
        options.parse(["--gate", "references.yaml"]).overrides()
    with pytest.raises(BadInput, match="cannot be read"):
        options.parse(["--gate", "none.yaml"]).overrides()


class FakeBackend:
    """Stands in for a run: leaves a FAKE result."""

    local = False

    def cpus(self):
        return ()

    def run(self, texts, folder, timeout_s):
        synthetic(rate=90.1, started_at="2026-06-01T00:00:00+00:00").write(folder / "benchmark_x.json")
        return 0


@pytest.mark.parametrize(("reference", "more", "status"), [
    (102.7, "", 4), (92.0, "", 0), (None, "", 0), (92.0, "       parameters: {BATCH_SIZE: 8}\n", 1)])
def test_a_regression_or_no_comparison_fails_the_case(tmp_path, monkeypatch, capsys, reference, more, status):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(case_run, "choose", lambda settings: (FakeBackend(), "BACKEND: fake"))
    monkeypatch.setattr(logs, "run_kpi", lambda folder: (0, "*Throughput (samples/sec): 90.1\n"))
    handed = handover.Overrides(gate=one(tmp_path, reference, more=more) if reference else "",
                               statuses=str(tmp_path / "statuses"))
    handed.write(tmp_path / "overrides.json")
    monkeypatch.setenv(handover.VARIABLE, str(tmp_path / "overrides.json"))
    assert main(["case", "inference_throughput_amx_int8"]) == status
    said = capsys.readouterr()
    told, = handover.read_records(tmp_path / "statuses")
    assert (told.option, told.status) == ("inference_throughput_amx_int8", status)
    assert ("below the reference" in told.why) == (status == 4) and told.logs.endswith("inference_throughput_amx_int8")
    assert ("GATE: " in said.out) == bool(reference)
    text = f"error: throughput 90.1 is 12.3 % below the reference 102.7 (tolerance 5 %){ALONE}\n"
    assert said.err == text or status != 4
    assert (told.gate is not None) == bool(reference)
    if told.gate:
        assert (told.gate.passed, told.gate.compared_nothing) == (status == 0, status == 1)
        assert told.gate.expected == ({"throughput": reference} if status != 1 else {})


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_examples_are_yaml_and_name_real_options(name):
    path = Path(__file__).parents[1] / "docs/ci" / name
    text = path.read_text()
    assert len(load_yaml(path)) == 1
    known = {word for parser in (options.parser(), gate_command.parser()) for word in parser._option_string_actions}
    used = set(re.findall(r"(?<![\w-])--[a-z-]+", "\n".join(line for line in text.splitlines()
                                                           if not line.lstrip().startswith("#"))))
    assert used <= known | {"--output-junit"}
    assert {"--gate", "--output-junit", "--junit"} <= used
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)


def test_an_empty_file_is_no_references(tmp_path):
    """A failed ``reference LOGS > FILE`` leaves one, and a gate with it would compare nothing."""
    with pytest.raises(BadInput, match="is empty"):
        read_references(Path(yaml(tmp_path, "")))
