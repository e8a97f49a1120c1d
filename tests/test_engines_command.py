"""``engines``: who competes, the table, who is called the fastest, and what is remembered. The measuring is FAKE."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from resnet50_bench.cli import tree
from resnet50_bench.engines import here as here_module
from resnet50_bench.engines import match, memory
from resnet50_bench.engines.table import Contestant, contestants
from resnet50_bench.errors import Infrastructure, Interrupted, RunFailed
from resnet50_bench.launch import versions
from resnet50_bench.machine import machine_lock
from resnet50_bench.result.blocks import Rules
from resnet50_bench.stack import environment
from resnet50_bench.stack.environment import StackChoice
from resnet50_bench.stack.stacks import FOLDER, PYTHON, STACK
from resnet50_bench.versus import compare, record, words
from resnet50_bench.versus.outcome import Outcome
from resnet50_bench.versus.rounds import Race, SideFailed, Turn, take_turns
from resnet50_bench.versus.words import Given, Side
from support.fake_cases import FakeCases
from support.fakes import MILAN_CPU, SPR_CPU, machine
from support.results import synthetic

#: Images/s of the FAKE engines; ONNX Runtime is the fastest and proves nothing.
MEASURES = compare.compare
SPEEDS = {"IPEX": 20.0, "COMPILE-INDUCTOR": 18.0, "OPENVINO": 22.0, "ONNXRUNTIME": 30.0, "EAGER": 10.0}


def all_set_up(stack: str) -> bool:
    return True


def test_every_engine_competes_on_every_stack_that_is_set_up():
    chosen, left_out = contestants("amx_int8", SPR_CPU.flags, all_set_up)
    assert chosen == [Contestant("IPEX", "ipex"), Contestant("COMPILE-INDUCTOR", "ipex"),
                      Contestant("COMPILE-INDUCTOR", "current"), Contestant("COMPILE-INDUCTOR", "openvino"),
                      Contestant("OPENVINO", "openvino")]
    assert [one.who for one in left_out] == ["ONNXRUNTIME", "ZENTORCH", "EAGER"]


def test_what_is_not_set_up_or_not_for_this_cpu_is_said_with_its_remedy():
    chosen, left_out = contestants("avx2_fp32", MILAN_CPU.flags, lambda stack: stack == "ipex")
    assert [one.engine for one in chosen] == ["IPEX", "COMPILE-INDUCTOR", "EAGER"]
    assert [one.who for one in left_out] == ["OPENVINO", "ONNXRUNTIME", "ZENTORCH"]
    assert [one.why.endswith("scripts/setup.sh --stack openvino") for one in left_out] == [True, True, False]
    assert left_out[-1].why == "this CPU lacks avx512f avx512bw avx512dq avx512vl"


class FakeEngines:
    """Measures SPEEDS; the engines of FAILING fail."""

    def __init__(self, folder: Path, sides: list[Side]) -> None:
        self.folder, self.sides = folder, {side.name: side for side in sides}

    def measure(self, number: int, side: str, again: bool) -> Turn:
        engine = self.sides[side].case.torch_type
        if engine in FAILING:
            raise SideFailed(side, "the instance died (log: there)")
        speed = SPEEDS[engine] * (1 + (number % 3 + ord(side) % 2) / 1000)
        made = synthetic(speed, case=self.sides[side].case.texts(), processes=[{
            "process": 0, "pid": 1, "prepare_s": 2.5, "model_cache": "hit", "allocator": "jemalloc", "runs": [],
            "kernels": {} if engine == "ONNXRUNTIME" else {"brgconv:avx2 src:f32": 53}}])
        made.write(record.turn_folder(self.folder, side, number) / "benchmark_fake.json")
        return Turn(number, side, speed, memory_mb=500.0)

    def round_ended(self, race: Race) -> None:
        pass

    def turn_failed(self, number: int, error: SideFailed) -> None:
        pass


FAILING: set[str] = set()


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A machine without AVX-512, the stacks ipex and openvino, and measuring that gives SPEEDS."""
    here = machine(tmp_path / "machine", MILAN_CPU)
    monkeypatch.setattr(here_module, "read_cpu", lambda: here.cpu)
    monkeypatch.setattr(here_module, "read_topology", lambda: here.topology)
    monkeypatch.setattr(environment, "is_complete", lambda stack, folder: stack in ("ipex", "openvino"))
    monkeypatch.setattr(StackChoice, "worker_python", lambda self, stack=None: self.folder(stack) / "bin/python")
    monkeypatch.setenv("RESNET50_BENCH_CACHE", str(tmp_path / "cache"))
    for name in (PYTHON, STACK, FOLDER):
        monkeypatch.delenv(name, raising=False)

    def measured(given, folder: Path, host, limits, observer, may_fail) -> Outcome:
        sides = [side.ready(side.case) for side in words.sides(given, host)]
        race = Race(tuple(side.name for side in sides), Rules(limits.question, limits.rounds), 1)
        take_turns(race, FakeEngines(folder, sides), lambda: 0.0, may_fail=may_fail)
        return Outcome(sides, race, "decided", 60.0)

    monkeypatch.setattr(compare, "compare", measured)
    return tmp_path


def engines(there: Path, *more: str, precision: str = "avx2_fp32") -> int:
    return tree.main(["engines", f"--precision={precision}", "--batch_size=16", "--cores_per_instance=1",
                      f"--folder={there / 'results'}", *more])


def test_the_fastest_is_named_among_those_whose_kernels_are_proven(there, capsys):
    assert engines(there) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("avx2_fp32  ")] == [
        "ONNXRUNTIME", "OPENVINO", "IPEX", "COMPILE-INDUCTOR", "COMPILE-INDUCTOR", "EAGER", "EAGER"]
    said = next(line for line in lines if line.startswith("avx2_fp32: ONNXRUNTIME (openvino) is the fastest: "))
    assert "36." in said and "ahead of OPENVINO (openvino)" in said and "EAGER (ipex)" in said and "67 % behind" in said
    assert "avx2_fp32: the best engine with proven kernels is OPENVINO (openvino)" in lines
    assert any("ONNXRUNTIME: its kernels are unproven" in line for line in lines)
    assert any("ZENTORCH: this CPU lacks avx512f" in line for line in lines)
    assert any(line.endswith("unproven") and " ONNXRUNTIME (openvino) " in line for line in lines)


def test_what_was_found_is_kept_for_programs(there, capsys):
    assert engines(there, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"]["avx2_fp32"] == {"engine": "OPENVINO", "stack": "openvino", "batch_size": 16,
                                          "cores_per_instance": 1, "value": pytest.approx(22.03, rel=0.01),
                                          "unit": "samples/sec"}
    assert {row["engine"]: row["proven"] for row in found["rows"]}["ONNXRUNTIME"] is False
    assert json.loads((there / "results/engines.json").read_text()) == found


def test_in_another_mode_its_kpi_ranks_and_auto_remembers_nothing(there, capsys):
    assert engines(there, "--mode=latency") == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.startswith("avx2_fp32  ")]
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows) and rows[0][1] == "EAGER"
    assert "engine (stack)" in out and " ms " in out and "TORCH_TYPE=auto" not in out and not memory.path().exists()


def test_what_is_the_fastest_is_remembered_for_auto(there, capsys):
    """By stack; ONNX Runtime, which proves nothing, is not."""
    assert engines(there) == 0
    assert f"TORCH_TYPE=auto takes the fastest from now on: {there}/cache/best/engines.json" in capsys.readouterr().out
    best = memory.known(MILAN_CPU.name, StackChoice()).fastest["avx2_fp32"]
    assert (best.engine, best.stack, best.images_per_s, best.batch_size, best.cores_per_instance, best.found_at) == (
        "OPENVINO", "openvino", pytest.approx(22.03, rel=0.01), 16, 1, synthetic().started_at[:10])
    kept, = json.loads(memory.path().read_text())["cpus"].values()
    assert [one["engine"] for one in kept["avx2_fp32"]] == ["OPENVINO", "IPEX"]


def test_an_engine_that_fails_is_left_out_with_its_reason_and_the_others_go_on(there, monkeypatch, capsys):
    def search(side, host, observer) -> None:
        if "OPENVINO" in side.text:
            raise RunFailed("53 of 53 convolutions did not run avx2_fp32's kernels")

    monkeypatch.setattr(compare, "search", search)
    assert engines(there) == 0
    out = capsys.readouterr().out
    assert "avx2_fp32: left out: OPENVINO (openvino): 53 of 53 convolutions did not run" in out
    assert "the best engine with proven kernels is IPEX (ipex)" in out


def test_an_engine_that_fails_in_its_turns_is_left_out_and_no_turn_of_the_others_is_lost(there, monkeypatch, capsys):
    monkeypatch.setitem(globals(), "FAILING", {"OPENVINO"})
    assert engines(there) == 0
    out = capsys.readouterr().out
    assert "avx2_fp32: left out: OPENVINO (openvino): the instance died" in out
    assert "the best engine with proven kernels is IPEX (ipex)" in out
    assert all(len(list((there / "results/avx2_fp32" / side).glob("round-001"))) == 1 for side in "AB")


def test_an_engine_that_could_prove_nothing_at_these_numbers_is_left_out_before_anything_runs(there, capsys):
    assert tree.main(["engines", "--precision=avx2_fp32", "--batch_size=8", "--cores_per_instance=1",
                      f"--folder={there / 'results'}"]) == 0
    out = capsys.readouterr().out
    assert "avx2_fp32: EAGER (ipex) is left out: " in out and "use BATCH_SIZE=16 or more" in out
    assert not [line for line in out.splitlines() if line.startswith("avx2_fp32  EAGER")]


@pytest.mark.parametrize("error", [Interrupted(2, "ended by SIGINT"), Infrastructure("No space left on device")])
def test_what_is_no_fault_of_an_engine_ends_it(there, monkeypatch, error):
    asked = []

    def search(side, host, observer) -> None:
        asked.append(side)
        raise error

    monkeypatch.setattr(compare, "search", search)
    assert engines(there) == error.exit_status and len(asked) == 1


def test_a_precision_that_was_measured_is_kept_however_the_next_one_ends(there, monkeypatch, capsys):
    works = compare.compare

    def measured(given, folder: Path, host, limits, observer, may_fail) -> Outcome:
        if given.flags["PRECISION"] == "avx2_int8":
            raise Interrupted(15, "ended by SIGTERM")
        return works(given, folder, host, limits, observer, may_fail)

    monkeypatch.setattr(compare, "compare", measured)
    assert engines(there, precision="avx2_fp32 avx2_int8") == 128 + 15
    assert "OPENVINO (openvino)" in (there / "results/engines.txt").read_text()


def planned(folder: Path, given: Given) -> None:
    folder.mkdir(parents=True)
    record.write_plan(folder, record.Plan(given, 1))


def test_its_folder_alone_goes_on_with_what_was_begun(there, monkeypatch, capsys):
    begun = Given({"A": "TORCH_TYPE=EAGER RESNET50_BENCH_STACK=ipex", "B": "TORCH_TYPE=IPEX RESNET50_BENCH_STACK=ipex"},
                  {"BATCH_SIZE": "16", "CORES_PER_INSTANCE": "1", "PRECISION": "avx2_fp32"}, {})
    planned(there / "results/avx2_fp32", begun)
    seen = []
    works = compare.compare

    def measured(given, *more, may_fail):
        seen.append(given)
        return works(given, *more, may_fail=may_fail)

    monkeypatch.setattr(compare, "compare", measured)
    folder = f"--folder={there / 'results'}"
    assert tree.main(["engines", "--precision=avx2_fp32", folder]) == 0 and seen == [begun]
    assert tree.main(["engines", "--precision=avx2_fp32", "--batch_size=8", folder]) == 2
    assert "was started without --batch_size=8" in capsys.readouterr().err


def test_variables_hold_as_flags_do(there, monkeypatch, capsys):
    for name, text in {"PRECISION": "avx2_fp32", "BATCH_SIZE": "8", "CORES_PER_INSTANCE": "1"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(compare, "search", lambda *given: None)
    assert tree.main(["engines", f"--folder={there / 'results'}"]) == 0
    assert "avx2_int8" not in capsys.readouterr().out


@pytest.mark.parametrize(("words", "variables", "named"), [
    (["--torch_type=IPEX"], {}, "`engines` compares every TORCH_TYPE"),
    (["--precision=amx_int8"], {}, "avx2_int8, avx2_fp32"), ([], {"PRECISION": "amx_int8"}, "avx2_int8, avx2_fp32"),
    ([], {"FUNCTION": "training"}, "FUNCTION=training is in the environment: unset it"),
    ([], {STACK: "nonsense"}, "`engines` uses all that are set up"), (["--batch_size=abc"], {}, "BATCH_SIZE"),
    (["--cores_per_instance=100000"], {}, "CORES_PER_INSTANCE=100000"), (["--mode=accuracy"], {}, "MODE=accuracy"),
    ([], {"STEPS": "zero"}, "STEPS")])
def test_what_makes_no_sense_is_refused_once_before_anything_runs(there, monkeypatch, capsys, words, variables, named):
    monkeypatch.setattr(match, "play", lambda *given: pytest.fail("it played"))
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert tree.main(["engines", f"--folder={there / 'results'}", *words]) == 2
    said = capsys.readouterr().err
    assert named in said and len(said.splitlines()) == 1 and not (there / "results").exists()


def test_a_refusal_because_another_run_measures_leaves_no_folder(there, monkeypatch, capsys):
    def refuse():
        raise Infrastructure("another run measures")

    monkeypatch.setattr(machine_lock, "held", refuse)
    assert engines(there) == 3
    assert "another run measures" in capsys.readouterr().err
    assert not (there / "results").exists()


@pytest.mark.parametrize("there_before", ["a file", "a damaged plan", "another comparison"])
def test_a_folder_that_cannot_be_used_is_refused_before_anything_runs(there, monkeypatch, capsys, there_before):
    monkeypatch.setattr(match, "play", lambda *given: pytest.fail("it played"))
    folder = there / "results"
    if there_before == "a file":
        folder.write_text("")
    elif there_before == "a damaged plan":
        (folder / "avx2_fp32").mkdir(parents=True)
        (folder / "avx2_fp32" / record.PLAN).write_bytes(b'{"schema": "\xff')
    else:
        planned(folder / "avx2_fp32", Given({"A": "", "B": "STEPS=3"}, {}, {}))
    assert tree.main(["engines", "--precision=avx2_fp32", f"--folder={folder}"]) == 2
    assert str(folder) in capsys.readouterr().err


def test_the_command_that_an_early_end_names_continues_with_all_precisions(there, monkeypatch, capsys):
    monkeypatch.setattr(compare, "compare", MEASURES)
    monkeypatch.setattr(compare, "search", lambda *given: None)
    monkeypatch.setattr(versions, "software_record", lambda python: {"torch": "2.8.0"})
    monkeypatch.setattr(compare, "run_case", (begun := FakeCases(MILAN_CPU.name, ends_at=4)).run_case)
    precisions = "avx2_fp32 avx2_int8"
    assert engines(there, "--rounds=3", precision=precisions) == 128 + 2
    go_on = shlex.split(capsys.readouterr().out.rpartition("next: ")[2])
    assert go_on[1] == "engines" and "versus" not in go_on
    monkeypatch.setattr(compare, "run_case", (after := FakeCases(MILAN_CPU.name)).run_case)
    assert tree.main(go_on[1:]) == 0
    assert {path.name for path in (there / "results").iterdir()} >= {*precisions.split(), "engines.txt"}
    assert len(begun.measured) == 3 and not {*begun.measured} & {*after.measured}, "no turn is measured twice"
