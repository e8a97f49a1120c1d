"""A resolved Case -> placed, launched and judged: its log and its result in a folder."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from ..case import inputs
from ..case.case import Case
from ..case.inputs import Inputs
from ..errors import BenchError, Infrastructure, Regression, RunFailed
from ..machine import caches, counters, host
from ..machine.topology import Topology
from ..result import limits, logfile, measurement
from ..result.checks import overall, result_checks
from ..result.counted import Counters, Frequency
from ..result.logfile import Log
from ..result.processes import ProcessReport
from ..result.result import Result
from ..stack import user_cache
from ..stack.environment import native_libraries
from . import burst, nodes
from .launcher import LaunchPlan, launch
from .nodes import Nodes
from .placement import Placement, place
from .progress import Progress, State

#: ``launch``, or a Session's, whose workers outlive the case.
RunWorkers = Callable[[Case, Placement, LaunchPlan], list[ProcessReport]]


def run_case(case: Case, found: Inputs, topology: Topology, python: Path, folder: Path, now: datetime,
             run_workers: RunWorkers = launch, echo: TextIO | None = None) -> int:
    """Run the case; log and result go into ``folder``, the log also to ``echo`` (default: stdout).

    Raises what made it fail, once that stands in the log and the result.
    """
    placement = place(topology, case.cores_per_instance, case.instance_mode, case.weight_sharing)
    software = host.software_record(python)
    result = msgspec.convert({
        "case": case.texts() | {"origins": dict(case.origins), "notices": list(case.notices)},
        "started_at": now.isoformat(), "command": [shlex.join(sys.argv)], "system": host.system_record(),
        "software": software, "topology": topology.as_record(), "inputs": found.as_record(),
        "placement": placement.as_record() | burst.record(burst.copies())}, Result)
    log = Log(folder / logfile.file_name(case.texts(), now), echo or sys.stdout)
    try:
        for line in logfile.header(case, len(placement.instances), _versions(software)):
            log.line(line)
        _describe(log, placement, found)
        _measure(case, found, topology, placement, python, folder, log, result, run_workers)
        _hold_to_target(case, found, result, log)
        log.line("RESULT: passed")
        return 0
    except Exception as error:  # a fault of ours must not look like a run that is still to be judged
        why = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
        result.failure, result.verdict = why, "invalid"
        with suppress(Infrastructure):  # where the disk is full, the log cannot take this line either
            log.line(f"RESULT: failed: {'; '.join(why.splitlines())}")
        raise
    finally:
        log.close()
        _write(result, log.path.with_suffix(".json"))


def _write(result: Result, path: Path) -> None:
    """Raises Infrastructure where the disk is full, unless the run has failed for that already."""
    try:
        result.write(path)
    except OSError as error:
        if result.failure is None:
            raise Infrastructure(f"the result {path.name} cannot be written: {error.strerror}") from error


def _versions(software: Mapping[str, object]) -> dict[str, str]:
    named = {"Torch_Version": "torch", "Torchvision_Version": "torchvision",
             "IPEX_Version": "intel-extension-for-pytorch"}
    return {name: str(software[package]) for name, package in named.items() if package in software}


def _describe(log: Log, placement: Placement, found: Inputs) -> None:
    for process in placement.processes:
        for instance in process.instances:
            node = "any" if instance.memory_node is None else instance.memory_node
            log.line(f"Instance {instance.index}: cpus {','.join(map(str, instance.cpus))} "
                     f"memory node {node} process {process.index}")
    for line in burst.lines(burst.copies()):
        log.line(line)
    for name, value in found.as_record().items():
        if value:
            log.line(f"Input_{name.title()}: {value}")
    for notice in (*placement.notices, *found.notices):
        log.line(f"NOTICE: {notice}")


def _measure(case: Case, found: Inputs, topology: Topology, placement: Placement, python: Path, folder: Path, log: Log,
             result: Result, run_workers: RunWorkers) -> None:
    moments: list[dict[str, object]] = []
    shown = Progress(case.batch_size, case.min_duration)
    used = tuple(cpu for instance in placement.instances for cpu in instance.cpus)
    clocks = counters.FrequencySamples(used)

    def start(pids: list[int]) -> None:
        moments.append(counters.snapshot(pids))
        log.line(logfile.start_line(case))

    def end(pids: list[int]) -> None:
        shown.close()
        log.line(logfile.END_LINE)
        moments.append(counters.snapshot(pids))

    plan = LaunchPlan(
        python=python, folder=folder, cache_dir=user_cache.models(),
        libraries=native_libraries(), inputs=found.spec(case, len(placement.instances)),
        loader_cpus=placement.idle_share(), memory_nodes=len(topology.memory_nodes), outer_environment=os.environ,
        nodes=nodes.nodes() if case.training else Nodes(), say=log.line, on_start=start, on_end=end,
        progress_s=shown.every_s, every_second=clocks.sample,
        stream_floats=lambda cpus: caches.affordable(caches.stream_floats(cpus, used), len(placement.instances)),
        on_progress=lambda message: shown.update(State(**{n: message[n] for n in State.__dataclass_fields__})))
    try:
        result.processes = run_workers(case, placement, plan)
    finally:
        shown.close()
    runs = result.runs()
    if len(runs) != len(placement.instances):
        raise RunFailed(f"{len(placement.instances)} instances were started, {len(runs)} reported")
    result.counters = msgspec.convert(counters.difference(*moments), Counters)
    if clocks.record():
        result.counters.frequency = msgspec.convert(clocks.record(), Frequency)
    if case.accuracy:
        result.statistics = measurement.pass_statistics(runs, result.counted())
    else:
        result.statistics = measurement.statistics(runs, case.batch_size)
        result.limits = limits.limits(result)
    for line in logfile.measured(result):
        log.line(line)
    if case.verbose:
        for line in limits.layer_table(result.processes[0].facts.layers):
            log.line(line)
    _judge(case, log, result)


def _hold_to_target(case: Case, found: Inputs, result: Result, log: Log) -> None:
    """Raises Regression where an accuracy run misses ACCURACY_TARGET."""
    if not case.accuracy:
        return
    classes = len(found.dataset.classes) if found.dataset else 0
    if case.is_default("ACCURACY_TARGET") and classes != inputs.IMAGENET_CLASSES:
        log.line(f"NOTICE: ACCURACY_TARGET: the default is ImageNet's and was not applied to {classes} classes")
        return
    top1 = result.statistics.accuracy.top1 if result.statistics.accuracy else 0.0
    if top1 < case.accuracy_target:
        raise Regression(f"top-1 {top1:.3f} % is below ACCURACY_TARGET={case.accuracy_target:g} %")


def _judge(case: Case, log: Log, result: Result) -> None:
    """Make the checks. Raises RunFailed for an invalid result, or a noisy one where the user wants that."""
    result.checks = result_checks(result)
    result.verdict, result.reasons = overall(result.checks)
    for line in logfile.judged(result, (check.line() for check in result.checks)):
        log.line(line)
    if result.verdict == "invalid" or (result.verdict == "noisy" and case.fail_on_noisy):
        raise RunFailed(f"{result.verdict} result: {'; '.join(result.reasons)}")
