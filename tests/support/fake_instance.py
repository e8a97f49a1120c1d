"""A FAKE engine for the product's own workers: a step sleeps FAKE_STEP_MS for each image, or takes no time.

``interpreter`` makes what RESNET50_BENCH_PYTHON may name: it hosts FAKE instances, and is Python for everything else:
LoadGen and the launcher are real.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

WORKER = "resnet50_bench.worker.main"


def interpreter(path: Path, python: str = sys.executable) -> Path:
    """A program at ``path``."""
    fake = Path(__file__).resolve()
    path.write_text(f"#!/bin/sh\ncase \" $* \" in *' {WORKER} '*) shift 2; exec '{python}' '{fake}' \"$@\" ;; esac\n"
                    f"exec '{python}' \"$@\"\n")
    path.chmod(0o755)
    return path


def make_job(spec, say, kept):
    """Batches are ranges of numbers."""
    from resnet50_bench.result.processes import Agreement, Answers, Convolution, FeedRecord
    from resnet50_bench.worker.evidence import Evidence
    from resnet50_bench.worker.job import Job, PreparedModel
    from resnet50_bench.worker.serving import QueryFeed
    from resnet50_bench.worker.stepper import Feed

    class Pool(Feed):
        """The same images again and again."""

        example = range(spec.batch_size)

        def batches(self):
            return itertools.repeat((self.example, None))

        def record(self):
            return FeedRecord()

    step_s = float(os.environ.get("FAKE_STEP_MS", "0")) / 1e3
    feeds = {part.index: QueryFeed(Pool(), spec.pipes) if spec.pipes else Pool() for part in spec.instances}
    convolution = Convolution("FAKE:avx2", "f32", "mb1_ic3oc64_ih2oh2kh1_iw2ow2kw1", 1.0)
    peak = {"operations_per_s": 1e12}
    say("FAKE instances: nothing is computed")
    return Job(PreparedModel((lambda images: time.sleep(step_s * len(images))) if step_s else len, "unused"), feeds,
               Evidence((convolution,) * 53), 1e-4 + step_s, Agreement(), 0.0, lambda: 0.0, lambda part: lambda: peak,
               lambda enabled: nullcontext(), lambda: len(os.sched_getaffinity(0)), lambda output: Answers(1, 0))


if __name__ == "__main__":
    from resnet50_bench.worker import main

    main.make_job = make_job
    main._end(main.main(sys.argv[1:]))
