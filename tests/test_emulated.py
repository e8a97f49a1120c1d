"""A result of emulated AMX: noisy at best, never compared, never a reference, never passed by a gate. FAKE results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resnet50_bench.case.case import Layer
from resnet50_bench.case.engines import KnownEngines
from resnet50_bench.cli.tree import main
from resnet50_bench.errors import BadInput
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.machine.cpu import is_emulated
from resnet50_bench.result.checks import overall, result_checks
from resnet50_bench.stack.environment import StackChoice
from resnet50_bench.sweep import sweep
from resnet50_bench.sweep.axes import axes
from resnet50_bench.versus import words
from support.amx_emulator import NAME, cpuinfo
from support.documents import decoded, document, run
from support.fakes import SPR_CPU, machine
from support.gate import one
from support.results import put, synthetic

EMULATED = {"system": {"cpu": NAME, "cpu_family": 6, "cpu_model": 143, "cpu_stepping": 8}}


@pytest.fixture
def results(tmp_path):
    """Two noisy runs of an emulated CPU."""
    for number in (1, 2):
        put(tmp_path / "logs", synthetic(verdict="noisy", reasons=["emulation: ..."], **EMULATED), iteration=number)
    return tmp_path / "logs"


def test_the_name_tells_it_from_a_real_xeon():
    assert is_emulated(NAME)
    assert not any(map(is_emulated, ("Intel(R) Xeon(R) Platinum 8480+", "FAKE Xeon", "", None)))


def test_a_quiet_run_is_noisy_and_says_why():
    one_run = document(run(0), run(1))
    one_run["system"] = one_run["system"] | {"cpu": NAME}
    verdict, (reason,) = overall(result_checks(decoded(one_run)))
    assert verdict == "noisy" and reason.startswith("emulation: ") and NAME in reason


@pytest.mark.parametrize("words", [(), ("--noisy",)])
def test_reference_refuses_it(results, capsys, words):
    assert main(["reference", str(results), *words]) == 2
    shown = capsys.readouterr()
    assert not shown.out and f"{NAME} computes AMX in software" in shown.err


def test_a_gate_does_not_pass_it(results, capsys, tmp_path):
    """Though it is as fast as the reference says."""
    assert main(["gate", str(results), "--references", str(one(tmp_path, cpu="*"))]) == 1
    assert f"{NAME} computes AMX in software" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("--anyway",)])
def test_compare_leaves_it_out(results, capsys, tmp_path, words):
    put(tmp_path / "real", synthetic())
    assert main(["compare", str(tmp_path / "real"), str(results), *words]) == 2
    shown = capsys.readouterr()
    assert "LEFT OUT: B" in shown.out and "Ratio" not in shown.out and "no valid result" in shown.err


def test_an_amd_machine_shows_a_xeon_with_amx():
    text = ("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
            "model name\t: AMD EPYC 9634 84-Core Processor\nflags\t\t: fpu svm avx512f sse4a\ncpu MHz\t\t: 2250.0\n\n")
    shown = cpuinfo(text + text)
    assert shown.count(f"model name\t: {NAME}\n") == 2 and "AMD" not in shown
    assert "flags\t\t: fpu avx512f avx_vnni avx512_fp16 amx_bf16 amx_tile amx_int8\n" in shown
    assert "model\t\t: 143\n" in shown and "cpu MHz\t\t: 2250.0\n" in shown


def test_the_emulator_is_in_no_image():
    root = Path(__file__).parents[1]
    ignored = (root / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*" and not [line for line in ignored if line.startswith("!") and "tests" in line]
    for path in root.glob("Dockerfile.*"):
        assert "tests" not in path.read_text() and "amx-emulator" not in path.read_text(), path


def test_no_sweep_and_no_comparison_begins_on_it(tmp_path):
    here = machine(tmp_path, replace(SPR_CPU, name=NAME))
    with pytest.raises(BadInput, match="in software"):
        sweep.begin(tmp_path, axes([Layer("flag", {"PRECISION": "avx_fp32", "BATCH_SIZE": "1"})], here), here,
                    lambda stack: Path(), Surroundings({}))
    with pytest.raises(BadInput, match="in software"):
        words.sides(words.Given({"A": ""}, {}, {}),
                    words.Host(here, StackChoice(), lambda choice: KnownEngines(), Surroundings({})))
