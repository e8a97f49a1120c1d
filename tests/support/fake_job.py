"""A FAKE engine, whose steps take as long as a test says by a FAKE clock, and a FAKE launcher at the channel's end."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec

from resnet50_bench.protocol.messages import Channel, Data, Event, Failed, Group, Order, Part, Spec
from resnet50_bench.result.processes import Agreement, Answers, Convolution, FeedRecord
from resnet50_bench.worker.evidence import Evidence
from resnet50_bench.worker.job import Job, Peaks, PreparedModel, Say
from resnet50_bench.worker.main import work
from resnet50_bench.worker.stepper import Feed, Shown

CPU = min(os.sched_getaffinity(0))
STEP_S = 0.1
#: In a test that breaks, an instance that nobody stops must not go on for ever.
MOST_STEPS = 20_000


class Clock(threading.local):
    """FAKE, one a thread: stands still but where a step moves it."""

    now_ns = 0

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def monotonic_ns(self) -> int:
        return self.now_ns


class FakeFeed(Feed):
    """Numbers as batches, letters as labels."""

    example = -1

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = []
        self.closed = False

    def batches(self) -> Iterator[tuple[int, str]]:
        return ((number, f"label {number}") for number in itertools.count())

    def after(self, output: int, labels: str) -> None:
        self.answers.append((output, labels))

    def close(self) -> None:
        self.closed = True

    def shown(self) -> Shown:
        return Shown(counted=8, right=6)

    def record(self) -> FeedRecord:
        return FeedRecord(decoded=len(self.answers))


class FakeEngine:
    """Makes jobs. ``steps`` counts calls of the step by instance, ``peaks`` measurements of the peak."""

    def __init__(self, clock: Clock, fails: BaseException | None = None,
                 step_fails: Callable[[int], bool] = lambda number: False, not_finite: bool = False) -> None:
        self._clock, self._fails, self._step_fails, self.not_finite = clock, fails, step_fails, not_finite
        self.steps: Counter[str] = Counter()
        self.peaks: Counter[int] = Counter()
        self.feeds: dict[int, FakeFeed] = {}

    def make_job(self, spec: Spec, say: Say, peaks: Peaks) -> Job:
        if self._fails:
            raise self._fails
        say("model ready")
        self.feeds = {part.index: FakeFeed() for part in spec.instances}
        evidence = Evidence((Convolution("brg:avx2", "f32", "mb1", 0.5),))
        return Job(PreparedModel(self._step, "hit"), self.feeds, evidence, 0.25, Agreement(), 1.5, lambda: 0.125,
                   None if peaks else self._get_peak_ready, lambda enabled: nullcontext(), lambda: 1,
                   self._look_at)

    def _step(self, batch: int) -> int:
        if batch >= 0 and self._step_fails(batch):
            raise ValueError(f"step {batch} is broken")
        name = threading.current_thread().name
        self.steps[name] += 1
        if self.steps[name] > MOST_STEPS:
            raise RuntimeError("nobody stops this instance")
        time.sleep(0.0002)  # leave the processor to the other threads
        self._clock.now_ns += int(STEP_S * 1e9)
        return batch * 10

    def _get_peak_ready(self, part: Part) -> Callable[[], dict[str, float]]:
        def look() -> dict[str, float]:
            self.peaks[part.index] += 1
            return {"operations_per_s": 1e9 + part.index}
        return look

    def _look_at(self, output: int | None) -> Answers:
        """Three answers, one of which is no number where a test says so."""
        return Answers(3, int(self.not_finite))


def spec(folder: Path, instances: int = 1, **changes: object) -> Spec:
    """What a worker is told."""
    parts = tuple(Part(index, (CPU,), memory_node=None, memory_nodes=()) for index in range(instances))
    made = Spec(process=0, cpus=(CPU,), instances=parts, precision="avx2_fp32", torch_type="EAGER", batch_size=1,
                steps=3, warmup_steps=2, min_duration_s=0.0, accuracy=False, training=False, data=Data(),
                group=Group(0, 1, ""), cache_dir=str(folder), report=str(folder / "report.json"),
                log=str(folder / "log"), memory_nodes=1)
    return msgspec.structs.replace(made, **changes)


class FakeLauncher:
    """Lets a worker with the engine run in a thread, tells it orders and hears its events."""

    def __init__(self, folder: Path, engine: FakeEngine, first: Spec) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        self._folder, self._channel, self._unread = folder, Channel(ours, Event), iter(())
        self.raised: BaseException | None = None
        path = self.write(first)

        def run() -> None:
            channel = Channel(theirs, Order)
            try:
                work(path, channel, engine.make_job)
            except BaseException as error:
                self.raised = error
            finally:
                channel.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def write(self, given: Spec) -> Path:
        """The spec's file."""
        path = self._folder / "spec.json"
        path.write_bytes(msgspec.json.encode(given))
        return path

    def tell(self, order: Order) -> None:
        self._channel.send(order)

    def hear(self, kind: type[Event], count: int = 1) -> list[Event]:
        """Everything up to the ``count``-th event of the kind, or a Failed."""
        heard: list[Event] = []
        while sum(isinstance(event, kind) for event in heard) < count:
            event = next(self._unread, None)
            if event is None:
                received = self._channel.receive()
                assert received, f"the worker has ended after {heard}"
                self._unread = iter(received)
                continue
            heard.append(event)
            if isinstance(event, Failed) and kind is not Failed:
                raise AssertionError(event)
        return heard

    def end(self) -> BaseException | None:
        """Close the channel; what the worker raised."""
        self._channel.close()
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.raised

    def report(self) -> dict:
        return json.loads((self._folder / "report.json").read_text())
