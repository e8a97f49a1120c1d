"""Cases by AMX kernels, the CPU's or emulated ones: every gated case of the SPR matrix, engines, refusals."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from resnet50_bench.case import platforms
from support import amx as support_amx
from support import digits
from support.amx import Amx
from support.aside import PASSIVE
from support.engine import ROOT, TWO_CORES, WORKLOAD, assert_no_kpi, use_engine

PRECISIONS = [name for name in platforms.PLATFORMS["SPR"].precisions if name.startswith("amx")]
MODES = ("latency", "throughput", "accuracy", "server")
CASES = [*(f"inference_{mode}_{name}_gated" for mode in MODES for name in PRECISIONS),
         "training_throughput_amx_bfloat16_gated"]
#: 53 forward, as many gradients of weights, and of inputs but the first's.
TRAINING_KERNELS = 158
#: Inductor would compile and load a program for each instruction set to see whether it can, each load by a process that
#: imports torch: 8 s. What it compiles more than once, it logs.
INDUCTOR = f"TORCHINDUCTOR_VEC_ISA_OK=1 TORCH_LOGS=recompiles {PASSIVE}"
WITHOUT_AMX = (sys.executable, ROOT / "tests/support/without_amx.py")


@pytest.fixture(scope="module")
def set_of_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ten labelled images of ten classes, and weights."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("digits")
    return {"DATASET": str(digits.write(folder, train=10, val=10)), "WEIGHTS": str(digits.untrained_weights(folder))}


@pytest.mark.parametrize("case", CASES)
def test_a_gated_case_runs_by_amx_kernels(case, amx, tmp_path, set_of_images, shown):
    """An accuracy's answers are as near to fp32's as AVX-512's must be (tests/engine)."""
    variables = support_amx.FEW_STEPS if amx.emulator else {}
    if "accuracy" in case:
        variables = set_of_images | {"BATCH_SIZE": "2"}
    elif "server" in case:  # LoadGen's verdict takes 45 queries: they are sent at once, and an emulator takes its time
        variables = {"STEPS": "4", "MIN_DURATION": "1", "TARGET_QPS": "20", "LATENCY_BOUND_MS": "60000"}
    done, folder = amx.ctest(tmp_path / "build", "--testcase", f"test_{WORKLOAD}_{case}", "-V", **variables)
    result = amx.proven(done, folder, TRAINING_KERNELS if "training" in case else 53)
    shown(amx, result)
    if "accuracy" in case:
        agreed = result["processes"][0]["facts"]["agreement"]
        assert agreed["images"] == 10 == result["statistics"]["accuracy"]["count"]
        assert 0 < agreed["largest_logit_difference"] < agreed["logit_spread"]


def test_these_are_all_gated_amx_cases_of_the_matrix(amx, tmp_path):
    done, _ = amx.ctest(tmp_path / "build", "-N", "--platform", "SPR")
    assert set(re.findall(rf"test_{WORKLOAD}_(\w+_amx_\w+_gated)$", done.stdout, re.M)) == set(CASES)


@TWO_CORES
def test_two_instances_share_their_weights(amx, folder, shown):
    done = amx.case(folder, "--precision=amx_bfloat16", "--mode=latency", "--cores_per_instance=1", "--steps=4",
                    "--min_duration=0", "--weight_sharing")
    result = amx.proven(done, folder)
    shown(amx, result)
    runs = [run for report in result["processes"] for run in report["runs"]]
    assert len(runs) >= 2 and len({run["pid"] for run in runs}) == 1


def accurate(amx: Amx, folder: Path, engine: str, precision: str, set_of_images: dict[str, str], *flags: str) -> dict:
    """The result of an accuracy case whose answers are near fp32's."""
    done = amx.case(folder, "--mode=accuracy", f"--precision={precision}", f"--torch_type={engine}", "--batch_size=4",
                    *(f"--{name.lower()}={value}" for name, value in set_of_images.items()), *flags)
    result = amx.proven(done, folder)
    agreed = result["processes"][0]["facts"]["agreement"]
    assert 0 < agreed["largest_logit_difference"] < agreed["logit_spread"]
    return result


@pytest.mark.parametrize("precision", ["amx_int8", "amx_bfloat16"])
def test_inductor_runs_by_amx_kernels_and_compiles_once(precision, amx, folder, set_of_images, shown):
    """Ten images in batches of 4: the last one is filled up."""
    result = accurate(amx, folder, "COMPILE-INDUCTOR", precision, set_of_images, f"--customer_env={INDUCTOR}")
    shown(amx, result)
    assert "Recompiling" not in (folder / "instance-0.log").read_text()
    if precision == "amx_int8":
        report = result["processes"][0]
        assert all("src:u8" in name for name in report["kernels"])
        # Each convolution's input and weights, each sum's two inputs, the last layer: none of it is left in fp32.
        assert report["facts"]["quantise_nodes"] >= 2 * 53


@pytest.mark.parametrize("precision", ["amx_int8", "amx_bfloat16"])
def test_openvino_runs_by_amx_kernels(precision, folder, tmp_path, monkeypatch, set_of_images, shown):
    use_engine(monkeypatch, "OPENVINO")
    (tmp_path / "amx").mkdir()
    amx = support_amx.made(tmp_path / "amx", "openvino")
    shown(amx, accurate(amx, folder, "OPENVINO", precision, set_of_images))


def test_a_lowered_isa_fails_and_names_the_kernels(amx, folder):
    done = amx.case(folder, "--precision=amx_bfloat16", "--case_type=gated",
                    f"--customer_env=ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 {PASSIVE}")
    assert done.returncode == 1
    assert "53 of 53 convolutions did not run amx_bfloat16's kernels" in done.stderr and "avx512" in done.stderr
    assert_no_kpi(folder)


def test_a_kernel_that_refuses_the_tiles_is_named_before_anything_is_built(amx, folder):
    began = time.monotonic()
    done = amx.run([*WITHOUT_AMX, ROOT / "run_test.sh", "--precision=amx_bfloat16", "--case_type=gated"], folder)
    assert done.returncode == 3 and time.monotonic() - began < 10, done.stdout + done.stderr
    assert "PRECISION=amx_bfloat16 needs AMX" in done.stderr and "the kernel refuses the tile state" in done.stderr


@pytest.mark.parametrize(("before", "line"), [
    ((), r"\bAMX\b"), (WITHOUT_AMX, r"\[invalid\] AMX: the kernel refuses the tile state")])
def test_the_doctor_says_whether_amx_can_be_used(amx, folder, before, line):
    done = amx.run([*before, ROOT / "scripts/resnet50-bench.sh", "doctor"], folder)
    assert re.search(line, done.stdout), done.stdout + done.stderr
    assert bool(before) == ("[invalid] AMX" in done.stdout)
