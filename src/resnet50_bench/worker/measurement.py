"""A Spec, and the launcher's orders on a channel -> one case measured by the instances of this process, and reported.

The thread that runs this only talks: what computes does so in the threads of the instances.
"""

from __future__ import annotations

import os
import resource
import select
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress

from ..errors import BenchError
from ..machine import process_facts
from ..protocol.channel import Channel
from ..protocol.messages import Event, Failed, Go, Order, Report, Reported, Spec, Stage, Stop, Stopped, Warm
from ..result import causes
from .instance import Gates, Instance, InstanceThread, pin
from .job import Job, Kept, MakeJob
from .report import write_report

_USAGE = ("ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw", "ru_utime", "ru_stime")


class Measurement:
    """One case of this process."""

    def __init__(self, spec: Spec, channel: Channel[Order], kept: Kept, make_job: MakeJob) -> None:
        self._spec, self._channel, self._kept, self._make_job = spec, channel, kept, make_job
        self._orders = self._received()
        self._gates = Gates()
        self._job: Future[Job | None] = Future()
        self._usage: dict[str, float] = {}
        self._computing: dict[str, list[list[int]]] = {}
        self._threads: list[InstanceThread] = []
        for part in spec.instances:
            instance = Instance(part, spec, self._gates, self._say)
            first = not self._threads  # prepares for all of them, and reports for all at the end
            self._threads.append(InstanceThread(
                instance, self._gates, self._prepare if first else self._job.result, self._fail,
                self._report if first else None))

    def run(self) -> None:
        """Drive the instances by the launcher's orders; re-raise what failed in one."""
        pin(self._spec.cpus)
        for thread in self._threads:
            thread.start()
        self._pass_on(Warm)
        self._expect(Go)
        # Once for all instances, while they still warm up: none waits for it.
        before, spent = resource.getrusage(resource.RUSAGE_SELF), process_facts.thread_seconds()
        self._gates.open(Go)
        self._say_progress_until_told()
        self._pass_on(Stop)
        for thread in self._threads:
            thread.measured.result()
        after = resource.getrusage(resource.RUSAGE_SELF)
        now, masks = process_facts.thread_seconds(), process_facts.thread_masks()
        self._computing = {str(part.index): process_facts.computing_cpus(masks, spent, now, part.cpus)
                           for part in self._spec.instances}
        self._usage = {name: getattr(after, name) - getattr(before, name) for name in _USAGE}
        self._say(Stopped())
        self._pass_on(Report)
        for thread in self._threads:
            thread.ended.result()
            thread.join()  # its team of threads is gone with it
        self._say(Reported())

    def _pass_on(self, order: type[Order]) -> None:
        self._expect(order)
        self._gates.open(order)

    def _expect(self, order: type[Order]) -> None:
        said = next(self._orders)
        if not isinstance(said, order):
            raise RuntimeError(f"the launcher said {said} where {order.__name__} comes next")

    def _received(self) -> Iterator[Order]:
        while orders := self._channel.receive():
            yield from orders
        raise RuntimeError("the launcher is gone")

    def _say_progress_until_told(self) -> None:
        every_s = self._spec.progress_s
        while every_s and not select.select([self._channel], [], [], every_s)[0]:
            for thread in self._threads:
                if state := thread.instance.progress():
                    self._say(state)

    def _say(self, event: Event) -> None:
        self._channel.send(event)

    def _fail(self, error: BaseException) -> None:
        with suppress(BrokenPipeError):  # nobody may be there to hear it
            self._say(failure(error))

    def _prepare(self) -> Job | None:
        """In the first instance's thread; the others wait for it, and get None where there will be none."""
        job = None
        try:
            self._say(Stage("preparing the model"))
            if self._spec.customer_env:
                seen = " ".join(f"{name}={os.environ.get(name, '')}" for name in self._spec.customer_env)
                self._say(Stage(f"CUSTOMER_ENV as seen inside: {seen}"))
            job = self._make_job(self._spec, lambda text: self._say(Stage(text)), self._kept)
            return job
        finally:
            self._job.set_result(job)

    def _report(self, job: Job) -> None:
        """In the first instance's thread, once all have measured."""
        write_report(self._spec, job, [thread.measured.result() for thread in self._threads], self._usage,
                     self._computing)


def failure(error: BaseException) -> Failed:
    """What the launcher is told: cause and remedy where they are known, and the exit status that this deserves."""
    if isinstance(error, BenchError):
        return Failed(str(error), error.exit_status)
    text = f"{type(error).__name__}: {error}" if str(error).strip() else repr(error)
    cause = causes.known(text)
    status = cause.status if cause else 3 if isinstance(error, OSError) else 1
    return Failed(causes.explained(text, causes.first_words(text)), status)
