"""A sweep with a FAKE measurement: what it leaves behind and says, and how it goes on after an end in the middle."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from resnet50_bench.case.case import every_option
from resnet50_bench.cli import ctest_command, sweep_command
from resnet50_bench.ctest.config import read_config, texts_for
from resnet50_bench.errors import BadInput, DoesNotFit, Infrastructure, Interrupted, RunFailed, UnsupportedCpu
from resnet50_bench.history import collection
from resnet50_bench.report.points import grids, points
from resnet50_bench.sweep import outlook, sweep, tables
from resnet50_bench.sweep.record import PointRun
from resnet50_bench.sweep.search import Score
from support.fake_sweep import FakeMachine

FULL = ("--batch_size=1 2 4", "--cores_per_instance=1 2")


def warm(fake: FakeMachine) -> list[tuple[str, int, int]]:
    """The points that were measured by workers that stay, once for each time."""
    cases = [entry.result.case for entry in collection.find([fake.folder])
             if entry.result.placement.workers == "warm"]
    return [(case["PRECISION"], int(case["BATCH_SIZE"]), int(case["CORES_PER_INSTANCE"])) for case in cases]


def best_row(fake: FakeMachine, unit: str = "samples/sec") -> list[str]:
    """The first row of the table of the best."""
    text = (fake.folder / "sweep.txt").read_text().partition(f"The best of each precision ({unit}):")[2]
    return [word.strip() for word in text.splitlines()[3].split("|")[1:-1]]


def test_named_values_are_measured_completely_and_every_point_is_a_result_of_its_own(fake, capsys):
    assert fake.sweep(*FULL) == 0
    assert Counter(fake.measured) == Counter((precision, batch, cores) for precision in ("avx2_int8", "avx2_fp32")
                                             for batch in (1, 2, 4) for cores in (1, 2))
    entries = collection.find([fake.folder])
    assert len(entries) == 12 and len({entry.logs for entry in entries}) == 12
    assert {entry.case for entry in entries} == {"inference_throughput_avx2_int8", "inference_throughput_avx2_fp32"}
    assert [len(inside) for _, inside in grids(points(entries))] == [6, 6], "the report's heat map takes them"
    said = capsys.readouterr().out
    assert "12 of 12 | avx2_fp32 BS 4 CPI 2" in said
    outcome = said[said.index("\n-- sweep: 12 points in 12 runs") + 1:].splitlines()
    assert len(outcome) <= 10 and outcome[1].startswith("   avx2_int8   BS 4 CPI 2: 139.3 samples/sec")
    assert f"   Tables      {fake.folder}/sweep.txt" in outcome
    words = shlex.split(outcome[-1].partition("ctest.sh ")[2])
    assert words[:2] == ["--config", f"{fake.folder}/best.yaml"]
    rules = read_config(Path(words[1]))
    meant = [option for option in every_option() if texts_for(rules, f"test_resnet50_pytorch_xeon_public_{option}")]
    chosen = [option for option in every_option() if re.search(words[3], f"_{option}")]
    assert words[2] == "-R" and chosen == meant, "the next command runs the cases that have a best point, and no other"
    assert "139.3" in (fake.folder / "sweep.txt").read_text()


def test_a_sweep_of_server_shows_each_tried_rate(fake, capsys):
    fake.fails[("avx2_fp32", 2, 1)] = RunFailed("no rate is valid")
    with pytest.raises(RunFailed, match="no rate is valid"):
        fake.sweep("--mode=server", "--precision=avx2_fp32", "--batch_size=2", "--cores_per_instance=1")
    assert "avx2_fp32 BS 2 CPI 1: rate 1\n" in capsys.readouterr().out


def test_the_table_names_the_best_and_the_config_file_reproduces_it(fake, capsys):
    fake.sweep(*FULL, "--torch_type=IPEX", "--steps=7", "--customer_env=A=1 B=x")
    text = (fake.folder / "sweep.txt").read_text()
    assert best_row(fake)[:4] == ["avx2_int8", "4", "2", "MILAN"]
    assert "avx2_int8 (* best" in text and text.count("*") >= 2
    texts = texts_for(read_config(fake.folder / "best.yaml"),
                      "test_resnet50_pytorch_xeon_public_inference_throughput_avx2_int8")
    assert texts == {"BATCH_SIZE": "4", "CORES_PER_INSTANCE": "2", "TORCH_TYPE": "IPEX", "CUSTOMER_ENV": "A=1 B=x"}
    assert texts_for(read_config(fake.folder / "best.yaml"),
                     "test_resnet50_pytorch_xeon_public_inference_throughput_avx2_int8_gated") == {}


def test_a_given_rate_is_refused_because_every_point_would_reach_it(fake):
    with pytest.raises(BadInput, match="TARGET_QPS=20: a sweep of MODE=server searches the highest rate .*Leave") as no:
        fake.sweep("--mode=server", "--target_qps=20", *FULL)
    assert no.value.exit_status == 2 and not fake.measured and not [*fake.folder.iterdir()]


def test_without_names_it_searches_and_measures_less_than_everything(fake, capsys):
    assert fake.sweep("--precision=avx2_int8") == 0
    assert 6 <= len(set(fake.measured)) < 16
    assert best_row(fake)[:3] == ["avx2_int8", "128", "2"]
    totals = re.findall(r"\] (\d+) of (about )?(\d+)", capsys.readouterr().out)
    assert all(about for _, about, _ in totals) and all(int(done) < int(total) for done, _, total in totals[:6])


@pytest.mark.parametrize("flags", [FULL, ()], ids=["full", "searched"])
def test_a_sweep_that_was_ended_goes_on_and_measures_nothing_twice(fake, capsys, flags):
    fake.ends_before = 4
    with pytest.raises(Interrupted):
        fake.sweep(*flags, "--steps=9")
    assert len(fake.measured) == 4 and "avx2_int8" in (fake.folder / "sweep.txt").read_text()
    fake.ends_before = None
    assert fake.sweep() == 0, "its folder tells what it was started with"
    assert "4 runs of these points exist already" in capsys.readouterr().out
    assert max(Counter(warm(fake)).values()) == 1
    whole = set(fake.measured)
    assert {entry.result.case["STEPS"] for entry in collection.find([fake.folder])} == {"9"}
    fake.measured.clear()
    assert fake.sweep() == 0
    assert fake.measured == [], "nothing is left to do"
    assert whole == {(entry.result.case["PRECISION"], int(entry.result.case["BATCH_SIZE"]),
                      int(entry.result.case["CORES_PER_INSTANCE"])) for entry in collection.find([fake.folder])}


def test_the_last_rivals_take_turns_in_fresh_processes(fake, capsys):
    assert fake.sweep("--precision=avx2_int8", "--batch_size=16 32 64", "--cores_per_instance=2") == 0
    searched, turns = fake.measured[:3], [batch for _, batch, _ in fake.measured[3:]]
    assert sorted(searched) == sorted(warm(fake)) == [("avx2_int8", batch, 2) for batch in (16, 32, 64)]
    assert turns == [64, 32, 16, 16, 32, 64, 64, 32, 16], "the FAKE has no spread: three rounds decide"
    assert len({id(session) for session in fake.launches[:3]}) == 1
    assert len({id(session) for session in fake.launches[3:]}) == 9, "each with workers of its own"
    fresh = [entry for entry in collection.find([fake.folder]) if entry.result.placement.workers == "fresh"]
    assert len(fresh) == 9
    text = (fake.folder / "sweep.txt").read_text()
    assert "avx2_int8: restarts show that the best is better than BS 32 CPI 2, BS 16 CPI 2" in text
    assert best_row(fake)[1] == "64" and best_row(fake)[-1] == "3 restarts"
    assert "they run again in new processes, in alternating order, 5 rounds at most" in capsys.readouterr().out


def test_a_duel_that_was_ended_goes_on_with_the_next_turn(fake, capsys):
    fake.ends_before = 7
    words = ("--precision=avx2_int8", "--batch_size=16 32 64", "--cores_per_instance=2")
    with pytest.raises(Interrupted):
        fake.sweep(*words)
    assert "too few restarts to decide" in (fake.folder / "sweep.txt").read_text()
    fake.ends_before = None
    assert fake.sweep() == 0
    assert [batch for _, batch, _ in fake.measured[3:]] == [64, 32, 16, 16, 32, 64, 64, 32, 16]


def test_a_rival_whose_restart_fails_leaves_the_duel(fake, capsys):
    def fails_late(*words, **named):
        if len(fake.measured) == 4:
            fake.fails = {("avx2_int8", 32, 2): RunFailed("killed")}
        return original(*words, **named)

    original, fake.run_case = fake.run_case, fails_late
    sweep.run_case = fails_late
    assert fake.sweep("--precision=avx2_int8", "--batch_size=16 32 64", "--cores_per_instance=2") == 0
    assert [batch for _, batch, _ in fake.measured[3:]] == [64, 32, 16, 16, 64, 64, 16]
    assert "avx2_int8 BS 32 CPI 2: failed: killed" in (fake.folder / "sweep.txt").read_text()


def test_a_point_that_fails_is_named_and_the_others_are_measured(fake, capsys):
    fake.fails = {("avx2_int8", 4, 2): RunFailed("instance 0 (pid 4711) was killed by SIGKILL"),
                  ("avx2_int8", 4, 1): DoesNotFit("BATCH_SIZE=4 does not fit")}
    assert fake.sweep(*FULL) == 0
    assert len(fake.measured) == 12
    text = (fake.folder / "sweep.txt").read_text()
    assert "avx2_int8 BS 4 CPI 2: failed: instance 0 (pid 4711) was killed by SIGKILL" in text
    assert "avx2_int8 BS 4 CPI 1: failed: BATCH_SIZE=4 does not fit" in text
    assert "!" in text


def test_a_precision_without_any_point_fails_the_sweep(fake, capsys):
    fake.fails = {("avx2_int8", 1, 1): RunFailed("out of memory")}
    with pytest.raises(RunFailed, match="no point of avx2_int8 could be measured: failed: out of memory"):
        fake.sweep("--precision=avx2_int8", "--batch_size=1", "--cores_per_instance=1")
    assert "   Next " not in capsys.readouterr().out, "there is no best point to go on with"


def test_a_run_of_too_few_steps_is_shown_without_an_interval():
    assert tables.between(36.97, 36.97) == "no interval" and tables.between(36.9, 37.1) == "36.90 - 37.10"


def test_a_full_disk_ends_the_sweep(fake, capsys):
    fake.fails = {("avx2_int8", 2, 1): Infrastructure("No space left on device")}
    with pytest.raises(Infrastructure):
        fake.sweep(*FULL)
    assert len(fake.measured) == 2


def test_points_of_another_cpu_are_not_mixed_in(fake, capsys):
    fake.sweep(*FULL)
    fake.cpu = "FAKE other Xeon"
    with pytest.raises(BadInput, match="points of another CPU \\(FAKE Xeon\\); this is FAKE other Xeon"):
        fake.sweep()


def test_latency_is_better_where_it_is_less(fake, capsys):
    fake.sweep(*FULL, "--mode=latency")
    assert best_row(fake, "ms")[:3] == ["avx2_int8", "1", "2"]


def test_a_search_leaves_out_steps_that_take_too_long_and_says_so(fake, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "MOST_STEP_S", 0.3)
    fake.sweep("--precision=avx2_int8")
    assert not {point for point in fake.measured if point[1] == 128}
    assert "BS 128 CPI 1: left out: a step would take about" in (fake.folder / "sweep.txt").read_text()
    fake.measured.clear()
    fake.sweep("--precision=avx2_int8", "--batch_size=128", "--cores_per_instance=1")
    assert fake.measured == [("avx2_int8", 128, 1)], "who names it gets it"


@pytest.mark.parametrize(("flags", "error", "why"), [
    (["--batch_size=1 x"], BadInput, "BATCH_SIZE='x': a sweep takes whole numbers"),
    (["--batch_size=0"], BadInput, "BATCH_SIZE='0'"),
    (["--cores_per_instance=3"], BadInput, "does not fit"),
    (["--precision=avx2_int9"], BadInput, "did you mean avx2_int8"),
    (["--precision=amx_int8"], UnsupportedCpu, "needs the CPU flags"),
    (["--mode=accuracy"], BadInput, "a sweep measures speed"),
    (["--function=training"], BadInput, "a sweep measures speed"),
    (["--stepz=1"], BadInput, "--stepz is not an option"),
])
def test_bad_input_ends_it_before_anything_is_measured(fake, flags, error, why):
    with pytest.raises(error, match=why):
        fake.sweep(*flags)
    assert fake.measured == [] and list(fake.folder.iterdir()) == []


def test_what_the_other_parameters_exclude_is_left_out_by_name(fake, capsys):
    fake.sweep("--torch_type=EAGER", "--batch_size=1", "--cores_per_instance=1")
    assert {point[0] for point in fake.measured} == {"avx2_fp32"}
    assert "NOTICE: avx2_int8 is left out: TORCH_TYPE=EAGER" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "why"), [
    (["-V"], "--sweep and -V exclude"), (["--testcase", "x"], "--sweep and --testcase exclude"),
    (["--set", "STEPS=1 2"], "--set STEPS: a sweep takes lists only for PRECISION, BATCH_SIZE, CORES_PER_INSTANCE; "
                             "give one value"),
])
def test_ctest_sh_refuses_what_means_nothing_in_a_sweep(words, why, monkeypatch):
    with pytest.raises(BadInput, match=why):
        ctest_command.main(["--sweep", "--dry-run", *words])


def test_a_sweep_with_noenv_is_a_process_that_never_had_the_callers_variables(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execve", lambda file, words, environment: started.append((words[3:], environment)))
    with pytest.raises(StopIteration):
        monkeypatch.setattr(sweep_command, "main", lambda flags: next(iter(())))
        ctest_command.main(["--sweep", "--dry-run", "--noenv", "--set", "BATCH_SIZE=1 2"],
                           {"STEPS": "3", "OMP_NUM_THREADS": "9", "PATH": "/x", "BACKEND": "native"})
    (words, environment), = started
    assert words == ["sweep", "--batch_size=1 2", "--dry-run"]
    assert {*environment} == {"PATH", "BACKEND", "PYTHONPATH"}


def test_ctest_sh_hands_lists_and_ranges_on(fake, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", "python")
    target = tmp_path / "new" / "folder"
    assert ctest_command.main(["--sweep", str(target), "--set", "BATCH_SIZE=1 2 4 ...8/CORES_PER_INSTANCE=1 2",
                               "--set", "PRECISION=avx2_int8", "--steps=9"]) == 0
    assert Counter(fake.measured) == Counter(("avx2_int8", batch, cores) for batch in (1, 2, 4, 8) for cores in (1, 2))
    assert json.loads((target / "sweep.json").read_text())["STEPS"] == "9"


def test_the_time_left_grows_with_the_batches_that_are_left():
    took = [(1, 2.0), (8, 9.0), (4, 5.0)]
    assert outlook.seconds_left(took, [16], 0) == pytest.approx(17)
    assert outlook.seconds_left(took, [16, 32], 0) == pytest.approx(50)
    assert outlook.seconds_left([], [16], 0) is None
    assert outlook.seconds_left([(4, 3.0)], [4], 2) == pytest.approx(9)


def test_a_step_is_foretold_by_the_nearest_point():
    runs = [((8, 1), PointRun(Score(40, 40, 40), "valid", 40.0, 2)),
            ((8, 2), PointRun(Score(30, 30, 30), "valid", 30.0, 1))]
    assert outlook.step_seconds((64, 1), runs) == pytest.approx(64 / 20)
    assert outlook.step_seconds((60, 2), runs) == pytest.approx(2.0)
    assert outlook.step_seconds((64, 1), []) is None


def test_a_sweep_starts_without_torch():
    code = ("import sys; from resnet50_bench.cli import ctest_sweep; "
            "print([m for m in ('torch', 'numpy') if m in sys.modules])")
    environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
