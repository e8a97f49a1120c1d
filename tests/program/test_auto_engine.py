"""``ctest.sh --torch_type=auto``: from the words to the runner, which is a FAKE; an image knows no engine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from resnet50_bench.backends import Settings
from resnet50_bench.backends.native import NativeBackend
from resnet50_bench.case.engines import KnownEngine
from resnet50_bench.ctest import case_run
from resnet50_bench.ctest.handover import Overrides
from resnet50_bench.engines import memory
from resnet50_bench.errors import BadInput
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.stack import pins
from resnet50_bench.stack.stacks import FOLDER, PYTHON, STACK
from support.fake_checkout import Checkout
from support.stack import chosen


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A user's cache in which the stack ipex is set up: FAKE, this Python by another name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("RESNET50_BENCH_CACHE", PYTHON, STACK, FOLDER):
        monkeypatch.delenv(name, raising=False)
    python = chosen().folder("ipex") / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (chosen().folder("ipex") / "complete-ipex").write_text(pins.digest("ipex"))
    return tmp_path


def remember(case: str) -> None:
    memory.remember(read_cpu().name, "_".join(case.split("_")[-3:-1]), [
        KnownEngine("COMPILE-INDUCTOR", "ipex", 18.0, 8, 1, "2026-11-25")])


@pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
def test_auto_is_refused_until_an_engine_is_known(tmp_path_factory, cache):
    checkout = Checkout(tmp_path_factory.mktemp("auto") / "checkout")
    del checkout.environment[PYTHON]
    words = ("-V", "--testcase", checkout.case, "--set", "TORCH_TYPE=auto")
    refused = checkout.ctest(*words)
    assert refused.returncode == 2 and not checkout.logs()
    assert "TORCH_TYPE=auto: the fastest engine at" in refused.stdout + refused.stderr
    remember(checkout.case)
    done = checkout.ctest(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    configuration = next(checkout.logs()[-1].glob("*.yaml")).read_text()
    assert "auto" in configuration, "the runner, which knows the same, is told what was asked for"


def test_an_image_knows_no_engine(cache):
    class Docker:
        local = True

    option = "inference_throughput_avx2_fp32_gated"
    remember(f"test_x_{option}")
    asked = Overrides(flags={"TORCH_TYPE": "auto"})
    settings = Settings(environment=os.environ)
    assert case_run.points_of(option, NativeBackend(os.environ), settings, asked)[0]["TORCH_TYPE"] == "auto"
    with pytest.raises(BadInput, match="auto: nothing is known of an image's engines; name one of them, or give BACKE"):
        case_run.points_of(option, Docker(), settings, asked)
