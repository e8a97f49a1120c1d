"""A FAKE folder of results for the report: a sweep on two sockets, with noise, failures and hostile text."""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from resnet50_bench.result import measurement
from resnet50_bench.result.processes import Run
from resnet50_bench.result.records import Check
from resnet50_bench.result.result import Result
from support import documents
from support.results import put

HOSTILE = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>&lt;'
CORES = [{"socket": s, "node": 2 * s + n, "core_id": c, "cpus": [28 * (2 * s + n) + c, 112 + 28 * (2 * s + n) + c]}
         for s in (0, 1) for n in (0, 1) for c in range(28)]
NOISE = {"name": "steal time", "reading": "4.28 %", "verdict": "noisy",
         "message": "steal time: the hypervisor ran a neighbour on these cpus",
         "remedy": "move the guest to dedicated cores, or repeat when the host is quiet"}
CHECKS = [{"name": name, "reading": "0.1 %", "verdict": "ok", "message": "", "remedy": ""}
          for name in ("overlap", "outliers", "drift", "other load", "waiting for a core", "page faults", "swapping")]
CHECKS.append({"name": "frequency", "reading": "not readable", "verdict": "unknown",
               "message": "this machine does not show it", "remedy": ""})


def _run(index: int, cpus: tuple[int, ...], step_ms: float, steps: int, dice: random.Random) -> Run:
    """Steps with a long tail, as a shared machine has them."""
    now, starts, ends = dice.random() * 1e6, [], []
    for _ in range(steps):
        took = step_ms * dice.gauss(1, 0.015) + (dice.expovariate(0.3 / step_ms) if dice.random() < 0.04 else 0)
        starts.append(int(now))
        now += max(took, 0.1) * 1e6
        ends.append(int(now))
    return documents.run(index, cpus=cpus, observed_cpus=cpus, starts_ns=tuple(starts), ends_ns=tuple(ends))


def sweep_result(precision: str, batch: int, cores: int, rate: float, dice: random.Random, steps: int = 60,
                 mode: str = "throughput", **changes: Any) -> Result:
    """``rate`` in images/s and core."""
    groups = [tuple(range(first, first + cores)) for first in range(0, 112, cores)]
    runs = [_run(i, cpus, 1000 * batch / (rate * cores * (0.9 if i == 1 else 1)), steps, dice)
            for i, cpus in enumerate(groups)]
    placed = [{"instance": i, "cpus": list(cpus), "sockets": [cpus[0] // 56], "nodes": [cpus[0] // 28],
               "memory_node": cpus[0] // 28} for i, cpus in enumerate(groups)]
    return documents.result(*runs, **{
        "case": {"FUNCTION": "inference", "MODE": mode, "PRECISION": precision, "BATCH_SIZE": str(batch),
                 "CORES_PER_INSTANCE": str(cores), "TORCH_TYPE": "IPEX", "CUSTOMER_ENV": "", "origins": {},
                 "notices": []},
        "system": {"node": "fake-host", "cpu": "FAKE Xeon Platinum 8480+", "cpu_family": 6, "cpu_model": 143,
                   "cpu_stepping": 8, "microcode": "0x2b0", "memory_bytes": 2**38, "kernel": "6.1.0", "os": "Debian 12",
                   "virtual_machine": False, "mitigations": {"spectre_v2": "Mitigation: Enhanced IBRS"}},
        "software": {"torch": "2.8.0", "intel-extension-for-pytorch": "2.8.0", "torchvision": "0.23.0",
                     "python": "3.11"},
        "topology": {"cores": CORES, "core_count": 112}, "counters": {},
        "placement": {"processes": [{"process": i, "instances": [each]} for i, each in enumerate(placed)]},
        "processes": [documents.process(run, {}) for run in runs],
        "statistics": measurement.statistics(runs, batch), "limits": {"compute_utilization": min(1.0, rate / 90)},
        "checks": CHECKS} | changes)


PEAKS = {"amx_int8": 60.0, "amx_bfloat16": 34.0, "avx_fp32": 6.0}


def fill(folder: Path, precisions: Collection[str] = tuple(PEAKS), seed: int = 1) -> int:
    """Write the FAKE results below ``folder``, a sweep of each of ``precisions``; returns how many."""
    dice = random.Random(seed)
    count = 0

    def add(made: Result, case: str) -> None:
        nonlocal count
        count += 1
        made.started_at = f"2026-01-01T{count // 60:02d}:{count % 60:02d}:00+00:00"
        put(folder, made, case, stamp=f"20260101-{count:06d}")

    for precision in precisions:
        for batch in (1, 4, 16, 64, 128):
            for cores in (14, 28, 56):
                rate = PEAKS[precision] * batch / (batch + 3) * (1.1 - cores / 300) * (0.9 if batch == 128 else 1)
                made = sweep_result(precision, batch, cores, rate, dice, steps=30 if cores == 14 else 60)
                if batch == 16 and cores == 28:
                    made.verdict, made.checks = "noisy", msgspec.convert([NOISE, *CHECKS], list[Check])
                    made.reasons = ["steal time: the hypervisor ran a neighbour on these cpus (4.28 %)"]
                add(made, f"inference_throughput_{precision}")
    add(sweep_result("amx_int8", 1, 4, 50.0, dice, mode="latency"), "inference_latency_amx_int8")
    add(sweep_result("avx_int8", 1, 4, 9.0, dice, failure="instance 3 (pid 4711) was killed by SIGKILL",
                     verdict="invalid"), "inference_throughput_avx_int8")
    invalid = {"name": "overlap", "reading": "41 %", "verdict": "invalid", "remedy": "raise MIN_DURATION",
               "message": "the instances measured together for less than half of the time"}
    add(sweep_result("avx_int8", 1, 4, 9.0, dice, verdict="invalid", checks=[invalid, *CHECKS],
                     reasons=["overlap: the instances measured together for less than half of the time (41 %)"]),
        "inference_throughput_avx_int8")
    hostile = sweep_result("avx_int8", 8, 28, 9.0, dice)
    hostile.case["CUSTOMER_ENV"] = f"A={HOSTILE}"
    hostile.system.kernel = HOSTILE
    hostile.system.cpu = f"FAKE {HOSTILE}"
    hostile.checks = msgspec.convert([{**NOISE, "reading": HOSTILE, "remedy": HOSTILE}], list[Check])
    hostile.verdict = "noisy"
    add(hostile, "inference_throughput_avx_int8")
    return count
