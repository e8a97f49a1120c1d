"""One worker process as the launcher sees it: start it, send orders, read events, and always end it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..case.case import Case
from ..errors import BadInput, BenchError, Infrastructure, RunFailed
from ..machine import counters
from ..protocol import messages
from ..protocol.messages import Channel, Event, Failed, Next, Order, Pipes, Progress, Ready, Spec, Stage
from ..result import causes
from ..result.placement import PlacedProcess
from .plan import LaunchPlan, Setup, server_spec, spec, worker_environment
from .window import LaunchWindow

#: Lines of a process's log that may name the reason of its end.
_TAIL_LINES = 20
#: Seconds in which a process must end after SIGTERM.
GRACE_S = 2.0
#: The exit status of a worker's failure -> the error to raise.
_FAILURES: dict[int, type[BenchError]] = {2: BadInput, 3: Infrastructure}


@dataclass
class WorkerProcess:
    """One process and the events that it has sent about its case."""

    process: PlacedProcess
    popen: subprocess.Popen[bytes]
    channel: Channel[Event]
    report: Path
    log: Path
    #: Number of out-of-memory kills on this machine when the case was handed over.
    oom_kills: int
    #: The received events, each with its instance. None: the whole process.
    events: set[tuple[type[Event], int | None]] = field(default_factory=set)
    #: The longest last warm-up step of its instances, in seconds.
    step_s: float = 0.0

    def name(self) -> str:
        """``instance 1 (pid 4242)``."""
        numbers = ", ".join(str(instance.index) for instance in self.process.instances)
        plural = "s" if len(self.process.instances) > 1 else ""
        return f"instance{plural} {numbers} (pid {self.popen.pid})"

    def has_said(self, event: type[Event]) -> bool:
        """Whether this process or each of its instances sent ``event``."""
        return (event, None) in self.events or all(
            (event, instance.index) in self.events for instance in self.process.instances)

    def tell(self, order: Order) -> None:
        """Send an order. Raises RunFailed with the reason if the process has ended."""
        try:
            self.channel.send(order)
        except BrokenPipeError:
            raise RunFailed(self._obituary()) from None

    def listen(self, observer: LaunchWindow) -> bool:
        """Read the worker's events. Returns False after it closed its channel in good order, after its report.

        Raises the error that fits the worker's failure, or RunFailed if the process has ended.
        """
        events = self.channel.receive()
        if not events:
            if self.has_said(messages.Reported):
                return False
            raise RunFailed(self._obituary())
        for event in events:
            if isinstance(event, Failed):
                raise _FAILURES.get(event.status, RunFailed)(f"{self.name()}: {event.why}")
            if isinstance(event, Stage):
                observer.say(f"Process {self.process.index}: {event.text}")
            elif isinstance(event, Progress):
                observer.progressed(event)
            else:
                self.events.add((type(event), getattr(event, "instance", None)))
            if isinstance(event, Ready):
                self.step_s = max(self.step_s, event.step_s)
        return True

    def hand_over(self, case: Case, process: PlacedProcess, plan: LaunchPlan) -> WorkerProcess:
        """Give the next case to a worker that has reported its last one."""
        task, file = _write_spec(case, process, plan)
        fresh = replace(self, process=process, report=Path(task.report), log=Path(task.log),
                        oom_kills=counters.oom_kills(), events=set(), step_s=0.0)
        fresh.tell(Next(str(file)))
        return fresh

    def _obituary(self) -> str:
        """The reason why a worker that closed its channel ended, with the last lines of its log."""
        try:
            status = self.popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return f"{self.name()} closed its channel but did not end"
        tail = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()][-_TAIL_LINES:]
        last = "".join(f"; its last line: {line[:300]}" for line in tail[-1:])
        if status < 0:
            why = causes.of_signal(-status)
            if counters.oom_kills() > self.oom_kills:
                why = "the kernel's out-of-memory killer ran meanwhile: use fewer instances or a smaller BATCH_SIZE"
            return f"{self.name()} was killed by {signal.Signals(-status).name}" + (f" ({why})" if why else "") + last
        said = last.removeprefix("; ") or "it printed nothing"
        return f"{self.name()} ended with status {status}; {causes.explained(' '.join(tail), said)}"


def _write_spec(case: Case, process: PlacedProcess, plan: LaunchPlan) -> tuple[Spec, Path]:
    """Write the orders for the worker. Return (the spec, its file)."""
    task = spec(case, process, plan)
    file = plan.folder / f".process-{process.index}.spec.json"
    file.write_bytes(messages.encode(task))
    return task, file


def remove_exchange(plan: LaunchPlan) -> None:
    """Remove the files exchanged with the workers. The logs stay."""
    for leftover in (*plan.folder.glob(".process-*.json"), *plan.folder.glob(".server.*"), plan.rendezvous):
        leftover.unlink(missing_ok=True)


def start(case: Case, process: PlacedProcess, plan: LaunchPlan, setup: Setup) -> WorkerProcess:
    """Start a worker process in a session of its own, with its spec."""
    task, file = _write_spec(case, process, plan)
    popen, channel = _spawn(setup.command, setup.environment, file, Path(task.log))
    return WorkerProcess(process, popen, channel, Path(task.report), Path(task.log), counters.oom_kills())


def _spawn(command: Sequence[str], environment: Mapping[str, str], spec_file: Path,
           log: Path) -> tuple[subprocess.Popen[bytes], Channel[Event]]:
    ours, theirs = socket.socketpair()
    with log.open("wb") as sink, theirs:
        popen = subprocess.Popen([*command, str(spec_file), str(theirs.fileno())], env=environment,
                                 stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                 pass_fds=(theirs.fileno(),), start_new_session=True)
    return popen, Channel(ours, Event)


class LoadGenProcess(WorkerProcess):
    """The process of MLPerf's LoadGen. It has no instances."""

    def name(self) -> str:
        """``LoadGen (pid 4242)``."""
        return f"LoadGen (pid {self.popen.pid})"

    def has_said(self, event: type[Event]) -> bool:
        """Whether it sent ``event``."""
        return (event, None) in self.events


def start_loadgen(case: Case, cpus: Sequence[int], plan: LaunchPlan, pipes: Pipes) -> LoadGenProcess:
    """Make the pipes and start LoadGen on ``cpus``. Raises Infrastructure if no pipe can be made."""
    for path in (pipes.queries, pipes.answers):
        try:
            os.mkfifo(path, 0o600)
        except OSError as error:
            raise Infrastructure(f"the named pipe {path} cannot be made: {error.strerror}; MODE=server needs a folder "
                                 "on a file system with named pipes") from error
    spec_file, log = plan.folder / ".server.spec.json", plan.folder / "loadgen.log"
    spec_file.write_bytes(messages.encode(server_spec(case, cpus, plan, pipes)))
    environment = worker_environment(case, [tuple(cpus)], {}, plan.surroundings.variables)
    popen, channel = _spawn([str(plan.python), "-m", "resnet50_bench.worker.loadgen"], environment, spec_file, log)
    return LoadGenProcess(PlacedProcess(-1), popen, channel, log, log, counters.oom_kills())


def reap(workers: Sequence[WorkerProcess]) -> None:
    """End every process group: SIGTERM, a grace, SIGKILL."""
    for signum, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 10.0)):
        alive = [worker for worker in workers if worker.popen.poll() is None]
        for worker in alive:
            worker.popen.send_signal(signal.SIGCONT)
            with suppress(ProcessLookupError):
                os.killpg(worker.popen.pid, signum)
        deadline = time.monotonic() + patience
        for worker in alive:
            with suppress(subprocess.TimeoutExpired):
                worker.popen.wait(timeout=max(0.0, deadline - time.monotonic()))
    for worker in workers:
        worker.channel.close()
