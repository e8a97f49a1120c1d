#!/usr/bin/env python3
"""How start-up grows with the number of processes that take one cached model: stand-ins, before and after.

    python3 benchmarks/startup.py --before OTHER_CHECKOUT/src [--processes 112] [--rounds 3]

Each stand-in is a process that takes a 100 MB entry from the cache, as a worker does; its load is FAKE: it reads the
file and then waits as long as a load takes on a core of its own (--load-s), which this machine may not have. The
processes are forked and released together, so that the interpreter's start is not measured. Prints seconds from the
release until the last has its model, each round's, for 1 and for all processes, the sources taking turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

SIZE = 100_000_000


def load(path: Path, seconds: float) -> int:
    """FAKE: what a load would take."""
    time.sleep(seconds)
    return path.stat().st_size


def take(source: str, folder: Path, load_s: float, together: multiprocessing.Barrier,
         done: multiprocessing.Queue) -> None:
    """One stand-in."""
    sys.path.insert(0, source)
    from resnet50_bench.worker.model_cache import cached

    together.wait()
    _, how = cached(folder, "entry", suffix=".pt", build=lambda: os.urandom(SIZE),
                    save=lambda data, path: path.write_bytes(data), load=lambda path: load(path, load_s))
    done.put((time.monotonic(), how))


def wall_s(source: str, folder: Path, processes: int, load_s: float) -> float:
    """Seconds until the last of them has its model. All of them must find it there."""
    context = multiprocessing.get_context("fork")
    together, done = context.Barrier(processes + 1), context.Queue()
    workers = [context.Process(target=take, args=(source, folder, load_s, together, done)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    together.wait()
    began = time.monotonic()
    found = [done.get() for _ in workers]
    for worker in workers:
        worker.join()
    if any(how != "hit" for _, how in found):
        raise SystemExit(f"not every process found the model: {sorted({how for _, how in found})}")
    return max(ended for ended, _ in found) - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="the src folder of the other version")
    parser.add_argument("--processes", type=int, default=112)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load-s", type=float, default=0.1)
    given = parser.parse_args()
    sources = {"before": given.before, "after": str(Path(__file__).parents[1] / "src")}
    with tempfile.TemporaryDirectory() as temporary:
        taken: dict[tuple[str, int], list[float]] = {}
        for name, source in sources.items():  # build, each with its own note
            context = multiprocessing.get_context("fork")
            builder = context.Process(target=take, args=(source, Path(temporary) / name, 0.0, context.Barrier(1),
                                                         context.SimpleQueue()))
            builder.start()
            builder.join()
        for _ in range(given.rounds):
            for name, source in sources.items():
                for count in (1, given.processes):
                    taken.setdefault((name, count), []).append(wall_s(source, Path(temporary) / name, count,
                                                                      given.load_s))
    for (name, count), seconds in taken.items():
        print(f"{name:6} {count:4} processes: median {statistics.median(seconds):7.2f} s "
              f"({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
