"""The whole way with real labelled images: ResNet50 learns handwritten digits, and every engine recognises them.

The training is the slow part (5,600 pictures); its checkpoint is kept beside the prepared models. A training that this
machine does not finish in time goes on at the next call.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resnet50_bench.case.engines import ENGINES
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.stack import user_cache
from support import digits
from support.engine import CPU, FP32, INT8, MINE, ROOT, WORKLOAD, ctest, result_of, run_test, use_engine

#: A target of its own: scripts/test.sh --slow tests/engine/test_digits.py
pytestmark = pytest.mark.slow

pytest.importorskip("torch")
RUNNABLE = [name for name in MINE if not PRECISIONS[name].missing_flags(CPU.flags)]
POINTS = [(engine, precision) for engine, facts in ENGINES.items() for precision in RUNNABLE
          if not facts.why_not(PRECISIONS[precision])]
#: Points of accuracy that a precision may lose to fp32, by its arithmetic; 360 pictures are judged.
MOST_LOST = {"fp32": 0.0, "bf16": 0.5, "int8": 1.5}
LEAST_RIGHT = 90.0
#: Two trainings, the second from the first's weights with the rate high again (a warm restart: Loshchilov & Hutter
#: 2017): their last accuracy is higher than that of one as long as both.
STEPS = (400, 300)
#: For both; two cores without AVX-512 need 1,400.
PATIENCE_S = 1500.0


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return digits.write(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def learnt(pictures, tmp_path_factory) -> Path:
    """The trained weights, in the training precision that is the fastest here."""
    if not RUNNABLE:
        pytest.skip(f"this CPU runs none of {', '.join(MINE)}")
    precision = next(name for name in RUNNABLE if PRECISIONS[name].training)
    sources = ("src/resnet50_bench/worker/training.py", "tests/support/digits.py")
    recipe = "".join((ROOT / path).read_text() for path in sources)
    key = hashlib.sha256(f"{recipe}{precision}{STEPS}".encode()).hexdigest()[:16]
    kept = user_cache.models() / "digits" / key
    kept.mkdir(parents=True, exist_ok=True)
    weights: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    for number, steps in enumerate(STEPS):
        done, checkpoint = kept / f"{number}.pt", kept / f"{number}.partial.pt"
        if not done.exists():
            folder = tmp_path_factory.mktemp("training")
            try:
                ended = subprocess.run(
                    [ROOT / "run_test.sh", "--function=training", f"--precision={precision}", "--data_type=real",
                     f"--dataset={pictures}", "--batch_size=8", f"--steps={steps - 2}", "--warmup_steps=2",
                     "--min_duration=0", f"--checkpoint={checkpoint}", *weights],
                    cwd=folder, capture_output=True, text=True, timeout=deadline - time.monotonic(), check=False)
            except subprocess.TimeoutExpired:
                pytest.skip(f"this machine did not train {sum(STEPS)} steps within {PATIENCE_S:g} s; the next call "
                            f"goes on from {checkpoint}")
            if "is complete (" not in ended.stderr:  # an earlier call was killed after the last step
                assert ended.returncode == 0, ended.stdout + ended.stderr
                losses = result_of(folder)["processes"][0]["facts"]["data"]["0"]["training"]["losses"]
                assert sum(losses[-20:]) < sum(losses[:20])
            checkpoint.replace(done)
        weights = [f"--weights={done}"]
    return done


@pytest.fixture(scope="module")
def result(pictures, learnt, tmp_path_factory) -> Callable[[str, str], dict]:
    """``result(engine, precision)``, by ctest.sh and once each; skips where the engine cannot run here."""
    @functools.cache
    def measured(engine: str, precision: str) -> dict:
        build = tmp_path_factory.mktemp("build")
        with pytest.MonkeyPatch.context() as patch:
            use_engine(patch, engine)
            done = ctest(build, "-V", "--testcase", f"test_{WORKLOAD}_inference_accuracy_{precision}",
                         f"--torch_type={engine}", "--batch_size=8", f"--dataset={pictures}", f"--weights={learnt}",
                         f"--accuracy_target={LEAST_RIGHT - 2}")
        assert done.returncode == 0, done.stdout + done.stderr
        shown = float(re.search(r"\*Accuracy \(%\): ([0-9.]+)", done.stdout).group(1))
        path, = build.glob("workload/*/*-logs-*/itr-1/worker-0-c0/benchmark_*.json")
        found = json.loads(path.read_text())
        assert shown == pytest.approx(top1(found), abs=1e-3)
        print(f"{engine} {precision}: top-1 {shown:.2f} %, agreement "
              f"{100 * found['processes'][0]['facts']['agreement']['top1_agreement']:.1f} %")
        return found

    return measured


def top1(result: dict) -> float:
    """Percent."""
    return result["statistics"]["accuracy"]["top1"]


def test_fp32_recognises_the_digits(result):
    found = result("IPEX", FP32)
    assert top1(found) >= LEAST_RIGHT
    assert found["statistics"]["accuracy"]["count"] == 360


@pytest.mark.parametrize(("engine", "precision"), POINTS)
def test_no_engine_loses_more_than_its_precisions_arithmetic_explains(result, engine, precision):
    lost = top1(result("IPEX", FP32)) - top1(result(engine, precision))
    facts = PRECISIONS[precision]
    assert lost <= MOST_LOST["bf16" if facts.products_in_bf16 else facts.dtype.name]


def judged(folder: Path, pictures: Path, learnt: Path, precision: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return run_test(folder, "--mode=accuracy", f"--precision={precision}", f"--dataset={pictures}",
                    f"--weights={learnt}", "--batch_size=8", "--warmup_steps=1",
                    f"--accuracy_target={LEAST_RIGHT - 2}", *flags)


def test_shuffled_labels_are_caught(pictures, learnt, tmp_path):
    """Right answers counted against the classes' folders in another order."""
    classes = sorted(folder.name for folder in (pictures / "val").iterdir())
    shuffled = tmp_path / "shuffled"
    for name, other in zip(classes, classes[1:] + classes[:1], strict=True):
        shutil.copytree(pictures / "val" / name, shuffled / "val" / other)
    done = judged(tmp_path, shuffled, learnt, FP32)
    assert done.returncode == 4 and f"is below ACCURACY_TARGET={LEAST_RIGHT - 2:g} %" in done.stderr
    assert top1(result_of(tmp_path)) < 20


def repainted(pictures: Path, target: Path, paint) -> Path:
    """The data set with every picture put through ``paint``."""
    from PIL import Image

    for path in pictures.rglob("*.*"):
        other = target / path.relative_to(pictures).with_suffix(".png")
        other.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            paint(image).save(other)
    return target


def test_wrong_normalisation_is_caught(pictures, learnt, tmp_path):
    """A quarter of the contrast around grey is what a mean and a deviation of another recipe make of the pictures."""
    wrong = repainted(pictures, tmp_path / "wrong", lambda image: image.point(lambda value: 96 + value // 4))
    done = judged(tmp_path, wrong, learnt, FP32)
    assert done.returncode == 4 and "is below ACCURACY_TARGET" in done.stderr


def test_calibration_on_faint_noise_is_caught(pictures, learnt, tmp_path):
    """Scales of pictures that hardly leave the mean cut off what digits need."""
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(0)
    small = tmp_path / "few"
    for path in [next(folder.glob("*.png")) for folder in (pictures / "val").iterdir()]:
        for part in ("train", "val"):
            (small / part / path.parent.name).mkdir(parents=True)
            shutil.copyfile(path, small / part / path.parent.name / path.name)
    noise = repainted(small, tmp_path / "noise", lambda image: Image.fromarray(
        random.integers(118, 128, (224, 224, 3)).astype("uint8")))
    calibrated, used = tmp_path / "calibrated", tmp_path / "used"
    calibrated.mkdir()
    used.mkdir()
    judged(calibrated, noise, learnt, INT8)  # what it gives for noise does not matter: its recipe does
    done = judged(used, pictures, learnt, INT8, f"--qconf={calibrated / 'qconf_summary.json'}")
    assert done.returncode in (1, 4), done.stdout
    assert "quantisation is broken" in done.stderr or "is below ACCURACY_TARGET" in done.stderr
