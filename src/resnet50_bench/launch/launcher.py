"""Case + Placement -> worker processes, started, synchronised, collected and always reaped.

The launcher blocks in ``select`` while instances measure, so that it takes no core from them.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..case.case import Case
from ..errors import BadInput, BenchError, Infrastructure, RunFailed
from ..machine import counters
from ..protocol.channel import Channel
from ..result.processes import ProcessReport, process_report
from .homes import Home, home
from .nodes import Nodes
from .placement import Placement, Process

#: From a process's start until its instances are warm: int8 preparation at batch 128 took 80 s
#: on two cores without AVX-512.
READY_TIMEOUT_S = 1800.0
#: The measurement may take this many times what the warm-up's last step foretells.
PATIENCE = 10.0
#: ... with this for an image that has to be decoded meanwhile (ImageNet's largest take 0.1 s) ...
DECODE_S = 0.05
#: ... and never less than this.
LEAST_PATIENCE_S = 60.0
#: How long processes whose channel was closed may take to end by themselves.
CLOSE_S = 60.0
#: ... and after SIGTERM.
GRACE_S = 2.0
#: What a worker says of its failure -> how the run failed.
_FAILURES: dict[object, type[BenchError]] = {2: BadInput, 3: Infrastructure}


@dataclass(frozen=True)
class LaunchPlan:
    """Where and with what workers run.

    ``inputs`` is Inputs.spec()'s; ``loader_cpus`` are idle cpus that decode images for an instance.
    ``on_start`` and ``on_end`` get the workers' process ids just before the first and after the
    last measured step.
    """

    python: Path
    folder: Path
    cache_dir: Path
    libraries: Mapping[str, str]
    inputs: Mapping[str, object]
    loader_cpus: Mapping[int, list[int]]
    memory_nodes: int
    outer_environment: Mapping[str, str]
    say: Callable[[str], None]
    on_start: Callable[[list[int]], None]
    on_end: Callable[[list[int]], None]
    #: Those that train one model together, this one counted.
    nodes: Nodes = Nodes()
    #: Every this many seconds (0: never) ``on_progress`` gets where each measuring instance stands.
    progress_s: float = 0.0
    on_progress: Callable[[dict[str, Any]], None] = lambda state: None
    #: Floats of the arrays by which an instance on some cpus measures its bandwidth; None: the worker's default.
    stream_floats: Callable[[tuple[int, ...]], int | None] = lambda cpus: None
    #: Called once a second while instances measure, where it is given: what it reads is gone afterwards.
    every_second: Callable[[], None] | None = None


@dataclass
class Worker:
    """One process and what it has said so far."""

    process: Process
    popen: subprocess.Popen[bytes]
    channel: Channel
    report: Path
    log: Path
    oom_kills: int
    events: set[str] = field(default_factory=set)
    step_s: float = 0.0

    def name(self) -> str:
        """``instance 1 (pid 4242)``."""
        numbers = ", ".join(str(instance.index) for instance in self.process.instances)
        plural = "s" if len(self.process.instances) > 1 else ""
        return f"instance{plural} {numbers} (pid {self.popen.pid})"

    def has(self, event: str) -> bool:
        """Whether this process, or for ``ready`` and ``enough`` each of its instances, said ``event``."""
        if event in ("stopped", "reported"):
            return event in self.events
        return all(f"{event} {instance.index}" in self.events for instance in self.process.instances)


def launch(case: Case, placement: Placement, plan: LaunchPlan) -> list[ProcessReport]:
    """Run every instance of one case; see ``Session.launch``. No process is left when this returns or raises."""
    with Session() as session:
        reports = session.launch(case, placement, plan)
        ended_badly = session.close()
    if ended_badly:
        raise RunFailed("; ".join(ended_badly))
    return reports


class Session:
    """Worker processes that stay for the next case where it wants the same ones; a context manager.

    The same are they where cpus, environment (so the instruction set, libraries and CUSTOMER_ENV), memory binding,
    precision and TORCH_TYPE are equal. Whatever happens, no process is left when it closes.
    """

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._setup: object = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, case: Case, placement: Placement, plan: LaunchPlan) -> list[ProcessReport]:
        """Run every instance of the case. Raises RunFailed naming the instance that broke and why.

        No process is left when this raises.
        """
        try:
            return self._launch(case, placement, plan)
        except BaseException:
            reap(self._workers)
            self._workers = []
            raise
        finally:
            for leftover in (*plan.folder.glob(".process-*.json"), _rendezvous(plan)):
                leftover.unlink(missing_ok=True)

    def _launch(self, case: Case, placement: Placement, plan: LaunchPlan) -> list[ProcessReport]:
        began = time.monotonic()
        self._get_workers(case, placement, plan)
        workers = self._workers
        _wait(workers, "prepared", began + READY_TIMEOUT_S, plan)
        # Together: a peak that an instance reaches beside idle neighbours is none, nor does it settle beside them.
        _tell(workers, word="warm")
        _wait(workers, "ready", began + READY_TIMEOUT_S, plan)
        plan.say(f"All instances are warm after {time.monotonic() - began:.1f} s")
        pids = [worker.popen.pid for worker in workers]
        plan.on_start(pids)
        _tell(workers, word="go")
        step_s = max(worker.step_s for worker in workers)
        steps = case.steps or plan.inputs["images"] // case.batch_size + 1
        patience = max(LEAST_PATIENCE_S, PATIENCE * (step_s * steps + DECODE_S * plan.inputs["images"]))
        patience += case.min_duration
        _wait(workers, "enough", time.monotonic() + patience, plan, plan.every_second)
        _tell(workers, word="stop")
        patience = max(LEAST_PATIENCE_S, PATIENCE * step_s)
        _wait(workers, "stopped", time.monotonic() + patience, plan)
        plan.on_end(pids)
        _tell(workers, word="report")
        _wait(workers, "reported", time.monotonic() + patience, plan)
        return [process_report(json.loads(worker.report.read_text())) for worker in workers]

    def _get_workers(self, case: Case, placement: Placement, plan: LaunchPlan) -> None:
        """Hand the case to the workers that there are, or end them and start the ones that it wants."""
        homes = [home(case, process, plan.python, plan.libraries, plan.memory_nodes, plan.outer_environment)
                 for process in placement.processes]
        for process, made in zip(placement.processes, homes, strict=True):
            if made.unbound:
                plan.say(f"NOTICE: process {process.index}: {made.unbound}")
        # Instances that train together leave their group behind in their processes.
        setup = None if case.training else (case.precision, case.torch_type, homes)
        alive = self._workers and all(worker.popen.poll() is None for worker in self._workers)
        if setup and alive and setup == self._setup:
            for number, process in enumerate(placement.processes):
                self._workers[number] = _hand_over(self._workers[number], case, process, plan)
            return
        for why in self.close():
            plan.say(f"NOTICE: {why}")
        self._setup = setup
        for process, made in zip(placement.processes, homes, strict=True):
            self._workers.append(_start(case, process, plan, made))

    def close(self) -> list[str]:
        """Let the workers end by the end of their channel; those that do not are ended. Who ended badly, and how."""
        for worker in self._workers:
            worker.channel.close()
        deadline = time.monotonic() + CLOSE_S
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.popen.wait(timeout=max(0.0, deadline - time.monotonic()))
        ended_badly = [f"{worker.name()} ended with status {worker.popen.returncode} after its report"
                       for worker in self._workers if worker.popen.returncode]
        ended_badly += [f"{worker.name()} did not end after its report"
                        for worker in self._workers if worker.popen.returncode is None]
        reap(self._workers)
        self._workers = []
        return ended_badly


def _start(case: Case, process: Process, plan: LaunchPlan, made: Home) -> Worker:
    spec_file, report, log = _exchange(case, process, plan)
    mine, theirs = socket.socketpair()
    with log.open("wb") as sink, theirs:
        popen = subprocess.Popen([*made.command, str(spec_file), str(theirs.fileno())], env=made.environment,
                                 stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                 pass_fds=(theirs.fileno(),), start_new_session=True)
    return Worker(process, popen, Channel(mine), report, log, counters.oom_kills())


def _hand_over(worker: Worker, case: Case, process: Process, plan: LaunchPlan) -> Worker:
    """The worker, which has reported its last case, with this one to do."""
    spec_file, report, log = _exchange(case, process, plan)
    fresh = replace(worker, process=process, report=report, log=log, oom_kills=counters.oom_kills(),
                    events=set(), step_s=0.0)
    _tell([fresh], word="next", spec=str(spec_file))
    return fresh


def _exchange(case: Case, process: Process, plan: LaunchPlan) -> tuple[Path, Path, Path]:
    """Write what the worker shall do; (that file, where it shall report, its log)."""
    spec_file = plan.folder / f".process-{process.index}.spec.json"
    report = plan.folder / f".process-{process.index}.report.json"
    log = plan.folder / f"instance-{process.instances[0].index}.log"
    cpus = sorted(cpu for instance in process.instances for cpu in instance.cpus)
    spec_file.write_text(json.dumps({
        "process": process.index, "cpus": cpus, "precision": case.precision,
        "torch_type": case.torch_type, "batch_size": case.batch_size, "steps": case.steps,
        "warmup_steps": case.warmup_steps, "min_duration": case.min_duration,
        "memory_nodes": plan.memory_nodes, "customer_env": [name for name, _ in case.customer_env],
        "cache_dir": str(plan.cache_dir), "report": str(report), "log": str(log), "accuracy": case.accuracy,
        "training": case.training, "progress_s": plan.progress_s, "inputs": plan.inputs,
        "node": plan.nodes.index, "nodes": plan.nodes.count,
        "rendezvous": plan.nodes.rendezvous or str(_rendezvous(plan)),
        "instances": [{"index": i.index, "cpus": list(i.cpus), "memory_node": i.memory_node,
                       "memory_nodes": list(i.memory_nodes), "stream_floats": plan.stream_floats(i.cpus),
                       "loader_cpus": plan.loader_cpus.get(i.index, []), "process": process.index}
                      for i in process.instances]}))
    return spec_file, report, log


def _rendezvous(plan: LaunchPlan) -> Path:
    return plan.folder / f".rendezvous-{os.getpid()}"


def _tell(workers: list[Worker], **message: str) -> None:
    for worker in workers:
        try:
            worker.channel.send(**message)
        except BrokenPipeError:
            raise RunFailed(_obituary(worker)) from None


def _wait(workers: list[Worker], event: str, deadline: float, plan: LaunchPlan,
          every_second: Callable[[], None] | None = None) -> None:
    """Block until every worker said ``event``. Raises RunFailed at a death, a failure, the deadline."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.channel, selectors.EVENT_READ, worker)
        while waiting := [worker for worker in workers if not worker.has(event)]:
            left = max(0.0, deadline - time.monotonic())
            ready = selector.select(min(left, 1.0) if every_second else left)
            if every_second:
                every_second()
            if not ready and time.monotonic() >= deadline:
                names = "; ".join(worker.name() for worker in waiting)
                raise RunFailed(f"{names}: no {event!r} within the time allowed: it hangs or was stopped")
            for key, _ in ready:
                if not _listen(key.data, plan):
                    selector.unregister(key.data.channel)


def _listen(worker: Worker, plan: LaunchPlan) -> bool:
    """Take in what a worker says; False once it has rightly closed its channel after its report."""
    messages = worker.channel.receive()
    if not messages:
        if worker.has("reported"):
            return False
        raise RunFailed(_obituary(worker))
    for message in messages:
        event = str(message["event"])
        if event == "failed":
            kind = _FAILURES.get(message.get("status", 1), RunFailed)
            raise kind(f"{worker.name()}: {message['why']}")
        if event == "stage":
            plan.say(f"Process {worker.process.index}: {message['stage']}")
            continue
        if event == "progress":
            plan.on_progress(message)
            continue
        worker.events.add(f"{event} {message['instance']}" if "instance" in message else event)
        if event == "ready":
            worker.step_s = max(worker.step_s, float(str(message["step_s"])))
    return True


def _obituary(worker: Worker) -> str:
    """How a worker that closed its channel ended, with the end of its log."""
    try:
        status = worker.popen.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return f"{worker.name()} closed its channel but did not end"
    if status < 0:
        oom = " (the kernel's out-of-memory killer ran meanwhile: use fewer instances or a smaller BATCH_SIZE)"
        return (f"{worker.name()} was killed by {signal.Signals(-status).name}"
                + (oom if counters.oom_kills() > worker.oom_kills else ""))
    tail = [line for line in worker.log.read_text(errors="replace").splitlines() if line.strip()][-1:]
    return f"{worker.name()} ended with status {status}" + "".join(f"; its last line: {line[:300]}" for line in tail)


def reap(workers: list[Worker]) -> None:
    """End every process group: SIGTERM, a grace, SIGKILL."""
    for signum, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 10.0)):
        alive = [worker for worker in workers if worker.popen.poll() is None]
        for worker in alive:
            worker.popen.send_signal(signal.SIGCONT)
            _signal_group(worker.popen.pid, signum)
        deadline = time.monotonic() + patience
        for worker in alive:
            try:
                worker.popen.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
    for worker in workers:
        worker.channel.close()


def _signal_group(pid: int, signum: int) -> None:
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return
