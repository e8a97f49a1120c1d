"""Python imports this at its start: each step of a worker with SLOWER_STEP_NS lasts so many nanoseconds longer.

For ``equal_and_slower.py`` alone, which puts this folder into PYTHONPATH.
"""

import os
import time

_WAIT_NS = int(os.environ.get("SLOWER_STEP_NS", "0"))

if _WAIT_NS:
    from resnet50_bench.worker.stepper import Stepper

    _init = Stepper.__init__

    def _slower(self, model, *rest, **more):
        def step(batch):
            output = model(batch)
            end = time.monotonic_ns() + _WAIT_NS
            while time.monotonic_ns() < end:  # a sleep would end some 60 microseconds late
                pass
            return output

        _init(self, step, *rest, **more)

    Stepper.__init__ = _slower
