"""One run of a case from header to verdict, with FAKE workers: what stands in its log and its result."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest

from resnet50_bench.case.case import Case, Layer, resolve
from resnet50_bench.case.dataset import DataSet, Image
from resnet50_bench.case.defaults import Machine
from resnet50_bench.case.inputs import Inputs, InputsRecord
from resnet50_bench.ctest.brief_output import Brief
from resnet50_bench.errors import BadInput, DoesNotFit, Infrastructure, Regression, RunFailed
from resnet50_bench.launch import plan, refusal, versions
from resnet50_bench.launch.run_case import run_case
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.machine.topology import read_topology
from resnet50_bench.protocol.messages import Progress
from resnet50_bench.result.placement import PlacedInstance, PlacedProcess, Placement
from resnet50_bench.result.processes import Facts, ProcessReport, Run
from resnet50_bench.result.result import Result, read

LAYER = {"kernel": "brg:avx2", "source_type": "f32", "time_ms": 2.0,
         "shape": "mb1_ic64oc64_ih56oh56kh1sh1dh0ph0_iw56ow56kw1sw1dw0pw0"}
LOADED = {"decoded": 10, "bad": [], "animated": 0, "decode_s": 0.1, "wait_s": 0.0, "loader_images_per_s": 100.0,
          "loader_workers": 1}
AGREEMENT = {"images": 10, "top1_agreement": 1.0, "largest_logit_difference": 0.01, "logit_spread": 2.0}
MACHINE = Machine(read_cpu(), read_topology())


@pytest.fixture(autouse=True)
def software(monkeypatch):
    """FAKE; asking a Python for its packages takes half a second."""
    monkeypatch.setattr(versions, "software_record", lambda python: {"torch": "2.8.0", "python": "3.11"})


class Workers:
    """FAKE ones, whose steps take 0.1 s by a clock of their own. ``right`` of 10 images each were answered rightly."""

    def __init__(self, steps: int = 200, right: int = 0, silent: int = 0, breaks: BaseException | None = None,
                 observed: tuple[int, ...] | None = None) -> None:
        self._steps, self._right, self._silent, self._breaks = steps, right, silent, breaks
        self._observed, self.plan = observed, None

    def __call__(self, case, placement, plan, observer) -> list[ProcessReport]:
        self.plan = plan
        observer.say("Process 0: preparing the model")
        observer.started([os.getpid()])
        observer.second_passed()
        observer.progressed(Progress(0, done=5, wanted=10, elapsed_s=0.5, last_ms=100.0))
        if self._breaks:
            raise self._breaks
        observer.ended([os.getpid()])
        reports = [self._report(process) for process in placement.processes]
        return reports[:len(reports) - self._silent]

    def _report(self, process) -> ProcessReport:
        runs = tuple(
            Run(instance=i.index, process=process.index, pid=os.getpid(), cpus=i.cpus,
                observed_cpus=i.cpus if self._observed is None else self._observed, memory_node=None, warmup_steps=20,
                warmup_s=2.0, steady=True, peak={"operations_per_s": 1e12},
                starts_ns=tuple(n * 10**8 for n in range(self._steps)),
                ends_ns=tuple((n + 1) * 10**8 for n in range(self._steps)))
            for i in process.instances)
        answers = LOADED | {"counts": {"count": 10, "top1": self._right, "top5": 10}}
        data = {str(i.index): answers if self._right else {} for i in process.instances}
        facts = {"layers": [LAYER], "data": data, "agreement": AGREEMENT if self._right else {}, "denormal_share": 0.0,
                 "usage": {"ru_minflt": 0, "ru_majflt": 0, "ru_nvcsw": 0, "ru_nivcsw": 0, "ru_utime": 1.0}}
        return ProcessReport(process=process.index, pid=os.getpid(), prepare_s=1.0, model_cache="hit",
                             allocator="jemalloc", kernels={"brg:avx2 src:f32": 53}, runs=runs,
                             facts=msgspec.convert(facts, Facts))


def case(**texts: str) -> Case:
    words = {"PRECISION": "avx2_fp32", "CORES_PER_INSTANCE": "1", "BATCH_SIZE": "2", "INSTANCE_MODE": "single"}
    return resolve([Layer("flag", words | texts)], MACHINE)


def run(folder: Path, workers: Workers, given: Case | None = None, inputs: Inputs | None = None) -> str:
    """The log of a run that passes."""
    echo = io.StringIO()
    result = run_case(given or case(), inputs or Inputs(), MACHINE.topology, Path(sys.executable), folder,
                      datetime.now(timezone.utc), Surroundings.of(os.environ), workers, echo)
    assert result.failure is None and result == read(next(folder.glob("benchmark_*.json")))
    log = next(folder.glob("benchmark_*.log")).read_text()
    assert log == echo.getvalue()
    return log


def document(folder: Path) -> dict:
    return json.loads(next(folder.glob("benchmark_*.json")).read_text())


def test_the_log_frames_what_was_measured_and_ends_with_the_verdict(tmp_path):
    lines = run(tmp_path, Workers()).splitlines()
    places = [next(number for number, line in enumerate(lines) if line.startswith(start)) for start in (
        "BATCH_SIZE: 2", "Instance 0: cpus", "Process 0: preparing", "Evaluating RESNET: total Steps:", "Complete...",
        "Throughput: 20.0000 fps", "Total_Throughput: 20.0000 fps", "Check: ", "VERDICT: ", "RESULT: passed")]
    assert places == sorted(places)
    found = document(tmp_path)
    assert found["failure"] is None and found["verdict"] in ("valid", "noisy")
    assert found["statistics"]["throughput_images_per_s"] == pytest.approx(20.0)
    assert found["limits"]["compute_utilization"] == pytest.approx(20 * 8.2e9 / 1e12)
    assert found["counters"]["duration_s"] >= 0


def test_verbose_lists_the_layers_with_their_times(tmp_path):
    assert [line for line in run(tmp_path, Workers(), case(VERBOSE="True")).splitlines()
            if line.startswith("Layer:   2.000 100.0 %")]


@pytest.mark.parametrize("texts", [{}, {"VERBOSE": "True"}, {"MODE": "latency"}])
def test_what_ctest_v_leaves_out_of_a_log_are_its_parameters_and_figures(tmp_path, texts):
    """Every line that the runner writes is asked, so that a new one cannot be forgotten."""
    brief, lines = Brief(), run(tmp_path, Workers(), case(**texts)).splitlines()
    names = {line.partition(":")[0].partition(" ")[0] for text in lines for line in brief.shown(text)}
    assert {"Evaluating", "Complete...", "Process", "Total_Throughput"} <= names
    assert names <= {"Evaluating", "Complete...", "Process", "Total_Throughput", "NOTICE", "Check", "instance"} | {
        name for name in names if name.isdecimal()}, "and how many checks are ok"


def test_workers_get_what_each_instance_needs_and_nothing_that_can_change(tmp_path):
    workers = Workers()
    run(tmp_path, workers)
    plan = workers.plan
    assert plan.folder == tmp_path and plan.data.parts == 1 and plan.data.dataset == ""
    assert set(plan.stream_floats) == {0} and plan.progress_s > 0
    with pytest.raises(AttributeError):
        plan.folder = Path("/")


def test_an_instance_that_does_not_report_fails_the_run(tmp_path):
    with pytest.raises(RunFailed, match="1 instances were started, 0 reported"):
        run(tmp_path, Workers(silent=1))
    assert document(tmp_path)["verdict"] == "invalid"


def test_a_run_that_breaks_while_it_measures_leaves_no_end_of_the_measurement_in_the_log(tmp_path):
    with pytest.raises(RunFailed):
        run(tmp_path, Workers(breaks=RunFailed("instance 0 was killed by SIGKILL")))
    log = next(tmp_path.glob("benchmark_*.log")).read_text()
    assert "Evaluating RESNET" in log and "Complete..." not in log
    assert log.splitlines()[-1] == "RESULT: failed: instance 0 was killed by SIGKILL"


def test_threads_that_left_their_cores_make_the_result_invalid(tmp_path):
    with pytest.raises(RunFailed, match="^invalid result: affinity"):
        run(tmp_path, Workers(observed=(4095,)))
    found = document(tmp_path)
    assert found["verdict"] == "invalid" and found["failure"].startswith("invalid result")


def accuracy(folder: Path, **texts: str) -> tuple[Case, Inputs]:
    """A pass over ten images of two classes."""
    weights = folder / "weights.pth"
    weights.write_text("")
    images = tuple(Image(folder / f"{number}.png", number % 2) for number in range(10))
    given = case(MODE="accuracy", DATA_TYPE="real", DATASET=str(folder), WEIGHTS=str(weights), **texts)
    record = InputsRecord(dataset_digest="0", weights=str(weights), classes=2, images=len(images))
    return given, Inputs(DataSet(folder, ("a", "b"), images, ()), record)


@pytest.mark.parametrize(("target", "passes"), [("80", True), ("90", False)])
def test_an_accuracy_below_its_target_is_a_regression_with_the_result_kept(tmp_path, target, passes):
    given, inputs = accuracy(tmp_path, ACCURACY_TARGET=target)
    if passes:
        assert "Accuracy: 80.0000" in run(tmp_path, Workers(right=8), given, inputs)
    else:
        with pytest.raises(Regression, match="top-1 80.000 % is below ACCURACY_TARGET=90 %"):
            run(tmp_path, Workers(right=8), given, inputs)
    assert document(tmp_path)["statistics"]["accuracy"]["top1"] == pytest.approx(80.0)


def test_imagenets_target_is_not_applied_to_another_set_of_classes(tmp_path):
    given, inputs = accuracy(tmp_path)
    log = run(tmp_path, Workers(right=5), given, inputs)
    assert "the default is ImageNet's and was not applied to 2 classes" in log


def test_a_result_that_cannot_be_written_is_said_unless_the_run_has_failed_already(tmp_path, monkeypatch):
    def full(self, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Result, "write", full)
    with pytest.raises(Infrastructure, match="cannot be written: No space left on device"):
        run(tmp_path, Workers())
    with pytest.raises(RunFailed, match="it broke"):
        run(tmp_path, Workers(breaks=RunFailed("it broke")))


def test_notices_stand_in_the_log(tmp_path):
    assert "NOTICE: data set: one file" in run(tmp_path, Workers(), inputs=replace(Inputs(), notices=(
        "data set: one file",)))


def test_a_batch_that_memory_cannot_hold_is_refused_before_any_worker_fills_it(tmp_path):
    workers = Workers()
    with pytest.raises(BadInput, match="BATCH_SIZE=100000000 does not fit: .* GB of memory are free: give a smaller"):
        run(tmp_path, workers, case(BATCH_SIZE="100000000"))
    assert document(tmp_path)["verdict"] == "invalid" and "does not fit" in document(tmp_path)["failure"]


def test_what_no_log_could_prove_is_refused_before_any_worker_starts(tmp_path):
    workers = Workers()
    with pytest.raises(DoesNotFit, match="TORCH_TYPE=EAGER .* use BATCH_SIZE=16 or more"):
        run(tmp_path, workers, case(TORCH_TYPE="EAGER"))
    assert workers.plan is None


@pytest.mark.parametrize(("preload", "refused"), [
    ("/no/such.so", "/no/such.so .cannot open shared object file"), (__file__, "invalid ELF header|file too short"),
    ("libm.so.6:/no/such.so", "cannot be loaded: /no/such.so"), ("libm.so.6", "")])
def test_a_preload_that_the_loader_leaves_out_is_refused(tmp_path, preload, refused):
    workers, given = Workers(), case(CUSTOMER_ENV=f"LD_PRELOAD={preload}")
    if not refused:
        run(tmp_path, workers, given)
        return
    with pytest.raises(BadInput, match=f"(?s)CUSTOMER_ENV: LD_PRELOAD={preload} .*{refused}"):
        run(tmp_path, workers, given)
    assert workers.plan is None


@pytest.mark.parametrize(("precision", "processes", "instances", "megabytes"), [
    ("avx2_fp32", 2, 2, 2 * (0.602 + 3.211)), ("avx2_fp32", 1, 2, 0.602 + 2 * 3.211),
    ("avx2_int8", 1, 1, 0.602 + 0.803)])
def test_what_a_batch_needs_at_least_is_its_images_and_the_first_layers_output(
        precision, processes, instances, megabytes):
    one = PlacedInstance(0, (0,), (0,), (0,))
    shares = instances // processes
    placement = Placement(tuple(PlacedProcess(index, (one,) * shares) for index in range(processes)))
    found = refusal.least_bytes(replace(case(), precision=precision, batch_size=1000), placement)
    assert found / 1e9 == pytest.approx(megabytes, rel=0.001)


def test_a_training_needs_what_all_convolutions_give():
    outputs = 64 * 112**2
    for index, (width, side, blocks) in enumerate(((64, 56, 3), (128, 28, 4), (256, 14, 6), (512, 7, 3))):
        for block in range(blocks):
            reduced_at = side * 2 if index and not block else side  # torchvision's stride is in the 3x3
            outputs += width * reduced_at**2 + width * side**2 + 4 * width * side**2 * (1 if block else 2)
    placement = Placement((PlacedProcess(0, (PlacedInstance(0, (0,), (0,), (0,)),)),))
    training = replace(case(), function="training", batch_size=1)
    assert refusal.least_bytes(training, placement) == 4 * (3 * 224**2 + outputs)


def test_runs_that_share_the_cores_share_the_memory_too():
    placement = Placement((PlacedProcess(0, (PlacedInstance(0, (0,), (0,), (0,)),)),))
    needed = refusal.least_bytes(case(), placement)
    refusal.require_memory(case(), placement, 1, needed)
    refusal.require_memory(case(), placement, 2, None)
    with pytest.raises(BadInput, match="2 instances would need"):
        refusal.require_memory(case(), placement, 2, needed)


@pytest.mark.parametrize(("copies", "disturbed"), [("1", False), ("2", True)])
def test_workers_are_told_whether_other_runs_share_their_cores(tmp_path, monkeypatch, copies, disturbed):
    monkeypatch.setenv("RESNET50_BENCH_BURST", copies)
    workers = Workers()
    assert (f"BURST: {copies}\n" in run(tmp_path, workers)) is disturbed
    one = PlacedProcess(0, (PlacedInstance(0, (0,), (0,), (0,)),))
    assert document(tmp_path)["placement"].get("burst", 1) == int(copies)
    assert plan.spec(case(), one, workers.plan).disturbed is disturbed
