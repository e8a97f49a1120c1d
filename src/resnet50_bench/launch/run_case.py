"""Place, launch and judge a resolved Case. Writes its log and its result into a folder."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from ..case import inputs as case_inputs
from ..case.case import Case
from ..case.engines import VERSION_LINES
from ..case.inputs import Inputs
from ..errors import BenchError, DoesNotFit, Infrastructure, Regression, RunFailed
from ..machine import host, memory
from ..machine.topology import Topology
from ..result import limits, logfile, measurement, server
from ..result.checks import overall, result_checks
from ..result.checks.server import LOADGEN
from ..result.logfile import Log
from ..result.records import Verdict
from ..result.result import FRESH, WARM, Result
from ..result.server import Search
from ..stack import user_cache
from ..stack.environment import stack_of
from ..stack.native_libraries import native_libraries
from . import plan, refusal, versions
from .launcher import RunWorkers, Session, launch
from .placement import place
from .rates import RateSearch
from .surroundings import Surroundings
from .window import LaunchWindow


def run_case(case: Case, inputs: Inputs, topology: Topology, python: Path, folder: Path, now: datetime,
             surroundings: Surroundings, run_workers: RunWorkers = launch, echo: TextIO | None = None,
             workers: str | None = None, tell: Callable[[str], None] | None = None) -> Result:
    """Run the case. Writes its log and its result into ``folder``, the log also to ``echo`` (default: stdout).

    ``workers`` is recorded: FRESH or WARM processes if a sweep runs the case. A failure is raised after it is in the
    log and the result. A case with TARGET_QPS=auto runs at several rates, and ``tell`` gets a line after each
    (default: ``echo``).
    """
    sink = echo or sys.stdout
    if not case.seeks_rate:
        run = CaseRun(case, inputs, topology, python, folder, now, surroundings, sink)
        run.result.placement.workers = workers
        return _complete(run, case, python, surroundings, run_workers)
    with Session() as session:
        def at_rate(tried: Case, own_folder: Path, kind: str, search: Search) -> Result:
            once = CaseRun(tried, inputs, topology, python, own_folder, now, surroundings, io.StringIO(), search)
            once.result.placement.workers = workers if kind == FRESH else WARM
            by = run_workers if kind == FRESH or workers == WARM else session.launch
            try:
                return _complete(once, tried, python, surroundings, by)
            except RunFailed:
                server_record = once.result.statistics.server
                wrong = [check.name for check in once.result.checks if check.verdict is Verdict.INVALID]
                if server_record and wrong == [LOADGEN]:
                    return once.result
                raise

        say = tell or (lambda line: print(line, file=sink, flush=True))
        result = RateSearch(case, folder, at_rate, say).find()
        sink.write((folder / logfile.file_name(case.texts(), now)).read_text())
        return result


def _complete(run: CaseRun, case: Case, python: Path, surroundings: Surroundings, run_workers: RunWorkers) -> Result:
    """One run from its first line to its last."""
    try:
        run.describe()
        refusal.require_preload(case, python, surroundings.variables)
        if case.unprovable:
            raise DoesNotFit(case.unprovable)
        refusal.require_memory(case, run.placement, surroundings.burst, memory.free_bytes())
        run.measure(run_workers)
        run.evaluate()
        run.judge()
        run.hold_to_target()
        run.log.line(logfile.PASSED)
        return run.result
    except Exception as error:  # a bug must not leave a result that looks unfinished
        run.fail(error)
        raise
    finally:
        run.close()


class CaseRun:
    """One run of a case, step by step. ``result`` and ``log`` have its state."""

    def __init__(self, case: Case, inputs: Inputs, topology: Topology, python: Path, folder: Path, now: datetime,
                 surroundings: Surroundings, echo: TextIO, search: Search | None = None) -> None:
        """``python`` runs the workers. ``folder`` gets the log, the result and the instances' logs."""
        self._search = search
        self._case, self._inputs, self._topology, self._python, self._folder = case, inputs, topology, python, folder
        self._surroundings = surroundings
        self.placement, self._placement_notices = place(
            topology, case.cores_per_instance, case.instance_mode, case.weight_sharing, case.serving)
        self.placement.burst = surroundings.burst if surroundings.burst > 1 else None
        self.result = Result(
            case={**case.texts(), "origins": dict(case.origins), "notices": list(case.notices)},
            started_at=now.isoformat(), command=[shlex.join(sys.argv)], system=host.system_record(),
            software=versions.software_record(python), stack=stack_of(python), topology=topology,
            inputs=inputs.record, placement=self.placement)
        self.log = Log(folder / logfile.file_name(case.texts(), now), echo)

    def describe(self) -> None:
        """Write the log's header: parameters, placement, inputs, notices."""
        log, placement, software = self.log, self.placement, self.result.software
        packages = {line: str(software[package]) for line, package in VERSION_LINES.items() if package in software}
        for line in logfile.header(self._case, len(placement.instances), packages):
            log.line(line)
        for process in placement.processes:
            for instance in process.instances:
                node = "any" if instance.memory_node is None else instance.memory_node
                log.line(f"{logfile.INSTANCE} {instance.index}: cpus {','.join(map(str, instance.cpus))} "
                         f"memory node {node} process {process.index}")
        if placement.burst:
            log.line(f"BURST: {placement.burst}")
            log.line(f"NOTICE: one of {placement.burst} runs at once, all of which were placed on the same cores: "
                     "its numbers are those of a disturbed run")
        for name, value in msgspec.structs.asdict(self.result.inputs).items():
            if value:
                log.line(f"Input_{name.title()}: {value}")
        for notice in (*self._placement_notices, *self._inputs.notices):
            log.line(f"NOTICE: {notice}")

    def measure(self, run_workers: RunWorkers) -> None:
        """Run the workers. Raises RunFailed if one fails or an instance does not report."""
        cpus = tuple(cpu for instance in self.placement.instances for cpu in instance.cpus)
        window = LaunchWindow(self._case, cpus, self.log, self._surroundings)
        try:
            self.result.processes = run_workers(
                self._case, self.placement, self._plan(cpus, window.view.every_s), window)
        finally:
            window.view.close()
        reported, started = len(self.result.runs()), len(self.placement.instances)
        if reported != started:
            raise RunFailed(f"{started} instances were started, {reported} reported")
        self.result.counters = window.counted()

    def _plan(self, cpus: tuple[int, ...], progress_s: float) -> plan.LaunchPlan:
        """The plan of the launch. ``cpus`` are those of all instances."""
        placement, count = self.placement, len(self.placement.instances)
        return plan.LaunchPlan(
            python=self._python, folder=self._folder, cache_dir=user_cache.models(), libraries=native_libraries(),
            data=plan.data(self._inputs, self._case, count), memory_nodes=len(self._topology.memory_nodes),
            surroundings=self._surroundings, loader_cpus=placement.idle_share(),
            stream_floats={instance.index: memory.affordable(memory.stream_floats(instance.cpus, cpus), count)
                           for instance in placement.instances},
            loadgen_cpus=cpus if placement.loadgen_cpu is None else (placement.loadgen_cpu,), progress_s=progress_s)

    def evaluate(self) -> None:
        """Compute statistics and limits from the samples, for the result and the log."""
        result, case = self.result, self._case
        runs = result.runs()
        if case.accuracy:
            result.statistics = measurement.pass_statistics(runs, result.counted())
        elif case.serving:
            result.statistics = measurement.server_statistics(
                runs, result.served(), server.read(self._folder), case.batch_size, self._search)
        else:
            result.statistics = measurement.statistics(runs, case.batch_size)
        if not case.accuracy:
            result.limits = limits.limits(result)
        for line in logfile.measured(result):
            self.log.line(line)
        if case.verbose:
            for line in limits.layer_table(result.processes[0].facts.layers):
                self.log.line(line)

    def judge(self) -> None:
        """Run the checks. Raises RunFailed for an invalid result, and for a noisy one if the user asked for that."""
        result = self.result
        result.checks = result_checks(result)
        result.verdict, result.reasons = overall(result.checks)
        for line in logfile.judged(result):
            self.log.line(line)
        if result.verdict == "invalid" or (result.verdict == "noisy" and self._case.fail_on_noisy):
            raise RunFailed(f"{result.verdict} result: {'; '.join(result.reasons)}")

    def hold_to_target(self) -> None:
        """Raises Regression if an accuracy run misses ACCURACY_TARGET."""
        case = self._case
        if not case.accuracy:
            return
        classes = len(self._inputs.dataset.classes) if self._inputs.dataset else 0
        if case.is_default("ACCURACY_TARGET") and classes != case_inputs.IMAGENET_CLASSES:
            self.log.line("NOTICE: ACCURACY_TARGET: the default is ImageNet's and was not applied to "
                           f"{classes} classes")
            return
        accuracy = self.result.statistics.accuracy
        if accuracy is None:
            raise RunFailed("no image was counted, so there is no accuracy to compare with ACCURACY_TARGET")
        if accuracy.top1 < case.accuracy_target:
            raise Regression(f"top-1 {accuracy.top1:.3f} % is below ACCURACY_TARGET={case.accuracy_target:g} %")

    def fail(self, error: Exception) -> None:
        """Write the reason of the failure into the result and the log."""
        why = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
        self.result.failure, self.result.verdict = why, "invalid"
        with suppress(Infrastructure):  # on a full disk the log cannot take this line either
            self.log.line(f"RESULT: failed: {'; '.join(why.splitlines())}")

    def close(self) -> None:
        """Close the log and write the result.

        Raises Infrastructure if the disk is full, unless the run has failed with that already.
        """
        self.log.close()
        path = self.log.path.with_suffix(".json")
        try:
            self.result.write(path)
        except OSError as error:
            if self.result.failure is None:
                raise Infrastructure(f"the result {path.name} cannot be written: {error.strerror}") from error
