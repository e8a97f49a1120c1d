"""FAKE results over time, and of a comparison A against B, for the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from support.results import put, synthetic

CASE = "inference_throughput_avx2_fp32"
SYSTEM = {"node": "fake-host", "cpu": "FAKE Xeon", "cpu_family": 6, "cpu_model": 143}
#: Throughput by day; after the ninth something made it slower, after the thirteenth it was mended.
RATES = (100, 101, 99.5, 100.4, 99.8, 100.1, 100.6, 99.9, 100.2, 92, 91.7, 92.3, 91.9, 100.3, 100)


def days(folder: Path, rates: Sequence[float] = RATES, first: int = 1, **changes) -> int:
    """A logs folder a day, a commit every second day; returns how many."""
    for day, rate in enumerate(rates, start=first):
        software = {"torch": "2.8.0", "python": "3.11", "git_commit": f"{day // 2 + 10:x}" * 20, "git_changed": False}
        put(folder, synthetic(rate=rate, started_at=f"2025-12-{day:02d}T10:00:00+00:00", **{
            "case": {"PRECISION": "avx2_fp32"}, "software": software, "system": SYSTEM} | changes), CASE,
            stamp=f"202512{day:02d}-100000")
    return len(rates)


def versus(folder: Path, rounds: int = 3) -> int:
    """``folder``/malloc as ``versus`` leaves it; returns how many results it holds."""
    there = folder / "malloc"
    turns = {name: [rate + 0.3 * number for number in range(rounds)] for name, rate in (("A", 100.0), ("B", 104.0))}
    for name, rates in turns.items():
        for number, rate in enumerate(rates, start=1):
            place = there / name / f"round-{number:03}"
            place.mkdir(parents=True)
            synthetic(rate=rate, system=SYSTEM, case={"PRECISION": "avx2_int8"},
                      started_at=f"2025-12-20T10:0{number}:00+00:00").write(place / "benchmark_fake.json")
    pair = {"a": "A", "b": "B", "ratio": 1.04, "low": 1.035, "high": 1.045, "verdict": "faster",
            "text": "B is faster than A by 4.0 % (95 % interval 3.5 to 4.5 %)"}
    (there / "versus.json").write_text("{}")
    sides = {name: {"what": what, "label": name, "estimate": rate, "rounds": rounds, "out_after": None}
             for name, what, rate in (("A", "MALLOC=system", 100.0), ("B", "MALLOC=jemalloc", 104.0))}
    (there / "outcome.json").write_text(json.dumps({
        "schema": "resnet50-bench-versus-outcome", "schema_version": 2, "mode": "throughput", "unit": "samples/sec",
        "higher_is_better": True, "ended": "decided", "seed": 1, "wall_s": 60, "question": "baseline", "leader": None,
        "sentence": pair["text"], "sides": sides, "pairs": [pair]}))
    return 2 * rounds
