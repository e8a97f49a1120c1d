"""The table of engines, and what is refused because of it before anything runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.case import engines
from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.case.engines import ENGINES
from resnet50_bench.case.parameters import CATALOGUE
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.checkout import ROOT
from resnet50_bench.errors import BadInput, UnsupportedCpu
from resnet50_bench.launch import versions
from resnet50_bench.stack import pins
from resnet50_bench.stack.stacks import STACKS
from support.fakes import MILAN_CPU, machine


def of(where, **texts):
    return resolve([Layer("flag", texts)], where)


def test_every_engine_has_its_module_and_every_stack_an_engine():
    for engine in ENGINES.values():
        assert (ROOT / f"src/resnet50_bench/worker/engines/{engine.module}.py").exists()
        assert set(engine.stacks) <= set(STACKS)
    assert all(engines.of_stack(name) for name in STACKS)
    assert CATALOGUE["TORCH_TYPE"].allowed.split() == [*ENGINES, "auto"]


def test_the_first_stack_of_an_engine_pins_the_packages_that_it_needs():
    for engine in ENGINES.values():
        pinned = pins.path(engine.stacks[0]).read_text().replace("-", "_")
        assert all(f"\n{package}==" in pinned for package in engine.packages), engine


def test_a_result_names_the_version_of_all_that_makes_its_model(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(versions.subprocess, "run", lambda words, **_: (
        asked.extend(words) or subprocess.CompletedProcess(words, 0, "{}", "")))
    versions.software_record(Path("python"))
    for engine in ENGINES.values():
        assert set(engine.made_with) <= set(asked), engine


def test_the_log_has_a_name_for_the_version_of_every_package():
    assert sorted(engines.VERSION_LINES.values()) == sorted(engines.PACKAGES)
    assert all(re.fullmatch("[A-Za-z]+_Version", line) for line in engines.VERSION_LINES), "as kpi.sh reads them"


@pytest.mark.parametrize(("engine", "refused", "instead"), [
    ("ONNXRUNTIME", "avx_bfloat16", "avx_fp32"), ("OPENVINO", "amx_bfloat32", "amx_bfloat16"),
    ("ZENTORCH", "avx_int8", "avx_fp32"), ("EAGER", "amx_int8", "amx_bfloat16"),
    ("ONNXRUNTIME", "amx_int8", "avx_int8")])
def test_an_arithmetic_that_an_engine_lacks_is_refused_with_those_it_has(tmp_path, engine, refused, instead):
    with pytest.raises(BadInput) as error:
        of(machine(tmp_path), TORCH_TYPE=engine, PRECISION=refused)
    line, = error.value.args
    assert line.startswith(f"TORCH_TYPE={engine} is not supported with {refused} (")
    assert instead in line and refused not in line.partition(";")[2]


@pytest.mark.parametrize("engine", ["OPENVINO", "ONNXRUNTIME"])
def test_one_copy_of_the_weights_is_refused_where_threads_cannot_be_bound(tmp_path, engine):
    with pytest.raises(BadInput, match=f"WEIGHT_SHARING=True is not supported with TORCH_TYPE={engine}"):
        of(machine(tmp_path), TORCH_TYPE=engine, PRECISION="avx_int8", WEIGHT_SHARING="True")


def test_training_is_refused_with_the_engines_that_train(tmp_path):
    for engine in ("OPENVINO", "ONNXRUNTIME", "ZENTORCH", "COMPILE-INDUCTOR"):
        with pytest.raises(BadInput, match=f"TORCH_TYPE={engine}; use IPEX, EAGER"):
            of(machine(tmp_path), TORCH_TYPE=engine, PRECISION="avx_fp32", FUNCTION="training")


def test_zentorch_is_for_cpus_with_avx512(tmp_path):
    """Elsewhere it warns and leaves all to Inductor, whose speed would be called zentorch's."""
    with pytest.raises(UnsupportedCpu, match="TORCH_TYPE=ZENTORCH needs the CPU flags avx512f avx512bw") as error:
        of(machine(tmp_path, MILAN_CPU), TORCH_TYPE="ZENTORCH", PRECISION="avx2_fp32")
    assert error.value.exit_status == 77
    assert of(machine(tmp_path / "spr"), TORCH_TYPE="ZENTORCH", PRECISION="avx_fp32").torch_type == "ZENTORCH"


def test_a_precision_is_proven_by_openvinos_names_too():
    proven = {name: {p.name for p in PRECISIONS.values() if p.is_proven_by(*ran)} for name, ran in {
        "avx2 f32": ("brgconv_1x1:avx2", "f32"), "avx512 f32": ("brgconv:avx512", "f32"),
        "avx512 u8": ("brgconv_1x1:avx512", "u8"), "avx512 bf16": ("brgconv:avx512", "bf16"),
        "amx s8": ("brgconv:avx512_amx", "s8")}.items()}
    assert proven == {"avx2 f32": {"avx2_fp32"}, "avx512 f32": {"avx_fp32"}, "avx512 u8": {"avx_int8"},
                      "avx512 bf16": {"avx_bfloat16"}, "amx s8": {"amx_int8"}}
