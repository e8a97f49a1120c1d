"""A sweep's folder -> the runs of its points that are there already, as scores; and the folder of the next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..case.case import Case
from ..case.parameters import CATALOGUE
from ..errors import BadInput
from ..result.result import FRESH, WORKERS, Result, read
from .search import Score

#: MODE -> (unit, sign that makes greater better, path of the value in ``statistics``)
KPI: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "throughput": ("samples/sec", 1, ("throughput_images_per_s",)),
    "latency": ("ms", -1, ("latency_ms", "mean")),
}

#: All parameters of a case: equal keys are runs of one point.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One measured run. ``images_per_s`` is the throughput of all ``instances``."""

    score: Score
    verdict: str
    images_per_s: float
    instances: int


def key_of(case: Case) -> Key:
    """By every parameter."""
    return tuple(case.texts().values())


def runs(folder: Path, cpu: object) -> dict[Key, list[Run]]:
    """Every run below ``folder`` that passed, in the order of time. Raises BadInput for results of another CPU."""
    known: dict[Key, list[Run]] = {}
    results = [read(path) for path in folder.glob("*/benchmark_*.json")]
    for result in sorted(results, key=lambda result: result.started_at):
        if result.failure is not None:
            continue
        if result.system.get("cpu") != cpu:
            raise BadInput(f"{folder} holds points of another CPU ({result.system.get('cpu')}); this is {cpu}: sweep "
                           "in a new folder")
        known.setdefault(tuple(str(result.case.get(name, "")) for name in CATALOGUE), []).append(run_of(result))
    return known


def run_of(result: Result) -> Run:
    """What counts of a result that passed; a latency's interval is relatively as wide as its throughput's."""
    _, sign, path = KPI[str(result.case["MODE"])]
    statistics: Mapping[str, Any] = result.statistics
    value: Any = statistics
    for name in path:
        value = value[name]
    rate = statistics["throughput_images_per_s"]
    low, high = statistics.get("throughput_ci95", (rate, rate))
    half = value * (high - low) / 2 / rate
    score = Score(sign * value, sign * value - half, sign * value + half, result.placement.get(WORKERS) == FRESH)
    return Run(score, result.verdict, rate, len(result.runs()))


def marked(path: Path, workers: str) -> Run:
    """The run of a result, once that says by which ``workers`` it is: a restart must be told from what is none."""
    result = read(path)
    result.placement[WORKERS] = workers
    result.write(path)
    return run_of(result)


def new_folder(sweep: Path, case: Case) -> Path:
    """``<precision>_b<batch size>_c<cores>``, with a number behind it for a further run; made."""
    name = f"{case.precision}_b{case.batch_size}_c{case.cores_per_instance}"
    number = 1
    while True:
        folder = sweep / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
