"""The engines of the other stacks, each on its own stack where that is set up: kernels, answers, cache, refusals."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from resnet50_bench.case import engines
from resnet50_bench.case.precision import PRECISIONS
from support import digits
from support.aside import PASSIVE
from support.engine import FP32, INT8, MINE, ROOT, require_precision, result_of, run_test, use_engine

torch = pytest.importorskip("torch")
OTHERS = ("OPENVINO", "ONNXRUNTIME", "ZENTORCH")
BF16 = next((name for name in MINE if name.endswith("bfloat16")), None)
#: OpenVINO by AMX kernels is run by tests/amx.
POINTS = [(engine, precision) for engine in OTHERS for precision in (FP32, INT8, BF16)
          if precision and not engines.ENGINES[engine].why_not(PRECISIONS[precision])
          and not (engine == "OPENVINO" and "amx" in precision)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Ten images of ten classes."""
    return digits.write(tmp_path_factory.mktemp("digits"), train=10, val=10)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return digits.untrained_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def use(monkeypatch):
    """Run by the first stack of an engine, or skip."""
    def choose(engine: str, precision: str) -> None:
        require_precision(precision)
        use_engine(monkeypatch, engine)

    return choose


@pytest.mark.parametrize(("engine", "precision"), POINTS)
def test_an_engine_runs_the_precisions_kernels_and_agrees_with_fp32(folder, use, pictures, weights, engine, precision):
    use(engine, precision)
    words = ("--mode=accuracy", f"--precision={precision}", f"--torch_type={engine}", f"--dataset={pictures}",
             f"--weights={weights}", "--batch_size=4", "--warmup_steps=1")
    done = run_test(folder, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    result = result_of(folder)
    report = result["processes"][0]
    agreed = report["facts"]["agreement"]
    if PRECISIONS[precision].dtype.name == "fp32":
        assert agreed["top1_agreement"] == 1 and agreed["largest_logit_difference"] < 1e-3 * agreed["logit_spread"]
    else:
        assert agreed["images"] == 10 and 0 < agreed["largest_logit_difference"] < agreed["logit_spread"]
    threads = set(report["facts"]["omp_threads"].values())
    assert threads == {len(result["placement"]["processes"][0]["instances"][0]["cpus"])}
    assert result["verdict"] != "invalid", result["reasons"]
    if engines.ENGINES[engine].proven:
        assert sum(report["kernels"].values()) == 53 and "unproven" not in report["facts"]
    else:
        assert not report["kernels"] and "Convolution_Kernels: unproven (" in done.stdout


def test_a_converted_model_comes_from_the_cache_the_second_time(folder, use):
    use("OPENVINO", INT8)
    for _ in range(2):
        done = run_test(folder, f"--precision={INT8}", "--case_type=gated", "--torch_type=OPENVINO")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "(cache: hit)" in done.stdout
    assert {"openvino", "nncf"} <= set(result_of(folder)["software"])


def test_instances_of_one_core_each_stay_on_their_cores(folder, use):
    use("OPENVINO", FP32)
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    done = run_test(folder, f"--precision={FP32}", "--case_type=gated", "--torch_type=OPENVINO",
                    "--cores_per_instance=1")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = [run for report in result_of(folder)["processes"] for run in report["runs"]]
    assert len(runs) >= 2 and all(run["observed_cpus"] == run["cpus"] for run in runs)


def masks_of_the_busiest(pid: str, count: int) -> list[set[int]]:
    """The cpus that may run each of the threads that computed the most within a second."""
    def ticks() -> dict[Path, int]:
        return {task: sum(map(int, (task / "stat").read_text().rpartition(")")[2].split()[11:13]))
                for task in Path(f"/proc/{pid}/task").iterdir()}

    before = ticks()
    time.sleep(1)
    spent = {task: now - before.get(task, 0) for task, now in ticks().items()}
    return [os.sched_getaffinity(int(task.name)) for task in sorted(spent, key=spent.get)[-count:]]


@pytest.mark.parametrize("engine", ["OPENVINO", "ONNXRUNTIME"])
def test_the_threads_of_an_instance_compute_on_cores_of_their_own(folder, use, engine):
    """What an engine starts inherits the mask of the thread that OpenMP has bound to one core."""
    use(engine, INT8)
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    with subprocess.Popen([ROOT / "run_test.sh", f"--precision={INT8}", f"--torch_type={engine}", "--batch_size=8",
                           "--cores_per_instance=2", "--instance_mode=single", "--steps=1000000"], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert any("Evaluating RESNET" in line for line in running.stdout)
        pid, = subprocess.run(["pgrep", "-f", f"resnet50_bench.worker.main {folder}"], capture_output=True, text=True,
                              check=True).stdout.split()
        one, other = masks_of_the_busiest(pid, 2)
        running.terminate()
        running.stdout.read()
    assert len(one | other) == 2


def test_openvino_that_falls_back_fails_and_names_what_ran(folder, use):
    """An oneDNN that may not use AVX2 runs other kernels, whatever the case is called."""
    use("OPENVINO", FP32)
    done = run_test(folder, f"--precision={FP32}", "--case_type=gated", "--torch_type=OPENVINO",
                    f"--customer_env=ONEDNN_MAX_CPU_ISA=SSE41 {PASSIVE}")
    assert done.returncode == 1 and f"did not run {FP32}'s kernels; what ran: " in done.stderr, done.stdout


def test_an_engine_whose_stack_is_not_chosen_says_what_to_set_up(folder, monkeypatch):
    done = run_test(folder, f"--precision={FP32}", "--case_type=gated", "--torch_type=OPENVINO")
    assert done.returncode == 3, done.stdout
    assert "TORCH_TYPE=OPENVINO needs openvino" in done.stderr and "setup.sh --stack openvino once" in done.stderr
