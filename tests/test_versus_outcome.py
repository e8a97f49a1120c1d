"""What a comparison says at its end: the sentence, the screen, the document, the exit status. Turns are FAKE."""

from __future__ import annotations

import json
import sys

import pytest

from resnet50_bench.cli import tree, versus_command
from resnet50_bench.errors import Regression
from resnet50_bench.result.blocks import Gap, Question, Rules
from resnet50_bench.versus import compare, outcome, words
from resnet50_bench.versus.compare import Limits
from resnet50_bench.versus.outcome import Outcome
from resnet50_bench.versus.rounds import Race, SideFailed
from resnet50_bench.versus.words import Given
from support.fake_race import FakeRunner, given, run
from support.fakes import host, machine


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    return host(machine(tmp_path / "machine"))


def outcome_of(here, ratio: float, names: str = "AB", question: Question = Question.BASELINE, spread: float = 0.02,
               **flags: str) -> Outcome:
    texts = {name: f"BATCH_SIZE={number + 1}" for number, name in enumerate(names)}
    found = words.sides(Given(texts, given(**flags).flags, {}), here)
    race = Race(tuple(names), Rules(question, 8), -1 if flags.get("MODE") == "latency" else 1)
    why, _ = run(FakeRunner(ratio, spread=spread), race)
    return Outcome(found, race, why, 61.0)


def test_the_outcome_says_who_is_faster_by_how_much_and_names_noisy_turns(here):
    faster = outcome_of(here, 1.2)
    assert "B is faster than A by " in outcome.text(faster) and outcome.refuse_slower(faster) is None
    assert "3 of 3" in outcome.text(faster) and "wall time 1:01" in outcome.text(faster)
    with pytest.raises(Regression, match="B is slower than A by "):
        outcome.refuse_slower(outcome_of(here, 0.8))
    latency = outcome_of(here, 1.2, MODE="latency")
    with pytest.raises(Regression, match="higher latency"):
        outcome.refuse_slower(latency)
    assert outcome.document(latency)["pairs"][0]["ratio"] == pytest.approx(1.2, rel=0.05)
    equal = outcome.text(outcome_of(here, 1.0))
    assert "no difference shown" in equal and "would have been seen" in equal


def test_the_ratio_is_the_quotient_of_the_values_that_are_shown(here):
    found = outcome_of(here, 1.1)
    shown = found.estimates
    assert shown["B"] / shown["A"] == pytest.approx(found.gaps[0].ratio)


def test_who_seeks_the_fastest_gets_one_sentence_that_answers_or_says_what_would(here):
    told = outcome.sentence(outcome_of(here, 1.2, "BCD", Question.BEST))
    assert told.startswith("B is the fastest: ") and "% behind" in told
    open_question = outcome.sentence(outcome_of(here, 1.0, "BCD", Question.BEST, spread=0.002))
    assert open_question.endswith("are the fastest, within 2 % of each other")
    open_question = outcome.sentence(outcome_of(here, 0.98, "BC", Question.BEST, spread=0.03))
    assert "leads, but" in open_question and "would decide" in open_question
    hopeless = outcome.sentence(outcome_of(here, 1.08, "BC", Question.BEST, spread=0.2))
    assert "more than 100 rounds would be needed" in hopeless and "--equal-within" in hopeless
    beaten = outcome.table(outcome_of(here, 0.5, "BCD", Question.BEST))
    assert "out after round 3" in beaten[-1] and "BATCH_SIZE=1" in beaten[-1]


@pytest.mark.parametrize("names", ["AB", "ABC", "ABCDEFGH"])
def test_the_screen_shows_each_side_and_the_verdicts_and_the_next_command(here, names):
    lines = outcome.card(outcome_of(here, 1.2, names), "FOLDER", "bench", "versus --folder F")
    assert len(lines) <= max(10, len(names) + 6) and any("B is faster than A by " in line for line in lines)
    assert lines[-2] == "results: FOLDER" and lines[-1].startswith("next: bench ")
    unsettled = outcome.card(outcome_of(here, 1.0), "F", "bench", "versus --folder F")
    assert unsettled[-1] == "next: bench versus --folder F --rounds 16"


@pytest.mark.parametrize(("ratio", "option", "status"), [
    (0.8, ["--fail-if-slower"], Regression.exit_status), (0.8, [], 0), (1.0, ["--fail-if-slower"], 0),
    (1.2, ["--fail-if-slower"], 0)])
def test_the_exit_status_tells_ci_whether_a_side_is_slower(here, ratio, option, status, tmp_path, monkeypatch, capsys):
    found = outcome_of(here, ratio)
    monkeypatch.setattr(compare, "_decided", lambda plan, *more: (plan, found.sides))
    monkeypatch.setattr(compare, "_take_turns", lambda *given: found)
    monkeypatch.setattr(compare, "sides", lambda *given: [])
    argv = ["versus", "--a", "", "--b", "", "--json", "--folder", str(tmp_path / "versus"), *option]
    assert tree.main(argv) == status
    said = capsys.readouterr()
    assert json.loads(said.out)["pairs"][0]["ratio"] == pytest.approx(ratio, rel=0.05)
    assert ("B is slower than A by" in said.err) == (status == 4)


def test_a_folder_alone_keeps_to_the_rules_that_were_typed(here, tmp_path, monkeypatch):
    found, rules = outcome_of(here, 1.0), []
    monkeypatch.setattr(compare, "_decided", lambda plan, *more: (plan, found.sides))
    monkeypatch.setattr(compare, "_take_turns", lambda folder, ready, host, race, *more: rules.append(race.rules))
    for typed in (Limits(3, equal_within=0.05, question=Question.PAIRS), Limits(6)):
        compare.compare(given("BATCH_SIZE=8"), tmp_path, here, typed, versus_command.VersusPrinter("versus"))
    assert [(one.equal_within, one.question) for one in rules] == [(0.05, Question.PAIRS)] * 2


def test_a_side_that_fails_is_named_as_the_end(here, tmp_path, monkeypatch):
    found, ended = outcome_of(here, 1.0), []

    class Observer:
        def begins(self, *words):
            pass

        def ended(self, outcome, folder):
            ended.append(outcome.ended)

    def fails(*words):
        raise SideFailed("B", "53 of 53 convolutions did not run amx_int8's kernels")

    monkeypatch.setattr(compare, "take_turns", fails)
    with pytest.raises(SideFailed):
        compare._take_turns(tmp_path, found.sides, here, found.race, None, Observer(), False)
    assert ended == ["B failed"]


def test_the_document_has_every_gap_of_the_question_and_every_turn(here):
    found = json.loads(json.dumps(outcome.document(outcome_of(here, 1.2, "ABC"))))
    assert [(pair["a"], pair["b"], pair["verdict"]) for pair in found["pairs"]] == [
        ("A", "B", "faster"), ("A", "C", "no difference shown")]
    assert len(found["turns"]) == 3 + 8 + 8 and found["question"] == "baseline" and not found["decided"]
    assert found["unit"] == "samples/sec" and found["higher_is_better"] is True
    assert found["sides"]["B"]["parameters"]["BATCH_SIZE"] == "2" and found["sides"]["B"]["out_after"] == 3
    every = outcome.document(outcome_of(here, 1.2, "ABC", Question.PAIRS))
    assert [(pair["a"], pair["b"]) for pair in every["pairs"]] == [("A", "B"), ("A", "C"), ("B", "C")]


def test_a_side_without_proof_of_its_kernels_is_called_unproven(here):
    both = outcome_of(here, 1.2, TORCH_TYPE="ONNXRUNTIME", PRECISION="avx_fp32")
    assert "\nB: ONNXRUNTIME: its kernels are unproven" in outcome.text(both)
    assert "unproven" not in outcome.text(outcome_of(here, 1.2))
    assert outcome.document(both)["sides"]["A"]["kernels_proven"] is False


@pytest.mark.parametrize(("low", "high", "told"), [
    (None, None, False), (0.0, 2e22, False), (0.5, 1e6, False), (0.2, 3.0, True), (0.98, 1.04, True)])
def test_an_interval_over_powers_of_ten_is_not_shown(here, low, high, told):
    gap = Gap("A", "B", 1.01, low, high, "no difference shown")
    assert (outcome.interval(low, high) == "") != told
    why = "too few rounds" if low is None else "differ too much for an interval; reduce the noise"
    assert (why in outcome.verdict(outcome_of(here, 1.0), gap)) != told
