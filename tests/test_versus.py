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
from resnet50_bench.cli import versus_command
from resnet50_bench.errors import BadInput
from resnet50_bench.launch import versions
from resnet50_bench.result.blocks import Question
from resnet50_bench.versus import record, words
from resnet50_bench.versus.rounds import DECIDED, Race, SideFailed, Turn, order, take_turns
from resnet50_bench.versus.words import Given
from support.documents import decoded
from support.fake_race import FakeRunner, given, raced, run
from support.fakes import GENOA_CPU, SPR_CPU, host, machine

ROOT = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    return host(machine(tmp_path / "machine"))


def test_every_second_round_mirrors_the_one_before_and_the_seed_decides_the_rest():
    orders = [order("ABC", 7, number) for number in range(1, 41)]
    assert all(second == first[::-1] for first, second in zip(orders[::2], orders[1::2], strict=True))
    assert len(set(orders[::2])) > 2
    assert orders == [order("ABC", 7, number) for number in range(1, 41)]
    assert orders != [order("ABC", 8, number) for number in range(1, 41)]
    assert Counter(order("AB", 1, number)[0] for number in range(1, 41)) == {"A": 20, "B": 20}


def test_a_clear_difference_ends_it_at_the_first_look_though_rounds_differ():
    runner = FakeRunner(ratio=1.5)
    why, race = run(runner)
    assert why == DECIDED and race.round == 3
    assert Counter(runner.measured) == {(number, name): 1 for number in (1, 2, 3) for name in "AB"}


def test_equal_sides_go_on_to_the_most_rounds():
    why, race = run(FakeRunner(spread=0.05), raced(most_rounds=6))
    assert race.round == 6 and "6 rounds" in why and not race.standing.ended


def test_a_side_that_is_beaten_is_not_measured_any_more():
    runner = FakeRunner(ratio=0.5, spread=0.03)
    _, race = run(runner, raced("ABCD", most_rounds=6, question=Question.BEST))
    assert Counter(name for _, name in runner.measured) == {"A": 6, "C": 6, "D": 6, "B": 3}
    assert race.standing.out == {"B": 3}


def test_a_disturbed_turn_is_measured_once_more_and_both_are_kept():
    runner = FakeRunner(spread=0.01, slow={(2, "B"): 0.5})
    _, race = run(runner, raced("ABC", most_rounds=4))
    assert runner.measured.count((2, "B")) == 2 and len(runner.measured) == len(race.turns) == 13
    assert min(one.value for one in race.observations) > 70


def test_within_goes_on_until_it_is_that_precise_even_where_it_is_decided():
    why, race = run(FakeRunner(ratio=1.5), raced(within=0.03, most_rounds=40))
    assert "--within" in why and 3 < race.round < 40


def test_no_round_begins_that_would_end_after_the_time_limit():
    runner = FakeRunner()
    why, race = run(runner, time_limit_s=75)
    assert race.round == 3 and runner.now == 60 and "time limit" in why


def test_what_is_left_is_said_right_to_a_factor_of_one_and_a_half():
    runner = FakeRunner(ratio=0.5)
    run(runner, raced("ABC", most_rounds=20, within=0.02))
    foreseen = [likely for likely, _ in runner.left_s]
    ends = runner.now
    after = [30 * (number + 1) for number in range(len(foreseen))]
    assert all(2 / 3 <= (at + left) / ends <= 3 / 2 for at, left in list(zip(after, foreseen, strict=True))[4:])


def test_a_turn_that_failed_is_measured_once_more_and_said():
    runner = FakeRunner(fails={(2, "B"): 1})
    _, race = run(runner, raced(most_rounds=2))
    assert runner.said == [(2, "B: instance 0 was killed by SIGKILL")] and len(race.turns) == 4
    assert runner.measured.count((2, "B")) == 2 and runner.measured.count((1, "A")) == 1


def test_a_side_that_fails_twice_ends_it_or_leaves_where_it_may():
    race = raced()
    with pytest.raises(SideFailed, match="SIGKILL"):
        run(FakeRunner(fails={(2, "B"): 2}), race)
    assert {turn.round for turn in race.turns if turn.side == "B"} == {1}
    race = raced("ABC", most_rounds=4)
    run(FakeRunner(spread=0.05, fails={(2, "B"): 2}), race, may_fail=True)
    assert list(race.failed) == ["B"] and {turn.side for turn in race.turns if turn.round == 4} == {"A", "C"}


@pytest.mark.parametrize("there", range(1, 13))
def test_wherever_it_was_cut_it_goes_on_as_if_it_had_not_been(there):
    """Also within a round, and where a side has left."""
    whole = run(FakeRunner(ratio=0.5, spread=0.04), raced("ABC", most_rounds=5, question=Question.BEST))[1]
    runner = FakeRunner(ratio=0.5, spread=0.04)
    _, race = run(runner, raced("ABC", whole.turns[:there], most_rounds=5, question=Question.BEST))
    assert race.turns == whole.turns and race.standing == whole.standing
    assert len(runner.measured) == len(whole.turns) - there



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
    with pytest.raises(BadInput, match="same answers in each run"):
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
    (["--a", "", "--b", "", "--equal-within", "0%"], "'0%' is not a percentage above 0% and up to 100%"),
    (["--a", "", "--b", "", "--equal-within=200%"], "'200%' is not a percentage above 0% and up to 100%"),
    ([f"--{name}=STEPS=1" for name in "abcdefghi"], "--i is not an option: there are at most 8 sides, --a to --h"),
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

    def go_on(self, most_rounds: int = 40, hang_at: int = 0) -> list[Turn]:
        self.hang_at = hang_at
        race = raced("AB", record.turns(self.folder, self.sides, self.machine), most_rounds)
        take_turns(race, self, lambda: 0.0)
        return race.turns

    def round_ended(self, race: Race) -> None:
        pass

    def measure(self, number: int, side: str, again: bool) -> Turn:
        there = record.turn_folder(self.folder, side, number, again)
        with (self.folder / "measured").open("a") as log:
            log.write(f"{number} {side}\n")
        count = sum(measured(self.folder).values())
        if count == self.hang_at:
            time.sleep(60)
        case = next(each for each in self.sides if each.name == side)
        result = decoded({
            "case": case.case.texts(), "started_at": f"2026-01-01T00:00:{count:02}",
            "system": {"cpu": self.machine.cpu.name},
            "software": versions.software_record(case.python), "topology": self.machine.topology,
            "placement": {}, "verdict": "valid",
            "statistics": {"throughput_images_per_s": random.Random(f"{number}{side}").uniform(90, 110)}})
        result.write(there / "benchmark_x.json")
        return record.turn_of(result, number, side, again)


def measured(folder: Path) -> Counter[str]:
    return Counter((folder / "measured").read_text().splitlines())


def test_a_kill_in_the_middle_of_a_round_loses_no_turn_and_measures_none_twice(tmp_path):
    running = subprocess.Popen([sys.executable, "-c", _FAKE_COMPARISON, tmp_path],
                               env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"})
    while not (tmp_path / "measured").exists() or len(measured(tmp_path)) < 6:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)  # while the last turn of round 3 is measured
    running.wait()
    there = FakeFolder(tmp_path)
    before = record.turns(tmp_path, there.sides, there.machine)
    assert [turn.round for turn in before] == [1, 1, 2, 2, 3]
    after = there.go_on(most_rounds=4)
    assert after[:5] == before and [turn.round for turn in after[5:]] == [3, 4, 4]
    cut = next(iter({"A", "B"} - {before[-1].side}))
    assert measured(tmp_path)[f"3 {cut}"] == 2 and sum(measured(tmp_path).values()) == 9
    assert [path.name for path in (tmp_path / "left-out").iterdir()] == [f"{cut}-round-003-1"]
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
        record.turns(tmp_path, there.sides, replace(there.machine, cpu=GENOA_CPU))
    path, = tmp_path.glob("A/round-001/*.json")
    document = json.loads(path.read_text())
    document["software"]["torch"] = "1.0"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="torch 1.0"):
        record.turns(tmp_path, there.sides, there.machine)
    assert there.machine.cpu == SPR_CPU
