"""Weights whose answers are no finite numbers: no result is valid, whatever is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import digits
from support.engine import FP32, INT8, assert_no_kpi, require_precision, result_of, run_test

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return digits.write(tmp_path_factory.mktemp("digits"), train=1, val=10)


@pytest.fixture(scope="module")
def overflowing(tmp_path_factory) -> dict[int, Path]:
    """By how many classes; every number in it is finite, the answers are not."""
    folder = tmp_path_factory.mktemp("weights")
    for classes in (10, 1000):
        state = torchvision.models.resnet50(num_classes=classes).state_dict()
        state["bn1.weight"] *= 3e38
        state["fc.weight"] *= 3e38
        torch.save(state, folder / f"{classes}.pth")
    return {classes: folder / f"{classes}.pth" for classes in (10, 1000)}


def checked(folder: Path, *flags: str) -> dict[str, dict]:
    done = run_test(folder, f"--precision={FP32}", "--batch_size=2", "--steps=2", "--warmup_steps=1",
                    "--min_duration=0", "--instance_mode=single", *flags)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NaN or infinite numbers" in done.stderr
    assert_no_kpi(folder)
    result = result_of(folder)
    assert result["verdict"] == "invalid"
    return {check["name"]: check for check in result["checks"]}


# A latency is measured by the same steps as a throughput, and whoever computes the answers, they are looked at alike.
@pytest.mark.parametrize("flags", [
    ("--mode=throughput", "--torch_type=EAGER"), ("--function=training", "--torch_type=EAGER"),
    pytest.param(("--mode=latency", "--torch_type=IPEX"), marks=pytest.mark.slow)], ids=lambda flags: flags[0])
def test_answers_that_are_no_numbers_fail_whatever_is_measured(folder, overflowing, flags):
    require_precision(FP32)
    found = checked(folder, f"--weights={overflowing[1000]}", *flags)
    assert found["answers"]["verdict"] == "invalid" and found["answers"]["remedy"]


def test_answers_that_are_no_numbers_agree_with_nothing(folder, overflowing, pictures):
    require_precision(FP32)
    found = checked(folder, "--mode=accuracy", f"--dataset={pictures}", f"--weights={overflowing[10]}",
                    "--torch_type=EAGER")
    assert found["answers"]["verdict"] == found["agreement with fp32"]["verdict"] == "invalid"
    assert found["agreement with fp32"]["reading"].startswith("0.0 %")


# The plain network is read before any engine begins: tests/engine/test_checkpoints.py.
@pytest.mark.parametrize("precision", [FP32, pytest.param(INT8, marks=pytest.mark.slow)])
def test_weights_with_nan_are_named_before_anything_is_measured(folder, tmp_path, precision):
    require_precision(precision)
    state = torchvision.models.resnet50(num_classes=10).state_dict()
    state["bn1.running_var"][3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    done = run_test(folder, f"--precision={precision}", "--batch_size=2", f"--weights={tmp_path / 'nan.pth'}")
    assert done.returncode == 1 and "(bn1.running_var)" in done.stderr
    assert result_of(folder)["verdict"] == "invalid"
    assert_no_kpi(folder)
