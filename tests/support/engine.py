"""This CPU, and the runner and ctest.sh as a user calls them: the tests with real torch share them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.case import platforms
from resnet50_bench.case.engines import ENGINES
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.machine.cpu import read_cpu
from support import amx_emulator
from support.stack import chosen

ROOT = Path(__file__).parents[2]
CPU = read_cpu()
MINE = platforms.PLATFORMS[platforms.detect(CPU).name].precisions
FP32 = next(name for name in MINE if name.endswith("fp32"))
INT8 = next(name for name in MINE if name.endswith("int8"))
TWO_CORES = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
#: tests/amx shows the same by AMX kernels, real or emulated.
NOT_BY_AMX_TESTS = pytest.mark.skipif(amx_emulator.why_not() is None, reason="tests/amx shows it on this CPU")
WORKLOAD = "resnet50_pytorch_xeon_public"
GATED = f"test_{WORKLOAD}_inference_throughput_{INT8}_gated"


def require_precision(name: str) -> None:
    """Skip, with the missing flags, where this CPU cannot run the precision."""
    missing = PRECISIONS[name].missing_flags(CPU.flags)
    if missing:
        pytest.skip(f"{name} needs {' '.join(missing)}, which this CPU lacks")


def use_engine(patch: pytest.MonkeyPatch, name: str) -> None:
    """Choose the engine's first stack; skip where that is not set up or this CPU is not the engine's."""
    facts = ENGINES[name]
    missing = [flag for flag in facts.cpu_flags if flag not in CPU.flags]
    if missing:
        pytest.skip(f"{name} needs {' '.join(missing)}, which this CPU lacks")
    for variable in ("RESNET50_BENCH_ENV", "RESNET50_BENCH_PYTHON"):
        patch.delenv(variable, raising=False)
    stack = facts.stacks[0]
    if not chosen().is_set_up(stack):
        pytest.skip(f"the stack {stack} is not set up: scripts/setup.sh --stack {stack}")
    patch.setenv("RESNET50_BENCH_STACK", stack)


def run_test(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "run_test.sh", *flags], cwd=folder, capture_output=True, text=True,
                          timeout=600, check=False)


def result_of(folder: Path) -> dict:
    return json.loads(next(folder.glob("benchmark_*.json")).read_text())


def kpi(folder: Path) -> subprocess.CompletedProcess[str]:
    """kpi.sh as it is run: in the folder above the worker's."""
    return subprocess.run(["sh", ROOT / "kpi.sh"], cwd=folder.parent, capture_output=True, text=True, check=False)


def assert_no_kpi(folder: Path) -> None:
    shown = kpi(folder)
    assert shown.returncode == 1 and "# INVALID RESULT: " in shown.stdout
    assert not [line for line in shown.stdout.splitlines() if line.startswith("*")]


def ctest(build: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "ctest.sh", *words], capture_output=True, text=True, timeout=600, check=False,
                          env=os.environ | {"RESNET50_BENCH_BUILD": str(build), "BACKEND": "native"} | environment)


def logs_folders(build: Path) -> list[Path]:
    return sorted((build / "workload/ResNet50-Pytorch-Xeon-Public").glob("*-logs-*"))
