"""A against B: the words, the order of turns, when it ends, and a folder gone on with. Runners are FAKE."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from resnet50_bench.arguments import seconds, share
from resnet50_bench.cli import tree, versus_command
from resnet50_bench.errors import BadInput, Regression, RunFailed
from resnet50_bench.launch import versions
from resnet50_bench.result.paired import Paired
from resnet50_bench.versus import compare, outcome, record, words
from resnet50_bench.versus.outcome import Outcome
from resnet50_bench.versus.rounds import DECIDED, Round, Rules, Turn, looks, order, take_turns
from resnet50_bench.versus.words import Given
from support.documents import decoded
from support.fakes import GENOA_CPU, SPR_CPU, host, machine

ROOT = Path(__file__).parents[1]


class FakeRunner:
    """Turns whose values are drawn: side B is ``ratio`` times A, both share what a round has in common."""

    def __init__(self, ratio: float = 1.0, fails: dict[int, int] | None = None, spread: float = 0.02) -> None:
        self.ratio, self.fails, self.spread = ratio, fails or {}, spread
        self.measured: list[tuple[int, str]] = []
        self.left_out: list[int] = []
        self.said: list[tuple[int, str]] = []
        self.now = 0.0

    def measure(self, number: int, name: str) -> Turn:
        self.measured.append((number, name))
        self.now += 10
        if name == "B" and self.fails.get(number, 0):
            self.fails[number] -= 1
            raise RunFailed("instance 0 was killed by SIGKILL")
        own = random.Random(f"{number}{name}").gauss(0, self.spread)
        common = random.Random(number).uniform(0.5, 1.5)
        return Turn(100 * common * (1 + own) * (self.ratio if name == "B" else 1), "noisy", ("drift: it fell",), 500.0)

    def leave_out(self, number: int) -> None:
        self.left_out.append(number)

    def round_ended(self, rounds: list[Round], took_s: list[float]) -> None:
        assert len(took_s) <= len(rounds)

    def round_failed(self, number: int, error: RunFailed) -> None:
        self.said.append((number, str(error)))


def run(runner: FakeRunner, rounds: list[Round] | None = None, names: str = "AB",
        **rules: object) -> tuple[str, list[Round]]:
    rounds = [] if rounds is None else rounds
    why = take_turns(list(names), Rules(**{"most_rounds": 21, **rules}), rounds, runner, lambda: runner.now)
    return why, rounds


def test_every_second_round_mirrors_the_one_before_and_the_seed_decides_the_rest():
    orders = [order("ABC", 7, number) for number in range(1, 41)]
    assert all(second == first[::-1] for first, second in zip(orders[::2], orders[1::2], strict=True))
    assert len(set(orders[::2])) > 2
    assert orders == [order("ABC", 7, number) for number in range(1, 41)]
    assert orders != [order("ABC", 8, number) for number in range(1, 41)]
    assert Counter(order("AB", 1, number)[0] for number in range(1, 41)) == {"A": 20, "B": 20}


def test_a_clear_difference_ends_it_at_the_first_look_though_rounds_differ_threefold():
    runner = FakeRunner(ratio=1.5)
    why, rounds = run(runner)
    assert why == DECIDED and len(rounds) == 3
    assert Counter(runner.measured) == {(number, name): 1 for number in (1, 2, 3) for name in "AB"}


def test_equal_sides_go_on_to_the_most_rounds_and_are_looked_at_seldom():
    why, rounds = run(FakeRunner(), most_rounds=10)
    assert len(rounds) == 10 and "10 rounds" in why
    assert looks(10) == (3, 5, 8, 10) and looks(2) == (2,) and looks(21) == (3, 5, 8, 13, 21)


def test_within_goes_on_until_it_is_that_precise_even_where_it_is_decided():
    why, rounds = run(FakeRunner(ratio=1.5), within=0.02, most_rounds=100)
    assert "within 2 %" in why and 3 < len(rounds) < 100


def test_no_round_begins_that_would_end_after_the_time_limit():
    runner = FakeRunner()
    why, rounds = run(runner, time_limit_s=75)
    assert len(rounds) == 3 and runner.now == 60 and "time limit" in why


def test_equal_sides_are_called_different_in_at_most_five_of_a_hundred_comparisons():
    class Seeded(FakeRunner):
        def measure(self, number: int, name: str) -> Turn:
            self.now += 1
            return Turn(dice.gauss(100, 3), "valid", (), None)

    dice = random.Random(5)
    wrong = sum(run(Seeded())[0] == DECIDED for _ in range(400))
    assert wrong <= 20


def test_a_round_that_failed_is_measured_once_more_as_a_whole_and_said():
    runner = FakeRunner(fails={2: 1})
    _, rounds = run(runner, most_rounds=2)
    assert runner.said == [(2, "instance 0 was killed by SIGKILL")]
    assert [each.number for each in rounds] == [1, 2]
    assert runner.measured.count((2, "B")) == 2 and runner.measured.count((1, "A")) == 1


def test_a_round_that_fails_twice_ends_it():
    runner, rounds = FakeRunner(fails={2: 2}), []
    with pytest.raises(RunFailed, match="SIGKILL"):
        run(runner, rounds)
    assert [each.number for each in rounds] == [1]


def test_rounds_that_are_known_are_not_measured_again():
    first = run(FakeRunner(), most_rounds=4)[1]
    runner = FakeRunner()
    _, rounds = run(runner, [first[0], first[1], first[3]], most_rounds=4)
    assert {number for number, _ in runner.measured} == {3} and len(rounds) == 4


def given(a: str = "", b: str = "", **flags: str) -> Given:
    return Given({"A": a, "B": b}, {"CASE_TYPE": "gated", "PRECISION": "avx_int8", **flags}, {})


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    return host(machine(tmp_path / "machine"))


def test_a_sides_words_are_read_as_by_a_shell():
    found = words.read_side("B", 'batch_size=8 --weight-sharing CUSTOMER_ENV="A=1 B=2" RESNET50_BENCH_STACK=current')
    assert found == ({"BATCH_SIZE": "8", "WEIGHT_SHARING": "True", "CUSTOMER_ENV": "A=1 B=2"},
                     {"RESNET50_BENCH_STACK": "current"})


@pytest.mark.parametrize(("text", "message"), [
    ("BATCH_SIZ=8", "did you mean BATCH_SIZE"),
    ("CUSTOMER_ENV=A=1 B=2", "'B=2' is no parameter.*in quotes"),
    ("BATCH_SIZE=8 BATCH_SIZE=4", "given twice"),
    ("BATCH_SIZE", "needs a value"),
    ("CUSTOMER_ENV='A=1", "No closing quotation"),
    ("RESNET50_BENCH_PYTHON=/x RESNET50_BENCH_STACK=current", "give one of them"),
])
def test_what_a_side_does_not_understand_is_refused(text, message):
    with pytest.raises(BadInput, match=message):
        words.read_side("B", text)


def test_all_sides_are_valid_before_anything_runs_and_every_fault_is_named(here):
    with pytest.raises(BadInput) as refused:
        words.sides(given("TORCH_TYPE=IPX", "BATCH_SIZE=0"), here)
    assert "did you mean IPEX" in str(refused.value) and "too small" in str(refused.value)
    with pytest.raises(BadInput, match="MODE is latency and throughput"):
        words.sides(given("MODE=latency", ""), here)
    with pytest.raises(BadInput, match="same answers each time"):
        words.sides(given(MODE="accuracy", DATA_TYPE="real"), here)
    with pytest.raises(BadInput, match="B: RESNET50_BENCH_ENV=/nowhere.*is not set up"):
        words.sides(given("", "RESNET50_BENCH_ENV=/nowhere"), here)


def test_a_side_beats_what_all_have_and_an_empty_value_means_the_default(here):
    a, b = words.sides(given("BATCH_SIZE=8 CUSTOMER_ENV=", "", BATCH_SIZE="4", CUSTOMER_ENV="X=1"), here)
    assert (a.case.batch_size, a.case.customer_env) == (8, ())
    assert (b.case.batch_size, b.case.customer_env) == (4, (("X", "1"),))


def test_the_same_on_both_sides_is_said_and_an_environment_of_a_side_is_its_alone(here, monkeypatch):
    assert "B is the same as A" in words.identical(words.sides(given(), here))[0]
    other = words.sides(given("", "RESNET50_BENCH_PYTHON=/bin/sh"), here)
    assert [str(side.python) for side in other] == [sys.executable, "/bin/sh"] and not words.identical(other)
    assert os.environ["RESNET50_BENCH_PYTHON"] == sys.executable


@pytest.mark.parametrize(("argv", "message"), [
    (["--a", ""], "at least two sides"),
    (["--a", "", "--b", "", "--tim-limit=3m"], "did you mean --time-limit"),
    (["--a", "", "--b", "", "--time-limit", "soon"], "10m"),
    (["--a", "", "--b", "", "--within", "1"], "1%"),
    (["--precision", "1%", "--a", "", "--b", ""], "did you mean --within 1%"),
    (["--a", "", "--b", "", "--rounds", "0"], "too small"),
])
def test_the_command_refuses_before_it_makes_a_folder(argv, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message):
        versus_command.main(argv)
    assert list(tmp_path.iterdir()) == []
    assert (seconds("1h30m"), share("0.5 %")) == (5400, 0.005)


def test_a_folder_goes_on_with_what_it_was_started_with_and_nothing_else(tmp_path):
    plan = record.Plan(given("BATCH_SIZE=8"), 3, {}, {"A": "/p"})
    record.write_plan(tmp_path, plan)
    assert record.read_plan(tmp_path) == plan
    assert record.planned(Given({}, {}, {}), None, tmp_path) == plan
    assert record.planned(given("BATCH_SIZE=8"), 3, tmp_path) == plan
    with pytest.raises(BadInput, match=r"--a 'BATCH_SIZE=9'.*STEPS=4 in the environment"):
        record.planned(Given({"A": "BATCH_SIZE=9"}, {}, {"STEPS": "4"}), None, tmp_path)
    with record.alone_in(tmp_path), pytest.raises(BadInput, match="another versus runs"), record.alone_in(tmp_path):
        pass


#: FAKE: it hangs in the last turn of round 3.
_FAKE_COMPARISON = """import sys, pathlib, test_versus
test_versus.versions.software_record = test_versus.KNOWN_SOFTWARE
test_versus.FakeFolder(pathlib.Path(sys.argv[1])).go_on(hang_at=6)"""


#: Its Python is asked once, not for each turn.
KNOWN_SOFTWARE = functools.cache(versions.software_record)


@pytest.fixture(autouse=True)
def known_software(monkeypatch):
    monkeypatch.setattr(versions, "software_record", KNOWN_SOFTWARE)


class FakeFolder:
    """A comparison in a folder, whose turns measure nothing; the turn ``hang_at`` lasts."""

    def __init__(self, folder: Path) -> None:
        os.environ["RESNET50_BENCH_PYTHON"] = sys.executable
        self.folder, self.machine = folder, machine(folder / "machine", cores_per_node=8)
        self.sides = words.sides(given("", "BATCH_SIZE=8"), host(self.machine))

    def go_on(self, most_rounds: int = 40, hang_at: int = 0) -> list[Round]:
        self.hang_at = hang_at
        rounds = record.rounds(self.folder, self.sides, self.machine)
        take_turns("AB", Rules(most_rounds), rounds, self, lambda: 0.0)
        return rounds

    def leave_out(self, number: int) -> None:
        record.leave_out(self.folder, "AB", number)

    def round_ended(self, rounds: list[Round], took_s: list[float]) -> None:
        pass

    def measure(self, number: int, name: str) -> Turn:
        there = record.turn_folder(self.folder, name, number)
        there.mkdir(parents=True)
        with (self.folder / "measured").open("a") as log:
            log.write(f"{number} {name}\n")
        if sum(measured(self.folder).values()) == self.hang_at:
            time.sleep(60)
        side = next(side for side in self.sides if side.name == name)
        result = decoded({
            "case": side.case.texts(), "started_at": "2026-01-01T00:00:00", "system": {"cpu": self.machine.cpu.name},
            "software": versions.software_record(side.python), "topology": self.machine.topology,
            "placement": {}, "verdict": "valid",
            "statistics": {"throughput_images_per_s": random.Random(f"{number}{name}").uniform(90, 110)}})
        result.write(there / "benchmark_x.json")
        return record.turn_of(result)


def measured(folder: Path) -> Counter[str]:
    return Counter((folder / "measured").read_text().splitlines())


def test_a_kill_in_the_middle_of_a_round_loses_no_measured_round_and_measures_none_twice(tmp_path):
    running = subprocess.Popen([sys.executable, "-c", _FAKE_COMPARISON, tmp_path],
                               env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"})
    while not (tmp_path / "measured").exists() or len(measured(tmp_path)) < 6:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)  # while the last turn of round 3 is measured
    running.wait()
    there = FakeFolder(tmp_path)
    before = record.rounds(tmp_path, there.sides, there.machine)
    assert [each.number for each in before] == [1, 2]
    after = there.go_on(most_rounds=4)
    assert after[:2] == before and [each.number for each in after] == [1, 2, 3, 4]
    counts = measured(tmp_path)
    assert all(counts[f"{number} {name}"] == (2 if number == 3 else 1) for number in (1, 2, 3, 4) for name in "AB")
    assert sorted(path.name for path in (tmp_path / "left-out").iterdir()) == ["A-round-003-1", "B-round-003-1"]
    assert there.go_on(most_rounds=4) == after


def test_a_plan_with_bytes_that_are_no_text_is_refused(tmp_path):
    record.write_plan(tmp_path, record.Plan(given("BATCH_SIZE=8"), 3))
    path = tmp_path / record.PLAN
    path.write_bytes(path.read_bytes().replace(b"BATCH_SIZE", b"BATCH\xff\xff"))
    with pytest.raises(BadInput, match="versus.json cannot be read: .*can't decode byte 0xff"):
        record.read_plan(tmp_path)


def test_rounds_of_another_machine_or_other_versions_are_refused(tmp_path):
    there = FakeFolder(tmp_path)
    there.go_on(most_rounds=1)
    with pytest.raises(BadInput, match="other CPU .*AMD EPYC"):
        record.rounds(tmp_path, there.sides, replace(there.machine, cpu=GENOA_CPU))
    path, = tmp_path.glob("A/round-001/*.json")
    document = json.loads(path.read_text())
    document["software"]["torch"] = "1.0"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="torch 1.0"):
        record.rounds(tmp_path, there.sides, there.machine)
    assert there.machine.cpu == SPR_CPU


def outcome_of(here, ratio: float, names: str = "AB", **flags: str) -> Outcome:
    texts = {name: f"BATCH_SIZE={number + 1}" for number, name in enumerate(names)}
    found = words.sides(Given(texts, given(**flags).flags, {}), here)
    why, rounds = run(FakeRunner(ratio), names=names, most_rounds=8)
    return Outcome(found, rounds, 8, 1, why, 61.0)


def test_the_outcome_says_who_is_faster_by_how_much_and_names_noisy_turns(here):
    faster = outcome_of(here, 1.2)
    assert "B is faster than A by " in outcome.text(faster) and outcome.is_slower(faster) == []
    assert "3 of 3" in outcome.text(faster) and "wall time 1:01" in outcome.text(faster)
    assert "B is slower than A by " in outcome.is_slower(outcome_of(here, 0.8))[0]
    latency = outcome_of(here, 1.2, MODE="latency")
    assert "higher latency" in outcome.is_slower(latency)[0]
    equal = outcome.text(outcome_of(here, 1.0))
    assert "no difference shown" in equal and "would have been seen" in equal


@pytest.mark.parametrize("names", ["AB", "ABC", "ABCDEFGH"])
def test_the_screen_shows_ten_lines_at_most_and_where_the_rest_is(here, names):
    lines = outcome.card(outcome_of(here, 1.2, names), "FOLDER", "bench")
    assert len(lines) <= 10 and any("B is faster than A by " in line for line in lines)
    assert lines[-2] == "results: FOLDER" and lines[-1].startswith("next: bench ")
    assert any("more: FOLDER/" in line for line in lines) == (len(names) > 3)
    assert outcome.card(outcome_of(here, 1.0), "F", "bench")[-1] == "next: bench versus --folder F --rounds 16"


@pytest.mark.parametrize(("ratio", "option", "status"), [
    (0.8, ["--fail-if-slower"], Regression.exit_status), (0.8, [], 0), (1.0, ["--fail-if-slower"], 0),
    (1.2, ["--fail-if-slower"], 0)])
def test_the_exit_status_tells_ci_whether_a_side_is_slower(here, ratio, option, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "_take_turns", lambda *given: outcome_of(here, ratio))
    monkeypatch.setattr(compare, "sides", lambda *given: [])
    argv = ["versus", "--a", "", "--b", "", "--json", "--folder", str(tmp_path / "versus"), *option]
    assert tree.main(argv) == status
    said = capsys.readouterr()
    assert json.loads(said.out)["pairs"][0]["ratio"] == pytest.approx(ratio, rel=0.05)
    assert ("B is slower than A by" in said.err) == (status == 4)


def test_the_document_holds_every_pair_and_every_round(here):
    found = json.loads(json.dumps(outcome.document(outcome_of(here, 1.2, "ABC"))))
    assert [(pair["a"], pair["b"], pair["verdict"]) for pair in found["pairs"]] == [
        ("A", "B", "faster"), ("A", "C", "no difference shown"), ("B", "C", "slower")]
    assert [each["round"] for each in found["rounds"]] == list(range(1, 9))
    assert found["unit"] == "samples/sec" and found["higher_is_better"] is True
    assert found["sides"]["B"]["parameters"]["BATCH_SIZE"] == "2"


def test_a_side_without_proof_of_its_kernels_is_called_unproven(here):
    both = outcome_of(here, 1.2, TORCH_TYPE="ONNXRUNTIME", PRECISION="avx_fp32")
    assert "\nB: ONNXRUNTIME: its kernels are unproven" in outcome.text(both)
    assert "unproven" not in outcome.text(outcome_of(here, 1.2))
    assert outcome.document(both)["sides"]["A"]["kernels_proven"] is False


@pytest.mark.parametrize(("low", "high", "told"), [
    (None, None, False), (0.0, 2e22, False), (0.5, 1e6, False), (0.2, 3.0, True), (0.98, 1.04, True)])
def test_an_interval_over_powers_of_ten_is_not_shown(low, high, told):
    pair = outcome.Pair("A", "B", Paired(1.01, low, high, 2))
    assert ("too few rounds" in outcome.ratio_text(pair)) != told
    assert ("so few rounds" in outcome.verdict(pair, "throughput")) != told
