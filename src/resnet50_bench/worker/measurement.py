"""A Spec and the launcher's orders on a channel -> one case, measured by the instances of this process and reported.

The thread that runs this only communicates. The threads of the instances compute. The ProcessReport goes into a
file, which the launcher reads.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec

from ..errors import BenchError
from ..files import write_json
from ..machine import process_facts
from ..protocol.messages import Channel, Event, Failed, Go, Order, Report, Reported, Spec, Stage, Stop, Stopped, Warm
from ..result import causes
from ..result.processes import Facts, ProcessReport
from .instance import Gates, Instance, pin
from .job import Job, MakeJob, Peaks

_USAGE = ("ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw", "ru_utime", "ru_stime")


class Measurement:
    """One case of this process."""

    def __init__(self, spec: Spec, channel: Channel[Order], peaks: Peaks, make_job: MakeJob) -> None:
        self._spec, self._channel, self._peaks, self._make_job = spec, channel, peaks, make_job
        self._orders = self._received()
        self._gates: Gates = {order: threading.Event() for order in (Warm, Go, Stop, Report)}
        self._job: Future[Job | None] = Future()
        self._usage: dict[str, float] = {}
        self._computing: dict[str, list[list[int]]] = {}
        self._instances: list[Instance] = []
        for part in spec.instances:
            first = not self._instances  # prepares for all instances, and reports for all at the end
            self._instances.append(Instance(
                part, spec, self._gates, peaks, self._say, self._prepare if first else self._job.result, self._fail,
                self._report if first else None))

    def run(self) -> None:
        """Drive the instances by the launcher's orders. Raises the error of an instance that failed."""
        pin(self._spec.cpus)
        for instance in self._instances:
            instance.start()
        self._pass_on(Warm)
        self._expect(Go)
        # Once for all instances, while they still warm up: none waits for it.
        before, spent = resource.getrusage(resource.RUSAGE_SELF), process_facts.thread_seconds()
        self._gates[Go].set()
        self._say_progress_until_told()
        self._pass_on(Stop)
        for instance in self._instances:
            instance.measured.result()
        after = resource.getrusage(resource.RUSAGE_SELF)
        now, masks = process_facts.thread_seconds(), process_facts.thread_masks()
        self._computing = {str(part.index): process_facts.computing_cpus(masks, spent, now, part.cpus)
                           for part in self._spec.instances}
        self._usage = {name: getattr(after, name) - getattr(before, name) for name in _USAGE}
        self._say(Stopped())
        self._pass_on(Report)
        for instance in self._instances:
            instance.join()  # its team of OpenMP threads ended with it
            if instance.error:
                raise instance.error
        self._say(Reported())

    def _pass_on(self, order: type[Order]) -> None:
        self._expect(order)
        self._gates[order].set()

    def _expect(self, order: type[Order]) -> None:
        said = next(self._orders)
        if not isinstance(said, order):
            raise RuntimeError(f"the launcher sent {said}, expected {order.__name__}")

    def _received(self) -> Iterator[Order]:
        while orders := self._channel.receive():
            yield from orders
        raise RuntimeError("the launcher is gone")

    def _say_progress_until_told(self) -> None:
        every_s = self._spec.progress_s
        while every_s and not select.select([self._channel], [], [], every_s)[0]:
            for instance in self._instances:
                if state := instance.progress():
                    self._say(state)

    def _say(self, event: Event) -> None:
        self._channel.send(event)

    def _fail(self, error: BaseException) -> None:
        with suppress(BrokenPipeError):  # nobody may be there to hear it
            self._say(failure(error))

    def _prepare(self) -> Job | None:
        """Get the job. The first instance's thread makes it; the others wait, and get None if that failed."""
        job = None
        try:
            self._say(Stage("preparing the model"))
            if self._spec.customer_env:
                seen = " ".join(f"{name}={os.environ.get(name, '')}" for name in self._spec.customer_env)
                self._say(Stage(f"CUSTOMER_ENV as seen inside: {seen}"))
            job = self._make_job(self._spec, lambda text: self._say(Stage(text)), self._peaks)
            return job
        finally:
            self._job.set_result(job)

    def _report(self, job: Job) -> None:
        """Write the report, in the first instance's thread after all have measured. A recipe is stored beside it."""
        spec, path = self._spec, Path(self._spec.report)
        report = ProcessReport(
            process=spec.process, pid=os.getpid(), prepare_s=job.prepare_s, model_cache=job.prepared.cache,
            allocator=process_facts.allocator(), kernels=job.evidence.kernels(),
            runs=tuple(instance.measured.result().run for instance in self._instances), facts=self._facts(job))
        write_json(path, msgspec.to_builtins(report))
        if spec.process == 0 and job.prepared.recipe:
            shutil.copyfile(job.prepared.recipe, path.with_name("qconf_summary.json"))

    def _facts(self, job: Job) -> Facts:
        spec, measured = self._spec, {str(instance.part.index): instance.measured.result()
                                      for instance in self._instances}
        nodes = (node for part in spec.instances for node in part.memory_nodes)
        return Facts(
            layers=list(job.evidence.convolutions), usage=self._usage, agreement=job.agreement,
            data={str(index): feed.record() for index, feed in job.feeds.items()},
            answers={index: one.answers for index, one in measured.items()},
            omp_threads={index: one.omp_threads for index, one in measured.items()},
            computing_cpus=self._computing, memory=process_facts.memory(),
            # From the distributions' metadata: importing torchvision takes a second.
            torch_version=_version("torch", "torch"), torchvision_version=_version("torchvision", "torch"),
            ipex_version=_version("intel-extension-for-pytorch", "intel_extension_for_pytorch._C"),
            quantise_nodes=job.prepared.quantise_nodes, unproven=job.evidence.unproven or None,
            local_memory=process_facts.local_memory(nodes) if spec.memory_nodes > 1 else None,
            denormal_share=job.denormal_share() if spec.process == 0 else None)


def _version(package: str, module: str) -> str | None:
    """The version of ``package`` if ``module``, which shows its use, is imported."""
    return metadata.version(package) if module in sys.modules else None


def failure(error: BaseException) -> Failed:
    """The message to the launcher: cause and remedy if they are known, and the exit status."""
    if isinstance(error, BenchError):
        return Failed(str(error), error.exit_status)
    text = f"{type(error).__name__}: {error}" if str(error).strip() else repr(error)
    cause = causes.known(text)
    status = cause.status if cause else 3 if isinstance(error, OSError) else 1
    return Failed(causes.explained(text, causes.first_words(text)), status)
