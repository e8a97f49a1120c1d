"""FAKE results over days and a references file for them, and the gate that judges them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from resnet50_bench.cli.tree import main
from resnet50_bench.history.gate_words import ONE_RESTART
from support.results import put, synthetic

CASE = "inference_throughput_amx_int8"
LATENCY = {"mode": {"MODE": "latency"}, "name": "inference_latency_amx_int8"}
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
#: What a result of a single restart is said to show and not to show.
ALONE = f"; {ONE_RESTART}"


@pytest.fixture(autouse=True)
def yaml_is_here():
    pytest.importorskip("yaml")


def days(base: Path, *values: float, first: int = 0, kind: str = "rate", name: str = CASE, mode: dict | None = None,
         iteration: int = 1, **changes) -> Path:
    """A logs folder a day with a run of each value; returns the newest."""
    for day, value in enumerate(values, start=first):
        when = START + timedelta(days=day, minutes=iteration)
        path = put(base, synthetic(**{kind: value}, case=mode, started_at=when.isoformat(), **changes), name,
                   stamp=f"{START + timedelta(days=day):%Y%m%d-%H%M%S}", iteration=iteration)
    return path.parents[2]


def yaml(folder: Path, text: str) -> str:
    path = folder / "references.yaml"
    path.write_text(text)
    return str(path)


def one(folder: Path, value: float = 100.0, tolerance: str = "5 %", kpi: str = "throughput", cpu: str = "FAKE*",
        case: str = "*_amx_int8", more: str = "") -> str:
    return yaml(folder, f"systems:\n - cpu: '{cpu}'\n   cases:\n     '{case}':\n"
                        f"       {kpi}: {{value: {value}, tolerance: {tolerance}}}\n{more}")


@pytest.fixture
def gate(capsys):
    """(exit status, stdout, stderr) of the command."""
    def run(*words):
        status = main(["gate", *map(str, words)])
        return (status, *capsys.readouterr())
    return run
