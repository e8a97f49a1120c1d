"""A worker's life from spec to report, with a FAKE engine, clock and launcher: no torch, no time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from resnet50_bench.errors import BadInput, RunFailed
from resnet50_bench.machine import process_facts
from resnet50_bench.protocol.messages import (
    Enough,
    Failed,
    Go,
    Next,
    Prepared,
    Progress,
    Ready,
    Report,
    Reported,
    Stage,
    Stop,
    Stopped,
    Warm,
)
from resnet50_bench.result.processes import ProcessReport
from resnet50_bench.worker import main, stepper
from resnet50_bench.worker.instance import pin
from support.fake_job import CPU, STEP_S, Clock, FakeEngine, FakeLauncher, spec


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stepper, "time", made)
    monkeypatch.setattr(process_facts, "thread_masks", lambda: {
        1: ("python3", frozenset({CPU})), 2: ("python3", frozenset({CPU}))})
    readings = iter([{1: 5.0, 2: 1.0}, {1: 5.01, 2: 3.0}] * 2)
    monkeypatch.setattr(process_facts, "thread_seconds", lambda: next(readings))
    return made


def measured(launcher: FakeLauncher, instances: int = 1) -> None:
    """Through a whole case, as the launcher goes."""
    launcher.hear(Prepared, instances)
    launcher.tell(Warm())
    launcher.hear(Ready, instances)
    launcher.tell(Go())
    launcher.hear(Enough, instances)
    launcher.tell(Stop())
    launcher.hear(Stopped)
    launcher.tell(Report())
    launcher.hear(Reported)


def test_every_measured_step_of_every_instance_stands_in_the_report_once_and_no_warm_up_step_does(tmp_path, clock):
    engine = FakeEngine(clock)
    launcher = FakeLauncher(tmp_path, engine, spec(tmp_path, instances=2))
    measured(launcher, instances=2)
    assert launcher.end() is None
    runs = msgspec.convert(launcher.report(), ProcessReport).runs
    assert [run.instance for run in runs] == [0, 1]
    for run in runs:
        steps = [end - start for start, end in zip(run.starts_ns, run.ends_ns, strict=True)]
        assert len(steps) >= 3 and set(steps) == {int(STEP_S * 1e9)}
        assert run.starts_ns[0] == pytest.approx(run.warmup_steps * STEP_S * 1e9)
        assert engine.steps[f"instance-{run.instance}"] == run.warmup_steps + len(steps)
        assert run.peak == {"operations_per_s": 1e9 + run.instance}
        assert (run.cpus, run.observed_cpus, run.memory_node) == ((CPU,), (CPU,), None)


def test_each_answer_is_handed_on_with_the_labels_of_its_batch(tmp_path, clock):
    engine = FakeEngine(clock)
    launcher = FakeLauncher(tmp_path, engine, spec(tmp_path))
    measured(launcher)
    launcher.end()
    feed = engine.feeds[0]
    assert feed.answers[:3] == [(0, "label 0"), (10, "label 1"), (20, "label 2")] and feed.closed
    assert launcher.report()["facts"]["data"] == {"0": {"decoded": len(feed.answers)}}


def test_the_report_holds_what_was_proven_and_what_the_process_found_out(tmp_path, clock):
    launcher = FakeLauncher(tmp_path, FakeEngine(clock), spec(tmp_path))
    measured(launcher)
    launcher.end()
    report = launcher.report()
    assert (report["model_cache"], report["prepare_s"], report["kernels"]) == ("hit", 1.5, {"brg:avx2 src:f32": 1})
    facts = report["facts"]
    assert facts["layers"] == [{"kernel": "brg:avx2", "source_type": "f32", "shape": "mb1", "time_ms": 0.5}]
    assert facts["answers"] == {"0": {"count": 3, "not_finite": 0}}
    assert facts["denormal_share"] == 0.125 and facts["omp_threads"] == {"0": 1}
    assert facts["computing_cpus"] == {"0": [[CPU]]}, "of the two threads one computed"
    assert set(facts["usage"]) >= {"ru_minflt", "ru_nivcsw", "ru_utime"} and facts["memory"]["rss_bytes"] > 0
    assert "quantise_nodes" not in facts


def test_nothing_is_measured_before_all_are_told_to_go(tmp_path, clock):
    engine = FakeEngine(clock)
    launcher = FakeLauncher(tmp_path, engine, spec(tmp_path, warmup_steps=0))
    launcher.hear(Prepared)
    assert not engine.peaks, "a peak beside idle neighbours is none"
    launcher.tell(Warm())
    assert launcher.hear(Ready)[-1].step_s == 0.25, "without warm-up the proving step's"
    assert engine.peaks == {0: 1} and not engine.steps
    launcher.tell(Go())
    launcher.hear(Enough)
    launcher.tell(Stop())
    launcher.hear(Stopped)
    launcher.end()


def test_a_run_of_a_burst_warms_up_as_many_steps_as_it_was_told(tmp_path, clock):
    engine = FakeEngine(clock)
    launcher = FakeLauncher(tmp_path, engine, spec(tmp_path, warmup_steps=2, disturbed=True))
    launcher.hear(Prepared)
    launcher.tell(Warm())
    launcher.hear(Ready)
    assert engine.steps.total() == 2, "the others on its cpus keep step times from settling"
    launcher.tell(Go())
    launcher.hear(Enough)
    launcher.tell(Stop())
    launcher.hear(Stopped)
    launcher.end()


def test_the_next_case_has_its_own_log_and_the_peaks_of_the_first(tmp_path, clock, monkeypatch):
    logs: list[Path] = []
    monkeypatch.setattr(main, "_log_to", logs.append)
    engine = FakeEngine(clock)
    launcher = FakeLauncher(tmp_path, engine, spec(tmp_path))
    measured(launcher)
    launcher.tell(Next(str(launcher.write(spec(tmp_path, steps=5, log=str(tmp_path / "second"))))))
    measured(launcher)
    assert launcher.end() is None
    run = msgspec.convert(launcher.report(), ProcessReport).runs[0]
    assert logs == [tmp_path / "second"] and len(run.ends_ns) >= 5
    assert run.peak == {"operations_per_s": 1e9} and engine.peaks == {0: 1}


def test_the_launcher_hears_where_instances_stand_and_what_customer_env_did(tmp_path, clock, monkeypatch):
    monkeypatch.setenv("A", "1")
    launcher = FakeLauncher(tmp_path, FakeEngine(clock), spec(tmp_path, progress_s=0.001, customer_env=("A",)))
    stages = [event.text for event in launcher.hear(Prepared) if isinstance(event, Stage)]
    assert stages == ["preparing the model", "CUSTOMER_ENV as seen inside: A=1", "model ready"]
    launcher.tell(Warm())
    launcher.hear(Ready)
    launcher.tell(Go())
    state = launcher.hear(Progress, 3)[-1]
    assert (state.instance, state.wanted, state.counted, state.right) == (0, 3, 8, 6) and state.done > 0
    assert state.last_ms == pytest.approx(STEP_S * 1e3)
    launcher.tell(Stop())
    launcher.hear(Stopped)
    launcher.end()


@pytest.mark.parametrize(("error", "said", "status"), [
    (RunFailed("53 convolutions did not run"), "53 convolutions did not run", 1),
    (BadInput("wrong weights"), "wrong weights", 2),
    (OSError(28, "No space left"), "OSError: [Errno 28] No space left", 3),
    (ZeroDivisionError("a fault\nof ours"), "ZeroDivisionError: a fault", 1),
    (RuntimeError("DefaultCPUAllocator: can't"), "out of memory: use fewer instances or a smaller BATCH_SIZE", 1)])
def test_a_model_that_cannot_be_prepared_is_said_once_with_the_status_it_deserves(tmp_path, clock, error, said, status):
    launcher = FakeLauncher(tmp_path, FakeEngine(clock, fails=error), spec(tmp_path, instances=2))
    failed = launcher.hear(Failed)[-1]
    assert failed.why.startswith(said) and failed.status == status
    launcher.end()
    assert isinstance(launcher.raised, RuntimeError) and "the launcher is gone" in str(launcher.raised)


def test_a_step_that_breaks_is_said_at_once_and_no_report_is_written(tmp_path, clock, capsys):
    launcher = FakeLauncher(tmp_path, FakeEngine(clock, step_fails=lambda number: number == 1), spec(tmp_path))
    launcher.hear(Prepared)
    launcher.tell(Warm())
    launcher.hear(Ready)
    launcher.tell(Go())
    assert launcher.hear(Failed)[-1].why == "ValueError: step 1 is broken"
    launcher.tell(Stop())
    assert launcher.hear(Failed)[-1].why == "ValueError: step 1 is broken"
    assert isinstance(launcher.end(), ValueError)
    assert "step 1 is broken" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_an_order_out_of_turn_is_a_fault_that_is_said(tmp_path, clock):
    launcher = FakeLauncher(tmp_path, FakeEngine(clock), spec(tmp_path))
    launcher.hear(Prepared)
    launcher.tell(Go())
    assert "expected Warm" in launcher.hear(Failed)[-1].why
    assert isinstance(launcher.end(), RuntimeError)


def test_a_mask_that_the_kernel_does_not_give_is_an_error(monkeypatch):
    monkeypatch.setattr("os.sched_setaffinity", lambda pid, cpus: None)
    with pytest.raises(RuntimeError, match="pinning asked for cpus"):
        pin([CPU + 4096])
