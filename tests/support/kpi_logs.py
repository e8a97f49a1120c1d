"""FAKE logs of the runner, the folders in which they lie, and kpi.sh on them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

KPI = Path(__file__).parents[2] / "kpi.sh"


def log(rates=(10.0, 30.0), mode="throughput", **changes: str | None) -> str:
    """A log of our runner; ``changes`` replace a line by its key, None drops it."""
    lines = {"MODE": mode, "CASE_TYPE": "", "PRECISION": "amx_int8", "BATCH_SIZE": "4",
             "CUSTOMER_ENV": "A=1 B=x:y", "INSTANCE_NUMBER": str(len(rates)), "Torch_Version": "2.8.0",
             "LOG_FORMAT": "1", "Evaluating RESNET": "total Steps: 100", "Complete...": "",
             **{f"Throughput#{i}": f"{rate} fps" for i, rate in enumerate(rates)},
             "Total_Throughput": f"{sum(rates)} fps", "Latency_Mean": "12.5 ms", "Latency_P99": "20 ms",
             "Throughput_CI95": "39 41 fps", "Window_Overlap": "99.9 %", "VERDICT": "valid", "RESULT": "passed"}
    lines |= changes
    return "".join("Complete...\n" if key == "Complete..." else f"{key.partition('#')[0]}: {text}\n"
                   for key, text in lines.items() if text is not None)


def put(folder: Path, text: str, worker="worker-0-c0", date="20260101-000000", status: str | None = "0") -> None:
    (folder / worker).mkdir(parents=True, exist_ok=True)
    (folder / worker / f"benchmark_throughput_resnet50_amx-int8_inference_dummy_{date}.log").write_text(text)
    if status is not None:
        (folder / worker / "status").write_text(status + "\n")


def kpi(folder: Path, *words: str, shell=("sh",), script=KPI, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([*shell, script, *words], cwd=folder, capture_output=True, text=True, check=False,
                          env=os.environ | environment)
