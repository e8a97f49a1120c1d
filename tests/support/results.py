"""FAKE results whose KPIs are what a test says, and the folders in which a case leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from resnet50_bench.result.result import Result

CASE = {"FUNCTION": "inference", "MODE": "throughput", "PRECISION": "amx_int8", "BATCH_SIZE": "4", "TORCH_TYPE": "IPEX",
        "CUSTOMER_ENV": "A=1 B=x|y"}


def synthetic(rate: float = 100.0, latency_ms: float = 40.0, case: dict[str, Any] | None = None,
              statistics: dict[str, Any] | None = None, **changes: Any) -> Result:
    """A FAKE result whose KPIs are what the test says; ``changes`` as they stand in the file."""
    return msgspec.convert({
        "case": CASE | (case or {}) | {"origins": {}, "notices": []}, "started_at": "2026-01-01T00:00:00+00:00",
        "system": {"cpu": "FAKE Xeon", "cpu_family": 6, "cpu_model": 143, "cpu_stepping": 8, "firmware": {"bios": "1"}},
        "software": {"torch": "2.8.0", "python": "3.11"}, "topology": {"core_count": 2},
        "placement": {"processes": [{"process": 0, "instances": [{"instance": 0, "cpus": [0, 1]}]}]},
        "statistics": {"throughput_images_per_s": rate, "window": {"overlap": 0.99, "duration_s": 10.0},
                       "latency_ms": {"count": 100, "mean": latency_ms, "median": 39.0, "stdev": 1.0, "cv": 0.025,
                                      "min": 1.0, "max": 99.0, "percentiles": {"50": 39.0}},
                       "instances": [{"instance": 0, "throughput_images_per_s": rate}]} | (statistics or {}),
        "limits": {"compute_utilization": 0.5}, "verdict": "valid"} | changes, Result)


def put(base: Path, made: Result, case: str = "inference_throughput_amx_int8", stamp: str = "20260101-000000",
        iteration: int = 1, worker: int = 0) -> Path:
    """Write the result where a case would."""
    folder = base / f"{stamp}-logs-resnet50_pytorch_xeon_public_{case}/itr-{iteration}/worker-{worker}-c0"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"benchmark_fake_{stamp}.json"
    made.write(path)
    return path
