"""Case + Placement -> worker processes: start, synchronise, collect, and always end them.

While instances measure, the launcher blocks in ``select`` and takes no CPU time from them.
"""

from __future__ import annotations

import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..case.case import Case
from ..errors import RunFailed
from ..protocol import messages
from ..protocol.messages import Enough, Event, Go, Order, Prepared, Ready, Report, Reported, Stop, Stopped, Warm
from ..result.placement import Placement
from ..result.processes import ProcessReport, read_report
from .plan import LaunchPlan, Setup, least_queries, setup
from .window import LaunchWindow
from .worker_process import LoadGenProcess, WorkerProcess, reap, remove_exchange, start, start_loadgen

#: Seconds from a process's start until its instances are warm. int8 preparation at batch 128 took 80 s
#: on two cores without AVX-512.
READY_TIMEOUT_S = 1800.0
#: The measurement may take this many times the duration predicted by the warm-up's last step.
PATIENCE = 10.0
#: ... plus these seconds for each image to decode (ImageNet's largest take 0.1 s) ...
DECODE_S = 0.05
#: ... and never less than this.
LEAST_PATIENCE_S = 60.0
#: A case that only shows that it works asks for this share of the rate that instances reach one query at a time.
SAFE_SHARE = 0.2
#: Seconds in which a process must end by itself after its channel was closed.
CLOSE_S = 60.0

#: The type of ``launch`` and of ``Session.launch``.
RunWorkers = Callable[[Case, Placement, LaunchPlan, LaunchWindow], list[ProcessReport]]


def launch(case: Case, placement: Placement, plan: LaunchPlan, observer: LaunchWindow) -> list[ProcessReport]:
    """Run every instance of one case; see ``Session.launch``. No process is left when this returns or raises."""
    with Session() as session:
        reports = session.launch(case, placement, plan, observer)
        ended_badly = session.close()
    if ended_badly:
        raise RunFailed("; ".join(ended_badly))
    return reports


class Session:
    """A context manager for worker processes that are reused by the next case if it needs the same ones.

    Workers are the same if cpus, environment (including ISA cap, libraries and CUSTOMER_ENV), memory binding, precision
    and TORCH_TYPE are equal. No process is left when it closes, whatever happens.
    """

    def __init__(self) -> None:
        self._workers: list[WorkerProcess] = []
        #: The setup of the running workers. None: they cannot run another case.
        self._setup: tuple[str, str, list[Setup]] | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, case: Case, placement: Placement, plan: LaunchPlan,
               observer: LaunchWindow) -> list[ProcessReport]:
        """Run every instance of the case. Raises RunFailed naming the instance that broke and why.

        No process is left when this raises.
        """
        loadgen: list[LoadGenProcess] = []
        try:
            if case.serving:
                loadgen.append(start_loadgen(case, plan.loadgen_cpus, plan, plan.pipes))
            return self._launch(case, placement, plan, observer, loadgen)
        except BaseException:
            reap(self._workers)
            self._workers = []
            raise
        finally:
            reap(loadgen)
            remove_exchange(plan)

    def _launch(self, case: Case, placement: Placement, plan: LaunchPlan, observer: LaunchWindow,
                loadgen: Sequence[LoadGenProcess]) -> list[ProcessReport]:
        began = time.monotonic()
        self._get_workers(case, placement, plan, observer)
        workers = self._workers
        everybody = [*workers, *loadgen]
        _wait(everybody, Prepared, began + READY_TIMEOUT_S, observer)
        # All together: beside idle neighbours a peak is too high and step times do not settle.
        _tell(workers, Warm())
        _wait(workers, Ready, began + READY_TIMEOUT_S, observer)
        observer.say(f"All instances are warm after {time.monotonic() - began:.1f} s")
        pids = [process.popen.pid for process in everybody]
        observer.started(pids)
        _tell(workers, Go())
        step_s = max(worker.step_s for worker in workers)
        steps = case.steps or plan.data.images // case.batch_size + 1
        patience = max(LEAST_PATIENCE_S, PATIENCE * (step_s * steps + DECODE_S * plan.data.images))
        patience += case.min_duration
        if loadgen:
            _wait(workers, messages.Serving, time.monotonic() + patience, observer)
            rate = case.queries_per_s or _safe_rate(workers)
            _tell(loadgen, messages.Issue(rate))
            patience += 2 * max(case.min_duration, least_queries(case) / rate)  # LoadGen gives up earlier
        _wait(everybody, Enough, time.monotonic() + patience, observer, every_second=observer.second_passed)
        _tell(workers, Stop())
        patience = max(LEAST_PATIENCE_S, PATIENCE * step_s)
        _wait(workers, Stopped, time.monotonic() + patience, observer)
        observer.ended(pids)
        _tell(workers, Report())
        _wait(workers, Reported, time.monotonic() + patience, observer)
        return [read_report(worker.report) for worker in workers]

    def _get_workers(self, case: Case, placement: Placement, plan: LaunchPlan, observer: LaunchWindow) -> None:
        """Give the case to the running workers, or end them and start those that it needs."""
        setups = [setup(case, process, plan) for process in placement.processes]
        for process, own in zip(placement.processes, setups, strict=True):
            if own.unbound:
                observer.say(f"NOTICE: process {process.index}: {own.unbound}")
        # A training leaves torch's process group in its processes.
        wanted = None if case.training else (case.precision, case.torch_type, setups)
        alive = self._workers and all(worker.popen.poll() is None for worker in self._workers)
        if wanted and alive and wanted == self._setup:
            for number, process in enumerate(placement.processes):
                self._workers[number] = self._workers[number].hand_over(case, process, plan)
            return
        for why in self.close():
            observer.say(f"NOTICE: {why}")
        self._setup = wanted
        for process, own in zip(placement.processes, setups, strict=True):
            self._workers.append(start(case, process, plan, own))

    def close(self) -> list[str]:
        """Close the channels so that the workers end, and kill those that do not. Returns those that ended badly."""
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


def _safe_rate(workers: Sequence[WorkerProcess]) -> float:
    """Queries/s that the instances can answer even if each query comes alone."""
    return SAFE_SHARE * sum(len(worker.process.instances) / worker.step_s for worker in workers)


def _tell(workers: Sequence[WorkerProcess], order: Order) -> None:
    for worker in workers:
        worker.tell(order)


def _wait(workers: Sequence[WorkerProcess], event: type[Event], deadline: float, observer: LaunchWindow,
          every_second: Callable[[], None] | None = None) -> None:
    """Block until every worker said ``event``. Raises RunFailed if one dies or fails, or at the deadline."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.channel, selectors.EVENT_READ, worker)
        while waiting := [worker for worker in workers if not worker.has_said(event)]:
            left = max(0.0, deadline - time.monotonic())
            ready = selector.select(min(left, 1.0) if every_second else left)
            if every_second:
                every_second()
            if not ready and time.monotonic() >= deadline:
                names = "; ".join(worker.name() for worker in waiting)
                raise RunFailed(f"{names}: no {event.__name__.lower()!r} within the time allowed: it hangs or was "
                                "stopped")
            for key, _ in ready:
                worker = key.data
                if not worker.listen(observer):
                    selector.unregister(worker.channel)
