"""The card and the table: what they show for each status and result, never longer than ten lines."""

from __future__ import annotations

import io
import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resnet50_bench.cli import result_card
from resnet50_bench.ctest import brief_output, handover
from resnet50_bench.ctest.ctest_call import repeated
from resnet50_bench.ctest.handover import CaseRecord
from resnet50_bench.ctest.options import parse
from resnet50_bench.result.card import MOST_LINES, Commands, card, next_command, table
from resnet50_bench.result.ended import Ended
from resnet50_bench.result.gated import Gated
from resnet50_bench.result.result import Result
from support.results import put, synthetic

COMMANDS = Commands("./ctest.sh --testcase X", "bench", "./ctest.sh -N", "--run 5")
KERNELS = {"brgconv:avx2": 36, "jit:avx2": 17, "gemm": 2, "other": 1}
STEAL = {"name": "steal time", "reading": "3 %", "verdict": "noisy", "message": "stolen", "remedy": "move away",
         "of_machine": True}
DRIFT = {"name": "drift", "reading": "+9 %", "verdict": "noisy", "message": "it drifted", "remedy": "warm up"}
WRONG = {"name": "bf16", "reading": "x", "verdict": "invalid", "message": "emulated", "remedy": "another PRECISION"}
LATENCY = {"count": 200, "mean": 40.0, "median": 39.0, "stdev": 1.0, "cv": 0.025, "min": 1.0, "max": 99.0,
           "percentiles": {"50": 39.0, "99": 88.0}}
STATISTICS = {"throughput_ci95": [98.0, 102.0], "latency_ms": LATENCY}


def measured(rate: float = 100.0, mode: str = "throughput", **changes: Any) -> Result:
    statistics = STATISTICS | ({"accuracy": {"count": 500, "top1": 76.0, "top5": 90.0, "top1_ci95": [72.0, 80.0]}}
                               if mode == "accuracy" else {})
    case = {"MODE": mode, "CORES_PER_INSTANCE": "2"} | changes.pop("case", {})
    return synthetic(rate, case=case, statistics=statistics,
                     **{"limits": {"compute_utilization": 0.5, "memory_utilization": 0.25}} | changes)


def ended(*results: Result, status: int = 0, **more: Any) -> Ended:
    """Each result is an iteration's."""
    return Ended("a_case", status, iterations=[[result] for result in results], kernels=KERNELS if results else {},
                 **{"logs": "LOGS", "log": "LOGS/x.log"} | more)


def rows(of: Ended) -> dict[str, str]:
    lines = card(of, COMMANDS)
    assert len(lines) <= MOST_LINES and lines[0] == "-- a_case"
    return {line[3:14].strip(): line[15:] for line in lines[1:]}


def noisy(check: dict[str, str], **more: Any) -> Result:
    return measured(verdict="noisy", checks=[check], reasons=["?"], **more)


def test_a_valid_run_shows_its_kpi_what_the_interval_holds_and_what_ran():
    shown = rows(ended(measured()))
    assert shown["Throughput"].startswith("100.0 samples/sec") and "98.00 to 102.0" in shown["Throughput"]
    assert "steps of one run" in shown["Throughput"]
    assert "P50 39.00 ms" in shown["Latency"] and "P99 88.00 ms" in shown["Latency"]
    assert shown["Ran"] == "amx_int8, IPEX, PyTorch 2.8.0, batch 4, 1 instance x 2 cores"
    assert shown["Kernels"].startswith("36 x brgconv:avx2") and "1 more" in shown["Kernels"]
    assert "50 %" in shown["Limit"] and "25 %" in shown["Limit"]
    assert (shown["Verdict"], shown["Logs"], shown["Next"]) == ("valid", "LOGS", "bench report LOGS")


def test_restarts_have_their_own_interval_and_are_compared_with_those_before():
    shown = rows(ended(measured(90.0), measured(110.0), measured(100.0), earlier="BEFORE"))
    assert shown["Throughput"].startswith("100.0 samples/sec, 95 % interval 75.16 to 124.8 between 3 restarts")
    assert shown["Next"] == "bench compare BEFORE LOGS"


def test_iterations_with_other_parameters_are_no_restarts():
    shown = rows(ended(measured(90.0, case={"BATCH_SIZE": "8"}), measured(110.0, case={"BATCH_SIZE": "16"})))
    assert "90.00 .. 110.0" in shown["Throughput"] and "BATCH_SIZE=16" in shown["Throughput"]
    assert "interval" not in shown["Throughput"] and "batch 8/16" in shown["Ran"] and "Latency" not in shown


def test_runs_at_once_have_no_interval():
    burst = {"placement": {"burst": 2}}
    assert "no interval: 2 runs at once" in rows(ended(measured(**burst), measured(**burst)))["Throughput"]


def test_nodes_add_up_and_the_worst_ones_percentile_counts():
    slow = measured(50.0)
    two = Ended("a_case", 0, iterations=[[measured(), slow]])
    shown = rows(two)
    assert shown["Throughput"].startswith("150.0 samples/sec, 95 % interval 196.0 to 204.0")
    assert "each of 2 nodes" in shown["Throughput"] and "each of 2 nodes" in shown["Ran"]


@pytest.mark.parametrize(("mode", "line", "holds"), [
    ("latency", "Latency", "mean 40.00 ms, a single run has no interval; P50 39.00 ms, P99 88.00 ms"),
    ("accuracy", "Accuracy", "76.00 %, 95 % interval 72.00 to 80.00 of 500 images")])
def test_the_kpi_is_the_modes(mode, line, holds):
    shown = rows(ended(measured(mode=mode)))
    assert shown[line] == holds
    if mode == "latency":
        assert "between steps of one run" in shown["Throughput"]


def test_few_steps_have_no_p99():
    assert "P99 needs 100 steps" in rows(ended(synthetic()))["Latency"]


def test_a_noisy_run_says_the_first_reason_its_remedy_and_how_to_find_out():
    shown = rows(ended(noisy(STEAL)))
    assert shown["Verdict"] == "noisy: steal time: stolen (3 %)" and shown["Remedy"] == "move away"
    assert shown["Next"].startswith("bench doctor") and "Throughput" in shown
    assert rows(ended(noisy(DRIFT)))["Next"].startswith("./ctest.sh --testcase X --run 5")
    several = rows(ended(measured(), noisy(DRIFT)))
    assert "in 1 of 2 runs" in several["Verdict"] and several["Next"].startswith("bench doctor"), "--run was given"
    both = measured(verdict="noisy", checks=[STEAL, DRIFT], reasons=["?", "?"])
    assert rows(ended(both))["Verdict"].endswith("; also drift")
    slow_first = rows(ended(measured(verdict="noisy", checks=[DRIFT, STEAL], reasons=["?", "?"])))
    assert slow_first["Verdict"].startswith("noisy: steal time"), "the cause leads, not what came of it"
    assert slow_first["Next"].startswith("bench doctor")


def test_an_invalid_run_shows_no_number_but_what_to_do():
    shown = rows(ended(measured(verdict="invalid", failure="invalid result", checks=[WRONG], reasons=["?"]), status=1))
    assert shown["Verdict"].startswith("invalid: bf16: emulated") and shown["Remedy"] == "another PRECISION"
    assert shown["Next"].startswith("./ctest.sh --testcase X")
    assert not {"Throughput", "Latency", "Limit"} & {*shown}


@pytest.mark.parametrize(("status", "word", "command"), [
    (1, "failed: why", "less LOGS/x.log"), (2, "refused: why", "bench parameters"), (3, "not run: why", "bench doctor"),
    (77, "skipped: why", "./ctest.sh -N"), (143, "ended by signal 15: why", "./ctest.sh --testcase X")])
def test_what_gave_no_result_has_a_card_too(status, word, command):
    shown = rows(ended(status=status, why="why\n"))
    assert shown["Verdict"] == word and shown["Next"].partition("  #")[0] == command


def test_a_regression_keeps_its_number():
    shown = rows(ended(measured(), status=4, why="slower", earlier="BEFORE"))
    assert "Throughput" in shown and shown["Verdict"] == "regression: slower"
    assert shown["Next"] == "bench compare BEFORE LOGS"


@pytest.mark.parametrize(("gate", "status", "holds"), [
    (Gated(True, references="r.yaml", points=1, by_reference=1, expected={"throughput": 102.7}, by_history=1,
           earlier=7), 0, ("passed", "102.7 samples/sec of r.yaml", "7 earlier runs")),
    (Gated(False, references="r.yaml", points=2, by_reference=2), 4, ("failed", "r.yaml (2 of 2 results)")),
    (Gated(True, references="r.yaml", points=1), 0, ("passed", "by nothing", "r.yaml has no reference")),
    (Gated(False, True, "r.yaml", points=1, by_history=1, earlier=6), 1, ("failed", "6 earlier runs", "no reference"))])
def test_a_gate_has_a_line_what_it_judged_by_and_how_that_ended(gate, status, holds):
    of = ended(measured(), status=status, gate=gate, why="BATCH_SIZE differs" if status else "")
    shown = rows(of)
    assert all(text in shown["Gate"] for text in holds) and "Throughput" in shown
    if gate.compared_nothing:
        assert shown["Verdict"] == "not compared: BATCH_SIZE differs"
        assert shown["Next"] == "bench reference LOGS >> r.yaml"
    assert "Gate" not in rows(ended(measured()))
    assert ("gate passed" in table([of, of], COMMANDS)[1]) == (gate.passed and gate.has_judged)


def every_kind() -> list[Ended]:
    results = [(), (measured(),), (measured(mode="latency"),), (measured(mode="accuracy"),), (noisy(STEAL),),
               (noisy(DRIFT, mode="latency"),), (measured(), noisy(DRIFT)),
               (measured(verdict="invalid", checks=[WRONG], failure="x"),)]
    return [ended(*some, status=status, why="why " * 200 if status else "", earlier=earlier, gate=gate)
            for some, status, earlier, gate in itertools.product(results, (0, 1, 2, 3, 4, 77, 130), ("", "BEFORE"),
                                                                 (None, Gated(True, points=1)))]


def test_every_kind_of_end_is_ten_lines_at_most_and_changes_nothing_for_kpi_sh(tmp_path):
    log = ("MODE: throughput\nINSTANCE_NUMBER: 1\nLOG_FORMAT: 1\nEvaluating RESNET: total Steps: 1\nComplete...\n"
           "Throughput: 5 fps\nVERDICT: valid\nRESULT: passed\n")
    lines = [card(each, COMMANDS) for each in every_kind()]
    assert max(map(len, lines)) <= MOST_LINES
    told = []
    for name, text in (("alone", log), ("with", log + "".join(f"{line}\n" for each in lines for line in each))):
        folder = tmp_path / name / "worker-0-c0"
        folder.mkdir(parents=True)
        (folder / "status").write_text("0\n")
        (folder / "benchmark_x_20260101-000000.log").write_text(text)
        told.append(subprocess.run(["sh", Path(__file__).parents[1] / "kpi.sh", folder.parent], capture_output=True,
                                   text=True, check=True).stdout)
    assert told[0] == told[1] and "*Throughput (samples/sec): 5.0000" in told[0]


def test_every_kind_of_end_has_a_next_command():
    assert all(next_command(each, COMMANDS) for each in every_kind())


def test_several_cases_are_one_table():
    cases = [ended(measured(90.0), measured(110.0)), ended(noisy(STEAL)), Ended("skipped_case", 77, "no AMX")]
    lines = table(cases, COMMANDS)
    assert len(lines) == len(cases) + 2
    assert all(word in lines[0] for word in ("case", "KPI", "95 % interval", "P99", "verdict"))
    assert "100.0 samples/sec" in lines[1] and " to " in lines[1] and lines[1].endswith("valid")
    assert "noisy: steal time" in lines[2] and "88.00" in lines[2]
    assert lines[3].split()[:4] == ["skipped_case", "-", "-", "-"] and "skipped: no AMX" in lines[3]
    assert lines[4].startswith("Next")


def test_the_results_of_a_logs_folder_are_found(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, measured(1.0), stamp="20250101-000000")
    logs = [put(tmp_path, measured(rate), iteration=number).parents[2] for number, rate in enumerate((90, 110), 1)][0]
    record = CaseRecord("inference_throughput_amx_int8", 0, "", str(logs), Gated(True, references=f"{tmp_path}/r.yaml",
                                                                                 by_reference=1, expected={}))
    handover.Overrides(statuses=str(tmp_path / "records")).tell(record)
    assert handover.read_records(tmp_path / "records") == [record] and handover.read_records(tmp_path / "none") == []
    result_card.show_cases([record])
    text = capsys.readouterr().out
    assert "judged by r.yaml" in text
    assert "between 2 restarts" in text and "compare 20250101-000000-logs" in text and "\x1b" not in text
    next(logs.glob("itr-2/*/*.json")).write_text("{")
    result_card.show_cases([record])
    assert "failed: " in (text := capsys.readouterr().out) and "cannot be read as a result" in text, text
    result_card.show_cases([record, record])
    assert "95 % interval" in capsys.readouterr().out.splitlines()[1]
    result_card.show_cases([])
    assert capsys.readouterr().out == ""


def test_colour_is_for_terminals_that_want_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    record = CaseRecord("a_case", 77, "no AMX")
    result_card.show_cases([record])
    assert "\x1b[33mskipped\x1b[0m: no AMX" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    result_card.show_cases([record])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "variables", "again"), [
    (["-R", "x", "--gate", "r.yaml", "--loop=1", "--options=--cpus=2 -v a", "--set", "STEPS=9", "-V"],
     {"CUSTOMER_ENV": "A=1 B=2", "BACKEND": "docker"},
     "CUSTOMER_ENV='A=1 B=2' BACKEND=docker ./ctest.sh --testcase T --gate r.yaml --loop=1 '--options=--cpus=2 -v a' "
     "--set STEPS=9 -V"),
    (["--steps=5", "--backend=native", "--nohup"], {"STEPS": "7", "BACKEND": "docker"},
     "./ctest.sh --testcase T --steps=5 --backend=native"),
    (["--noenv", "--run", "1"], {"STEPS": "7", "TIMEOUT": "60"}, "TIMEOUT=60 ./ctest.sh --testcase T --noenv")])
def test_the_next_command_is_what_was_typed_for_this_case(monkeypatch, capsys, typed, variables, again):
    monkeypatch.setattr(result_card, "typed", lambda script: f"./{script}")
    record = CaseRecord("T", 143)
    record.variables, record.words = repeated(parse(typed, variables))
    result_card.show_cases([record])
    shown = capsys.readouterr().out.partition("   Next ")[2].strip()
    assert shown == again.replace("--testcase T", "--testcase test_resnet50_pytorch_xeon_public_T")


LOG = ("UpdateCTestConfiguration from: x", "MODE: throughput", "## MODE: throughput", "NOTICE: mind",
       "Evaluating RESNET: total Steps: 3", "instance 0: 1 of 3 steps", "Complete...", "Throughput: 5 fps",
       "Check: [ok] a: 1", "Check: [unknown] b: not readable", "Check: [note] c: 2 - look", "Check: [ok] d: 1",
       "VERDICT: valid", "-- a_case", "   Verdict     valid", "*Throughput (samples/sec): 5.0000",
       "Latency P50 (ms): 5.0000", "<CTestMeasurement ...", "GATE: passed", "error: bad")


@pytest.mark.parametrize("prefix", ["", "86: ", "86: [itr-2] "])
def test_v_shows_how_a_case_fares_and_not_its_log(prefix):
    screen = io.StringIO()
    brief_output.pass_on([f"{prefix}{line}\n" for line in LOG], screen)
    shown = [line.removeprefix(prefix) for line in screen.getvalue().splitlines()]
    assert shown == ["UpdateCTestConfiguration from: x", "NOTICE: mind", "Evaluating RESNET: total Steps: 3",
                     "instance 0: 1 of 3 steps", "Complete...", "Check: [note] c: 2 - look",
                     "2 checks ok, 1 cannot be made on this machine",
                     "*Throughput (samples/sec): 5.0000", "GATE: passed", "error: bad"]


def test_where_nobody_reads_the_screen_any_more_ctest_is_still_read_to_its_end():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    lines = iter(["1: PRECISION: x\n", "a line\n", "another\n"])
    brief_output.pass_on(lines, Gone())
    assert not list(lines)


def test_which_words_of_ctest_are_brief():
    assert [parse(words, {}).brief for words in (["-V"], ["--verbose"], [], ["-VV"], ["-V", "-VV"])] == [
        True, True, False, False, False]
