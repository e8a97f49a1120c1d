"""FUNCTION=training with real torch: it learns, proves its kernels, resumes after a kill, and its replicas agree."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.worker.evidence import TRAINING_CONVOLUTIONS
from support import digits
from support.engine import FP32, MINE, ROOT, TWO_CORES, kpi, require_precision, result_of, run_test

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return digits.write(tmp_path_factory.mktemp("digits"), train=30, val=1)


def words(pictures: Path, steps: int, *more: str, warmup_steps: int = 1, batch_size: int = 2) -> list[str]:
    return ["--function=training", "--data_type=real", f"--dataset={pictures}", f"--steps={steps}",
            f"--warmup_steps={warmup_steps}", f"--batch_size={batch_size}", "--min_duration=0", *more]


def training_of(folder: Path) -> dict:
    """Instance 0's record."""
    return result_of(folder)["processes"][0]["facts"]["data"]["0"]["training"]


@pytest.mark.parametrize("precision", [name for name in MINE if PRECISIONS[name].training and "amx" not in name])
def test_a_training_on_dummy_images_proves_its_kernels_and_gives_a_kpi(folder, precision):
    require_precision(precision)
    done = run_test(folder, "--function=training", f"--precision={precision}", "--batch_size=2", "--steps=3",
                    "--warmup_steps=1", "--min_duration=0")
    assert done.returncode == 0, done.stdout + done.stderr
    result = result_of(folder)
    assert sum(result["processes"][0]["kernels"].values()) == TRAINING_CONVOLUTIONS
    losses = training_of(folder)["losses"]
    assert len(losses) == 4 and len(result["processes"][0]["runs"][0]["starts_ns"]) == 3
    shown = kpi(folder).stdout
    assert "*Throughput (samples/sec): " in shown and "Training Loss (nats): " in shown


@pytest.mark.slow
@TWO_CORES
def test_two_instances_learn_the_same_model(folder, pictures):
    require_precision(FP32)
    done = run_test(folder, f"--precision={FP32}", "--cores_per_instance=1", *words(pictures, 6))
    assert done.returncode == 0, done.stdout + done.stderr
    records = [record["training"] for report in result_of(folder)["processes"]
               for record in report["facts"]["data"].values()]
    assert len(records) == len(os.sched_getaffinity(0))
    assert len({record["weights_sha256"] for record in records}) == 1
    assert records[0]["losses"] != records[1]["losses"], "each instance learns from images of its own"
    assert not list(folder.glob(".rendezvous*"))


@pytest.mark.slow
def test_a_training_killed_in_the_middle_goes_on_where_it_was(folder, pictures, tmp_path):
    require_precision(FP32)
    whole = tmp_path / "whole"
    whole.mkdir()
    assert run_test(whole, f"--precision={FP32}", *words(pictures, 17)).returncode == 0
    checkpoint = tmp_path / "training.pt"
    flags = [f"--precision={FP32}", *words(pictures, 17, f"--checkpoint={checkpoint}")]
    with subprocess.Popen([ROOT / "run_test.sh", *flags], cwd=folder, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as runner:
        deadline = time.monotonic() + 300
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(runner.pid, signal.SIGKILL)
    while subprocess.run(["pgrep", "-f", f"resnet50_bench.worker.main {folder}"], capture_output=True,
                         check=False).returncode == 0:  # instances end with their launcher
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = tmp_path / "again"
    again.mkdir()
    done = run_test(again, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    resumed, uninterrupted = training_of(again), training_of(whole)
    assert 0 < resumed["began_at"] < resumed["steps"] == resumed["total_steps"] == 18
    assert resumed["losses"] == pytest.approx(uninterrupted["losses"], rel=0.05, abs=0.05)
    last = run_test(again, *flags)
    assert last.returncode == 2 and "is complete (18 steps)" in last.stderr
    near_its_end = torch.load(checkpoint, weights_only=True)
    torch.save(near_its_end | {"step": 16, "losses": near_its_end["losses"][:16]}, checkpoint)
    rest = tmp_path / "rest"
    rest.mkdir()
    done = run_test(rest, f"--precision={FP32}", *words(pictures, 8, f"--checkpoint={checkpoint}", warmup_steps=10))
    assert done.returncode == 0, "a warm-up of more steps than are left takes all but one: " + done.stderr
    assert len(result_of(rest)["processes"][0]["runs"][0]["starts_ns"]) == 1
    other = run_test(again, f"--precision={FP32}", *words(pictures, 5, f"--checkpoint={checkpoint}"))
    assert other.returncode == 2 and "is of a training of 18 steps" in other.stderr


def test_too_few_images_for_a_batch_are_refused(folder, pictures):
    require_precision(FP32)
    done = run_test(folder, f"--precision={FP32}", *words(pictures, 5, batch_size=64))
    assert done.returncode == 2 and "fewer than BATCH_SIZE=64" in done.stderr


def test_between_nodes_oneccl_is_taken_where_its_bindings_are_installed(tmp_path, monkeypatch):
    from resnet50_bench.worker.training import collectives

    assert collectives(nodes=2) == "gloo", "without the bindings"
    fake = tmp_path / "oneccl_bindings_for_pytorch.py"
    fake.write_text("import os\nos.environ['FAKE_ONECCL'] = 'imported'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FAKE_ONECCL", "")
    assert collectives(nodes=1) == "gloo" and not os.environ["FAKE_ONECCL"], "on one machine nothing is gained"
    assert collectives(nodes=2) == "ccl" and os.environ["FAKE_ONECCL"], "importing them registers the backend"
