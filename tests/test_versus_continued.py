"""``versus`` that ended early: what it shows, and how its folder goes on. Runs are FAKE."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from resnet50_bench.cli import tree, versus_command
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
