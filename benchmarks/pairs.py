"""Points and two sides -> the sides by turns, a line for each round, and each point's ratio; benchmarks import it."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from resnet50_bench.case.precision import PRECISIONS  # noqa: E402
from resnet50_bench.machine.cpu import read_cpu  # noqa: E402


def runnable(points: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Of PRECISION:BATCH_SIZE:CORES each that this CPU can run, and its three words; others are named."""
    flags = read_cpu().flags
    for point in points:
        words = point.split(":")
        missing = PRECISIONS[words[0]].missing_flags(flags)
        if missing:
            print(f"{point}: not measured, this CPU lacks {' '.join(missing)}")
        else:
            yield point, words


def compare(point: str, rounds: int, ours: Callable[[], float], theirs: Callable[[], float], name: str) -> None:
    """A B A B, in images/s; ``name`` is the other side's."""
    pairs = []
    for number in range(rounds):
        pair = (ours(), theirs())
        print(f"{point} round {number + 1}/{rounds}: ours {pair[0]:.2f}, {name} {pair[1]:.2f} images/s", flush=True)
        pairs.append(pair)
    ratios = sorted(a / b for a, b in pairs)
    print(f"{point}: ours {statistics.median(a for a, _ in pairs):.2f}, {name} "
          f"{statistics.median(b for _, b in pairs):.2f} images/s, ratio median "
          f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})", flush=True)


def words(about: str) -> argparse.ArgumentParser:
    """The options that each such benchmark has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", nargs="+", required=True)
    return parser
