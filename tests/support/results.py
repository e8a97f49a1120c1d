"""The folders in which a case leaves its result."""

from __future__ import annotations

from pathlib import Path

from resnet50_bench.result.result import Result
from support.documents import synthetic as synthetic


def put(base: Path, made: Result, case: str = "inference_throughput_amx_int8", stamp: str = "20260101-000000",
        iteration: int = 1, worker: int = 0) -> Path:
    """Write the result where a case would."""
    folder = base / f"{stamp}-logs-resnet50_pytorch_xeon_public_{case}/itr-{iteration}/worker-{worker}-c0"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"benchmark_fake_{stamp}.json"
    made.write(path)
    return path
