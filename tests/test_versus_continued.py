"""``versus`` that ended early: what it shows, and how its folder goes on. Runs are FAKE."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from resnet50_bench.cli import tree, versus_command
from resnet50_bench.launch import versions
from resnet50_bench.result.blocks import Question, Rules
from resnet50_bench.versus import compare
from resnet50_bench.versus.outcome import Outcome
from resnet50_bench.versus.rounds import Race, Turn
from resnet50_bench.versus.words import Given, sides
from support.fake_cases import FakeCases
from support.fakes import SPR_CPU, host, machine


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    made = host(machine(tmp_path / "machine"))
    monkeypatch.setattr(versus_command, "this_host", lambda environment: made)
    return made


@pytest.mark.parametrize(("words", "names"), [(("--a", "", "--b", "BATCH_SIZE=8"), "AB"),
                                              (("--b", "BATCH_SIZE=8", "--c", "", "--d", "STEPS=9"), "BCD")])
def test_what_was_measured_before_an_early_end_is_shown_and_the_command_it_names_goes_on(
        here, words, names, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "run_case", (begun := FakeCases(SPR_CPU.name, ends_at=2)).run_case)
    argv = ["versus", "--precision=avx_int8", "--within", "1%", *words, "--folder", str(tmp_path / "it"), "--rounds=4"]
    assert tree.main(argv) == 128 + 2
    said = capsys.readouterr().out
    assert "no round was measured" not in said and "101.00" in said.rpartition("side ")[2]
    assert "nothing is compared yet: only " in (tmp_path / "it" / "versus.txt").read_text()
    go_on = shlex.split(said.rpartition("next: ")[2])
    assert go_on[1:5] == argv[:4] and go_on[-2:] == ["--rounds", "4"]
    monkeypatch.setattr(compare, "run_case", (after := FakeCases(SPR_CPU.name)).run_case)
    assert tree.main(go_on[1:]) == 0
    assert begun.measured[0] not in after.measured and {*begun.measured, *after.measured} >= {
        f"it/{side}/round-{number:03}" for side in names for number in (1, 2, 3, 4)}


def test_an_early_end_before_any_turn_says_so_and_how_to_go_on(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "run_case", FakeCases(SPR_CPU.name, ends_at=1).run_case)
    assert tree.main(["versus", "--a", "", "--b", "STEPS=9", "--folder", str(tmp_path / "it")]) == 128 + 2
    said = capsys.readouterr().out
    assert "no side was measured" in said and "next: " in said
    assert json.loads((tmp_path / "it/outcome.json").read_text())["turns"] == []


def test_without_the_baseline_the_others_are_not_compared_with_each_other(here):
    race = Race(("A", "B", "C"), Rules(Question.BASELINE, 4), 1, turns=[Turn(1, "B", 100.0), Turn(1, "C", 90.0)])
    found = sides(Given({"A": "", "B": "STEPS=9", "C": "STEPS=8"}, {}, {}), here)
    assert Outcome(found, race, "", 0.0).gaps == []


@pytest.fixture
def begun_before(here, tmp_path, monkeypatch):
    """A folder as commit aafa1a2 left it: two rounds, and the turn of B of the third; its runs were FAKE, too."""
    monkeypatch.setattr(versions, "software_record", lambda python: {"torch": "2.8.0", "python": "3.11.0"})
    small = host(machine(tmp_path / "small", cores_per_node=1, sockets=1))
    monkeypatch.setattr(versus_command, "this_host", lambda environment: small)
    kept = (Path(__file__).parent / "support/begun_by_aafa1a2.json").read_text()
    for name, document in json.loads(kept.replace('"PYTHON"', json.dumps(sys.executable))).items():
        (tmp_path / "it" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "it" / name).write_text(json.dumps(document))
    return tmp_path / "it"


def test_a_folder_that_an_older_version_began_is_continued_and_no_turn_is_measured_again(begun_before, monkeypatch):
    monkeypatch.setattr(compare, "run_case", (runs := FakeCases(SPR_CPU.name)).run_case)
    assert tree.main(["versus", "--folder", str(begun_before), "--rounds=4"]) == 0
    assert sorted(runs.measured) == ["it/A/round-003", "it/A/round-004", "it/B/round-004"]
    turns = json.loads((begun_before / "outcome.json").read_text())["turns"]
    assert len(turns) == 8 and [turn["value"] for turn in turns[:5]] == [101, 102, 103, 104, 105]


def test_a_folder_of_an_older_version_with_other_packages_is_refused_by_name(begun_before, monkeypatch, capsys):
    monkeypatch.setattr(versions, "software_record", lambda python: {"torch": "2.9.0", "python": "3.11.0"})
    monkeypatch.setattr(compare, "run_case", FakeCases(SPR_CPU.name, ends_at=1).run_case)
    assert tree.main(["versus", "--folder", str(begun_before), "--rounds=4"]) == 2
    said = capsys.readouterr().err
    assert str(begun_before) in said and "torch 2.8.0 (now 2.9.0)" in said
