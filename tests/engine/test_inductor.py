"""Inductor in one process over many models, as a sweep's warm worker does it, on real torch."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.case.precision import PRECISIONS
from support.engine import CPU, FP32, MINE, ROOT, require_precision, run_test
from support.stack import chosen

#: Of a ResNet with one bottleneck block a stage: the first, three a block, one beside each.
CONVOLUTIONS = 1 + 4 * (3 + 1)

_PREPARE = f"CONVOLUTIONS = {CONVOLUTIONS}" + """
import collections, json, sys
from pathlib import Path
import torch
import torch._dynamo
import torchvision
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.worker import evidence, proof
from resnet50_bench.worker.engines import inductor
from resnet50_bench.worker.engines.base import ModelRequest, dummy_batch

torch._dynamo.config.suppress_errors = False
torch._dynamo.config.recompile_limit = 2  # of 8: a third model shows what else a ninth would
# A block a stage for ResNet50's 3, 4, 6 and 3: how code fits shapes and threads does not depend on the depth.
torchvision.models.resnet50 = lambda weights, num_classes: torchvision.models.ResNet(
    torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], num_classes)
precision = PRECISIONS[sys.argv[1]]
for batch_size in map(int, sys.argv[2].split(",")):
    request = ModelRequest(precision, precision.isa_cap, batch_size, Path(sys.argv[3]))
    prepared = inductor.ENGINE.prepare(request, request.model())
    batch = dummy_batch(batch_size, request.input_dtype)
    compiled = dict(torch._dynamo.utils.counters["stats"])
    # Whatever is not compiled runs by PyTorch's own operators, which the profiler then sees.
    with torch.inference_mode(), torch.profiler.profile(record_shapes=False) as seen:
        prepared.model(batch)
    eager = sum(event.count for event in seen.key_averages() if event.key in ("aten::batch_norm", "aten::relu_"))
    with torch.inference_mode(), proof.captured_stdout() as lines, inductor.ENGINE.onednn_verbose():
        prepared.model(batch)
    kernels = evidence.of_onednn(lines)
    print(json.dumps({"batch": batch_size, "eager": eager, "convolutions": len(kernels.convolutions),
                      "doubt": kernels.doubt(precision, CONVOLUTIONS), "graphs": compiled["unique_graphs"],
                      "recompiled": dict(torch._dynamo.utils.counters["stats"]) != compiled,
                      "cache": dict(torch._dynamo.utils.counters["inductor"])}), flush=True)
"""

_PEAK = """
import importlib, json, sys
from pathlib import Path
import torch
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.worker import proof
from resnet50_bench.worker.engines import peak
from resnet50_bench.worker.engines.base import ModelRequest

for name in ("eager", "inductor"):
    engine = importlib.import_module(f"resnet50_bench.worker.engines.{name}").ENGINE
    for precision in map(PRECISIONS.get, sys.argv[2:]):
        request = ModelRequest(precision, precision.isa_cap, 1, Path(sys.argv[1]), cores=3)
        model, batch = engine.prepare_peak(request).model, peak.images(request.input_dtype, 3)
        with torch.inference_mode():
            right = torch.allclose(model(batch), peak.product().to(batch.dtype)(batch), atol=0.01, rtol=0.05)
            with proof.captured_stdout() as lines, engine.onednn_verbose():
                model(batch)
        lines = [line for line in lines if ",exec," in line]
        counts = {what: sum(f",{what}," in line for line in lines) for what in ("convolution", "reorder")}
        print(json.dumps({"engine": name, "precision": precision.name, "right": right} | counts))
"""


def prepared(cache: Path, precision: str, sizes: str, threads: int = 1) -> list[dict]:
    """One process that prepares and proves a model for each batch size."""
    require_precision(precision)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": str(threads),
                                "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
                                "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    done = subprocess.run([chosen().worker_python(), "-c", _PREPARE, precision, sizes, cache / "models"],
                          capture_output=True, text=True, env=environment, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> tuple[Path, list[dict]]:
    """The cache that one process with one thread has filled with three batch sizes, and what it saw."""
    cache = tmp_path_factory.mktemp("three")
    return cache, prepared(cache, FP32, "1,2,3")


@pytest.mark.slow
def test_more_batch_sizes_than_torch_recompiles_for_are_each_compiled_for_their_own_shape(three):
    cache, seen = three
    assert [each["batch"] for each in seen] == [1, 2, 3]
    for each in seen:
        assert each["convolutions"] == CONVOLUTIONS and not each["doubt"], each
        assert not each["eager"] and not each["recompiled"], each
    code = [path.read_text() for path in (cache / "inductor").rglob("*.py")]
    assert code and not [text for text in code if re.search(r"\bs\d+\b *=", text)], "a dynamic shape has a symbol"


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_an_instance_of_another_size_gets_code_for_its_own_threads(three):
    cache, _ = three

    def code() -> set[Path]:
        return set((cache / "inductor").rglob("*.cpp"))

    def teams(files: set[Path]) -> set[int]:
        return {int(n) for path in files for n in re.findall(r"num_threads\((\d+)\)", path.read_text())}

    of_one = code()
    prepared(cache, FP32, "2", 2)
    of_both = code()
    assert of_one and not teams(of_one), "for one thread no team is opened"
    assert teams(of_both - of_one) == {2}
    prepared(cache, FP32, "2", 1)
    assert code() == of_both, "the first's is still known"


def test_the_peaks_product_moves_no_weights_in_its_calls(tmp_path):
    """With weights laid out for another size bf16 reached a fifth of the peak, and the run was faster than it."""
    precisions = [name for name in MINE if name.endswith(("fp32", "bfloat16"))
                  and not PRECISIONS[name].missing_flags(CPU.flags)]
    done = subprocess.run([chosen().worker_python(), "-c", _PEAK, tmp_path, *precisions],
                          capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"engine": engine, "precision": precision, "right": True, "convolution": 4, "reorder": 0}
        for engine in ("eager", "inductor") for precision in precisions]


# torch's words for the second: tests/test_causes.py.
@pytest.mark.parametrize(("fault", "remedy"), [
    ("noexec", "without noexec"), pytest.param("no compiler", "apt-get install g++", marks=pytest.mark.slow)])
def test_a_machine_that_cannot_compile_is_named_with_what_helps(folder, tmp_path, fault, remedy):
    """By a real mount, and by a compiler that is not there."""
    require_precision(FP32)
    cache = tmp_path / "code"
    cache.mkdir()
    # On noexec Inductor finds no vector ISA: it compiles and loads a file for each one, which takes half of the time.
    words = [f"TORCHINDUCTOR_CACHE_DIR={cache}",
             "CXX=/no/such" if fault == "no compiler" else "TORCHINDUCTOR_VEC_ISA_OK=0"]
    mount = fault == "noexec"
    if mount and subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,size=64m", "tmpfs", cache], check=False,
                                capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        done = run_test(folder, f"--precision={FP32}", "--torch_type=COMPILE-INDUCTOR", "--batch_size=1",
                        f"--customer_env={' '.join(words)}")
    finally:
        if mount:
            subprocess.run(["umount", "--lazy", cache], check=True)
    assert done.returncode == 3, done.stdout + done.stderr
    error = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert remedy in error and "TORCHDYNAMO_VERBOSE" not in error
