"""TORCH_TYPE=auto: what ``engines`` found counts here and now, or is refused with what to do. Measuring is FAKE."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.case.engines import KnownEngine
from resnet50_bench.cli import one_run, rerun_command, tree
from resnet50_bench.engines import memory
from resnet50_bench.errors import BadInput, Infrastructure, UnsupportedCpu
from resnet50_bench.stack import environment, pins
from resnet50_bench.stack.stacks import FOLDER, PYTHON, STACK
from resnet50_bench.versus import words
from support.fakes import GENOA_CPU, ICX_CPU, MILAN_CPU, SPR_CPU, host, machine
from support.results import synthetic
from support.stack import chosen

OPENVINO = KnownEngine("OPENVINO", "openvino", 41.23, 16, 2, "2026-11-25")
IPEX = KnownEngine("IPEX", "ipex", 30.0, 8, 1, "2026-11-25")
#: Bytes of a damaged file that are no text.
NO_UTF8 = "\udcff\udcff"
CPUS = {cpu.name: cpu for cpu in (MILAN_CPU, GENOA_CPU, SPR_CPU, ICX_CPU)}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """A cache of its own, in which the stacks ipex and openvino are set up."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("RESNET50_BENCH_CACHE", PYTHON, STACK, FOLDER):
        monkeypatch.delenv(name, raising=False)
    for stack in ("ipex", "openvino"):
        set_up(stack)
    return tmp_path


def set_up(stack: str, digest: str = "") -> None:
    """FAKE: only what makes it complete."""
    chosen().folder(stack).mkdir(parents=True, exist_ok=True)
    (chosen().folder(stack) / f"complete-{stack}").write_text(digest or pins.digest(stack))


def found(*engines: KnownEngine, cpu=MILAN_CPU, precision: str = "avx2_int8") -> None:
    memory.remember(cpu.name, precision, engines or (IPEX, OPENVINO))


def where(tmp_path: Path, cpu=MILAN_CPU):
    return replace(machine(tmp_path, cpu), engines=memory.known(cpu.name, chosen()))


def case_of(here: Path, cpu=MILAN_CPU, **texts: str):
    return resolve([Layer("flag", {"PRECISION": "avx2_int8"} | texts)], where(here, cpu))


def refusal(here: Path, **texts: str) -> str:
    with pytest.raises(BadInput) as refused:
        case_of(here, **{"TORCH_TYPE": "auto"} | texts)
    assert refused.value.exit_status == 2
    line, = refused.value.violations
    return line


def test_what_was_found_on_other_cores_is_not_known_here(here, monkeypatch):
    found()
    assert memory.known(MILAN_CPU.name, chosen()).fastest
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    assert not memory.known(MILAN_CPU.name, chosen()).fastest


def test_auto_is_the_fastest_that_was_found_and_the_log_says_so(here):
    found()
    case = case_of(here, TORCH_TYPE="Auto")
    assert (case.torch_type, case.stack, dict(case.origins)["TORCH_TYPE"]) == ("OPENVINO", "openvino", "auto")
    assert case.notices == (
        "TORCH_TYPE: OPENVINO of the stack openvino (auto: the engine with proven kernels that was the fastest here "
        "at avx2_int8, 41.2 images/s with BATCH_SIZE=16 CORES_PER_INSTANCE=2, found on 2026-11-25)",)
    assert case.texts()["TORCH_TYPE"] == "OPENVINO"


def test_what_is_found_at_one_precision_leaves_the_others(here):
    found(precision="avx2_fp32")
    found(IPEX)
    found(OPENVINO, cpu=SPR_CPU)
    assert case_of(here, TORCH_TYPE="auto").torch_type == "IPEX"
    assert case_of(here, TORCH_TYPE="auto", PRECISION="avx2_fp32").torch_type == "OPENVINO"


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"cpus": {"x": 3}}', "\x00", "[" * 100_000,
                                  '{"schema": "another", "cpus": {}}', NO_UTF8, f'{{"cpus": {{"{NO_UTF8}": {{}}}}}}'])
def test_where_nothing_is_known_the_command_that_finds_it_is_named(here, text):
    if text is not None:
        memory.path().parent.mkdir(parents=True)
        memory.path().write_text(text, errors="surrogateescape")
    assert refusal(here) == ("TORCH_TYPE=auto: the fastest engine at avx2_int8 on this machine is not known; to find "
                             "it: scripts/resnet50-bench.sh engines --precision=avx2_int8")
    found()
    assert case_of(here, TORCH_TYPE="auto").torch_type == "OPENVINO", "it is found again"


@pytest.mark.parametrize(("change", "at"), [({"engine": "ONNXRUNTIME"}, "an engine that proves nothing"),
                                            ({"engine": "NEWER"}, "an engine that is not known"),
                                            ({"stack": "ipex"}, "a stack that does not serve it"),
                                            ({"images_per_s": -1.0}, "no speed"), ({"found_at": ""}, "no day")])
def test_what_cannot_have_been_found_counts_as_nothing(here, change, at):
    found(OPENVINO)
    document = json.loads(memory.path().read_text())
    next(iter(document["cpus"].values()))["avx2_int8"][0] |= change
    memory.path().write_text(json.dumps(document))
    assert "is not known; to find it" in refusal(here), at


def test_another_cpus_engine_is_not_this_ones(here):
    found(cpu=SPR_CPU)
    assert "is not known" in refusal(here)


def test_other_versions_of_the_stack_or_none_are_told_with_what_to_do(here, monkeypatch):
    found()
    digest = pins.digest
    monkeypatch.setattr(pins, "digest", lambda name: "new" if name == "openvino" else digest(name))
    assert refusal(here).startswith("TORCH_TYPE=auto: OPENVINO of the stack openvino was the fastest at avx2_int8, but "
                                    "its stack is not set up (")
    assert "env-new): run scripts/setup.sh --stack openvino; or measure again: " in refusal(here)
    set_up("openvino")
    assert "but its stack has other versions now; or measure again" in refusal(here)


def test_only_the_stack_that_the_user_chose_counts(here, monkeypatch):
    found()
    monkeypatch.setenv(STACK, "ipex")
    assert (case_of(here, TORCH_TYPE="auto").torch_type, case_of(here, TORCH_TYPE="auto").stack) == ("IPEX", "ipex")
    monkeypatch.setenv(STACK, "current")
    set_up("current")
    assert "the fastest engine of RESNET50_BENCH_STACK=current at" in refusal(here)
    monkeypatch.setenv(STACK, "newest")
    with pytest.raises(BadInput, match="RESNET50_BENCH_STACK=newest is not one of"):
        where(here)


@pytest.mark.parametrize("precision", ["avx2_int8", "avx2_fp32"])
def test_for_a_chosen_stack_that_is_not_set_up_the_set_up_comes_first(here, monkeypatch, precision):
    """``engines`` measures only what is set up; it would find nothing of this stack."""
    found()
    for stack in ("current", "openvino"):
        monkeypatch.setenv(STACK, stack)
        (chosen().folder(stack) / f"complete-{stack}").unlink(missing_ok=True)
        assert refusal(here, PRECISION=precision) == (
            f"TORCH_TYPE=auto: the stack {stack} is not set up: run scripts/setup.sh --stack {stack} once; "
            "then run scripts/resnet50-bench.sh engines to find its fastest engine")


def test_of_a_python_that_the_user_names_nothing_is_known(here, monkeypatch):
    found()
    monkeypatch.setenv(PYTHON, "/opt/venv/bin/python")
    assert "RESNET50_BENCH_PYTHON=/opt/venv/bin/python; choose one of IPEX" in refusal(here)


def test_an_environment_that_the_user_names_is_not_left(here, monkeypatch):
    """OPENVINO is the fastest; only the stack in the folder counts."""
    found()
    monkeypatch.setenv(FOLDER, str(here / "mine"))
    assert refusal(here).startswith(f"TORCH_TYPE=auto: the stack ipex is not set up in {here}/mine: run scripts/setup")
    set_up("ipex")
    assert (case_of(here, TORCH_TYPE="auto").torch_type, case_of(here, TORCH_TYPE="auto").stack) == ("IPEX", "ipex")
    found(OPENVINO)
    assert f"the fastest engine of RESNET50_BENCH_ENV={here}/mine (ipex) at" in refusal(here)
    monkeypatch.setenv(STACK, "openvino")
    assert (f"the stack openvino is not set up: RESNET50_BENCH_ENV={here}/mine contains the stack ipex, and openvino "
            "needs a folder of its own: unset RESNET50_BENCH_ENV, or name another folder") in refusal(here)
    monkeypatch.delenv(STACK)
    monkeypatch.setenv(FOLDER, str(here / "other"))
    set_up("openvino")
    assert case_of(here, TORCH_TYPE="auto").stack == "openvino"


@pytest.mark.parametrize(("texts", "why"), [
    ({"FUNCTION": "training", "PRECISION": "avx2_fp32"}, "training is not supported with TORCH_TYPE=OPENVINO"),
    ({"WEIGHT_SHARING": "True"}, "WEIGHT_SHARING=True is not supported with TORCH_TYPE=OPENVINO"),
    ({"QCONF": "/recipe.json"}, "QCONF is only for int8 with TORCH_TYPE=IPEX, not for avx2_int8 with OPENVINO: leave "
                                "it out")])
def test_a_case_that_the_fastest_cannot_do_is_refused_by_its_name(here, texts, why):
    found()
    found(precision="avx2_fp32")
    assert why in refusal(here, **texts)


def test_a_precision_that_the_cpu_lacks_is_still_77(here):
    with pytest.raises(UnsupportedCpu):
        case_of(here, TORCH_TYPE="auto", PRECISION="amx_int8")


@pytest.mark.parametrize("cpu", [GENOA_CPU, SPR_CPU, ICX_CPU])
def test_what_engines_left_behind_changes_no_default(here, cpu):
    found(cpu=cpu, precision="avx_int8")
    case = case_of(here, cpu, PRECISION="avx_int8")
    assert (case.torch_type, case.stack, case.notices) == ("IPEX", None, ())
    assert case.is_default("TORCH_TYPE")
    assert case_of(here, cpu, PRECISION="avx_int8", TORCH_TYPE="auto").torch_type == "OPENVINO", "it is known"


@pytest.fixture
def ran(here, monkeypatch) -> list[tuple[str, Path]]:
    """Runs on a FAKE machine: (engine, the Python that would measure) of each."""
    runs = []
    there = machine(here, MILAN_CPU, cores_per_node=2)
    monkeypatch.chdir(here)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(memory, "read_cpu", lambda: there.cpu)
    monkeypatch.setattr(memory, "read_topology", lambda: there.topology)
    monkeypatch.setattr(one_run, "run_case", lambda case, found, topology, python, *_: runs.append(
        (case.torch_type, python)) or synthetic())
    return runs


def test_a_run_measures_by_the_python_of_the_engines_stack(ran, capsys):
    found()
    assert tree.main(["run", "--precision=avx2_int8", "--torch_type=auto"]) == 0
    assert ran == [("OPENVINO", chosen().folder("openvino") / "bin/python")]
    assert tree.main(["run", "--precision=avx2_fp32", "--torch_type=auto"]) == 2
    assert "engines --precision=avx2_fp32" in capsys.readouterr().err and len(ran) == 1


def test_a_result_is_run_again_by_the_engine_and_the_stack_that_measured_it(here, ran, monkeypatch):
    before = synthetic()
    before.stack = "openvino"
    before.case = before.case | {"TORCH_TYPE": "OPENVINO", "PRECISION": "avx2_int8", "BATCH_SIZE": "4",
                                 "origins": {"TORCH_TYPE": "auto"}}
    before.write(here / "before.json")
    found(IPEX)
    assert rerun_command.main([str(here / "before.json")]) == 0
    assert ran == [("OPENVINO", chosen().folder("openvino") / "bin/python")]
    os.environ[STACK] = "ipex"
    assert rerun_command.main([str(here / "before.json")]) == 0
    assert ran[1] == ("OPENVINO", chosen().folder("ipex") / "bin/python"), "the user's variable is heeded"
    del os.environ[STACK]
    (chosen().folder("openvino") / "complete-openvino").unlink()
    monkeypatch.setattr(one_run, "run", lambda *_: pytest.fail("it ran"))
    with pytest.raises(BadInput, match="the stack openvino, which is not set up here: run scripts/setup.sh --stack "
                                       "openvi"):
        rerun_command.main([str(here / "before.json")])


def test_a_result_says_the_stack_of_the_python_that_measured(here):
    assert environment.stack_of(chosen().folder("openvino") / "bin/python") == "openvino"
    assert environment.stack_of(Path("/usr/bin/python3")) is None


def test_sides_of_versus_know_what_their_own_stack_does(here):
    found()
    given = words.Given({"A": "TORCH_TYPE=IPEX", "B": "TORCH_TYPE=auto", "C": f"TORCH_TYPE=auto {STACK}=ipex"},
                        {"PRECISION": "avx2_int8", "BATCH_SIZE": "1"}, {})
    asked = words.sides(given, host(machine(here, MILAN_CPU, cores_per_node=2)))
    assert [(side.case.torch_type, side.python.parents[1]) for side in asked] == [
        (engine, chosen().folder(stack)) for engine, stack in (
            ("IPEX", "ipex"), ("OPENVINO", "openvino"), ("IPEX", "ipex"))]
    with pytest.raises(Infrastructure, match="D: the stack current is not set up: run scripts/setup.sh --stack curr"):
        words.sides(replace(given, sides={"D": f"TORCH_TYPE=IPEX {STACK}=current"}), host(machine(here, MILAN_CPU)))
    set_up("current")
    with pytest.raises(BadInput, match=f"D: TORCH_TYPE=auto: the fastest engine of {STACK}=current at"):
        words.sides(replace(given, sides={"D": f"TORCH_TYPE=auto {STACK}=current"}), host(machine(here, MILAN_CPU)))


def test_a_sweep_takes_each_precisions_engine_and_its_python(fake, capsys):
    cpu = replace(MILAN_CPU, name=fake.cpu)
    found(cpu=cpu)
    found(IPEX, cpu=cpu, precision="avx2_fp32")
    assert fake.sweep("--torch_type=auto", "--batch_size=1", "--cores_per_instance=1") == 0
    assert {(case.precision, case.torch_type, str(python)) for case, python in fake.cases} == {
        ("avx2_int8", "OPENVINO", "openvino"), ("avx2_fp32", "IPEX", "ipex")}
    assert "TORCH_TYPE: OPENVINO of the stack openvino (auto: the engine with proven kernels" in capsys.readouterr().out
    best = Path("best.yaml").read_text()
    assert 'TORCH_TYPE: "OPENVINO"' in best and "measured with RESNET50_BENCH_STACK=openvino" in best


def test_a_sweep_leaves_out_a_precision_at_which_nothing_is_known(fake, capsys):
    found(cpu=replace(MILAN_CPU, name=fake.cpu))
    assert fake.sweep("--torch_type=auto", "--batch_size=1", "--cores_per_instance=1") == 0
    assert "avx2_fp32 is left out: TORCH_TYPE=auto: the fastest engine at" in capsys.readouterr().out
