"""MODE=accuracy and DATA_TYPE=real with real images (handwritten digits) decoded from disk, on real torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.result.result import read
from support import digits
from support.engine import FP32, INT8, ROOT, assert_no_kpi, kpi, require_precision, result_of, run_test

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

#: Not so many to each of two instances that all batches of 4 would be whole, and one of each class.
IMAGES = 14

#: One instance of an engine that prepares nothing: what is counted and refused does not depend on the engine.
QUICK = ("--torch_type=EAGER", "--instance_mode=single")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Images of ten classes; the name of one is not UTF-8."""
    made = digits.write(tmp_path_factory.mktemp("digits"), train=10, val=IMAGES)
    first = min((made / "val/n00000003").iterdir())
    first.rename(first.with_name(f"caf\udce9{first.suffix}"))
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return digits.untrained_weights(tmp_path_factory.mktemp("weights"))


def accuracy(folder: Path, pictures: Path, weights: Path, precision: str = FP32, *flags: str):
    require_precision(precision)
    return run_test(folder, "--mode=accuracy", f"--precision={precision}", f"--dataset={pictures}",
                    f"--weights={weights}", "--batch_size=4", "--warmup_steps=1", *flags)


def right_by_torchvision(pictures: Path, weights: Path) -> int:
    """What the same weights give by torchvision's own data set, preprocessing and model."""
    model = torchvision.models.resnet50(num_classes=10).eval()
    model.load_state_dict(torch.load(weights, weights_only=True)["state_dict"])
    images = torchvision.datasets.ImageFolder(
        pictures / "val", torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms())
    with torch.inference_mode():
        return sum(int((model(x).argmax(1) == y).sum()) for x, y in torch.utils.data.DataLoader(images, 16))


@pytest.fixture(scope="module")
def right(pictures, weights) -> int:
    return right_by_torchvision(pictures, weights)


def assert_right(folder: Path, right: int, instances: int) -> None:
    """Each image was counted once, by all instances together, and as torchvision counts it."""
    result = result_of(folder)
    assert len(result["processes"]) == instances
    counts = [record["counts"] for report in result["processes"] for record in report["facts"]["data"].values()]
    found = result["statistics"]["accuracy"]
    assert sum(part["count"] for part in counts) == found["count"] == IMAGES
    assert sum(part["top1"] for part in counts) == right
    assert found["top1_ci95"][0] <= found["top1"] <= found["top1_ci95"][1]
    assert result["processes"][0]["facts"]["agreement"]["top1_agreement"] == 1


def test_the_right_answers_of_all_instances_are_those_that_torchvision_counts(tmp_path, pictures, weights, right):
    folder, there = tmp_path / "log\udce9/worker-0-c0", tmp_path / "set\udce9"
    folder.mkdir(parents=True)
    there.symlink_to(pictures)
    done = accuracy(folder, there, weights, FP32, "--cores_per_instance=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_right(folder, right, len(os.sched_getaffinity(0)))
    shown = kpi(folder)
    assert shown.returncode == 0 and "*Accuracy (%): " in shown.stdout and "Loader Throughput" in shown.stdout
    assert "the default is ImageNet's and was not applied to 10 classes" in done.stdout
    assert f"DATASET: {tmp_path}/set\\xe9" in done.stdout.splitlines()
    assert read(next(folder.glob("benchmark_*.json"))).parameter("DATASET") == f"{tmp_path}/set\\xe9"


@pytest.mark.slow
def test_right_answers_can_be_counted_again(folder, pictures, weights, tmp_path):
    assert accuracy(folder, pictures, weights, FP32).returncode == 0
    again = tmp_path / "again"
    again.mkdir()
    done = subprocess.run([ROOT / "scripts/resnet50-bench.sh", "rerun", next(folder.glob("benchmark_*.json"))],
                          cwd=again, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result_of(again)["statistics"]["accuracy"] == result_of(folder)["statistics"]["accuracy"]


@pytest.mark.slow
def test_a_target_that_is_missed_is_a_regression(folder, pictures, weights, right):
    done = accuracy(folder, pictures, weights, FP32, "--accuracy_target=99.5", *QUICK)
    assert done.returncode == 4
    assert "is below ACCURACY_TARGET=99.5 %" in done.stderr
    assert_right(folder, right, 1)
    assert_no_kpi(folder)


def test_what_a_worker_refuses_is_the_cases_status_and_reason(folder, pictures, tmp_path):
    (tmp_path / "other.pth").write_bytes(b"no checkpoint")
    done = accuracy(folder, pictures, tmp_path / "other.pth", FP32, *QUICK)
    assert done.returncode == 2 and "cannot be read as a checkpoint" in done.stderr


@pytest.mark.slow
def test_a_broken_image_is_named_and_fails_the_run(folder, pictures, weights, tmp_path):
    shutil.copytree(pictures, tmp_path / "set")
    broken = next((tmp_path / "set/val/n00000003").iterdir())
    broken.write_bytes(broken.read_bytes()[:200])
    done = accuracy(folder, tmp_path / "set", weights, FP32, *QUICK)
    assert done.returncode == 1
    assert str(broken) in done.stderr and "allowed are 0 of" in done.stderr
    assert_no_kpi(folder)


@pytest.mark.slow
def test_a_quantisation_is_compared_with_fp32_saved_and_loaded(folder, pictures, weights, tmp_path):
    small = tmp_path / "small"
    for part in sorted((pictures / "val").iterdir()):
        (small / part.name).mkdir(parents=True)
        shutil.copy(next(part.iterdir()), small / part.name)
    done = accuracy(folder, small, weights, INT8)
    assert done.returncode == 0, done.stdout + done.stderr
    first = result_of(folder)
    agreed = first["processes"][0]["facts"]["agreement"]
    assert agreed["images"] == 10 and 0 < agreed["largest_logit_difference"] < agreed["logit_spread"]
    recipe = tmp_path / "recipe.json"
    shutil.copy(folder / "qconf_summary.json", recipe)
    assert json.loads(recipe.read_text())
    again = tmp_path / "again/worker-0-c0"
    again.mkdir(parents=True)
    done = accuracy(again, small, weights, INT8, f"--qconf={recipe}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert result_of(again)["processes"][0]["facts"]["agreement"] == agreed
    recipe.write_text("{}")
    done = accuracy(again, small, weights, INT8, f"--qconf={recipe}")
    assert done.returncode == 2 and "is not a qconf_summary of this model" in done.stderr


def test_time_on_real_images_is_the_models_not_the_decoders(folder, pictures):
    require_precision(FP32)
    done = run_test(folder, "--data_type=real", f"--dataset={pictures}", f"--precision={FP32}", "--batch_size=4",
                    "--steps=4", "--warmup_steps=0", "--min_duration=0", *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no weights were given" in done.stdout and "Loader_Throughput: " in done.stdout
    data, = result_of(folder)["processes"][0]["facts"]["data"].values()
    assert data["pool_batches"] == IMAGES // 4 and data["decoded"] >= IMAGES // 4 * 4
    assert "*Throughput (samples/sec): " in kpi(folder).stdout

