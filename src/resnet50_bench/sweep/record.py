"""A sweep's folder -> what it was started with, the runs of its points as scores, and the folder of the next run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..case.case import Case
from ..case.parameters import CATALOGUE
from ..errors import BadInput, Infrastructure
from ..files import write_json
from ..result.kpi import primary
from ..result.result import FRESH, Result, read
from .search import Score

#: What the sweep was started with: with it, its folder is all that is needed to go on.
GIVEN = "sweep.json"
#: All parameters of a case: equal keys are runs of one point.
Key = tuple[str, ...]


@dataclass(frozen=True)
class PointRun:
    """One measured run. ``images_per_s`` is the throughput of all ``instances``."""

    score: Score
    verdict: str
    images_per_s: float
    instances: int


def given(folder: Path) -> dict[str, str]:
    """What the sweep in the folder was started with, nothing for a new one. Raises BadInput."""
    path = folder / GIVEN
    try:
        return {str(name): str(text) for name, text in json.loads(path.read_text()).items()} if path.exists() else {}
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def keep(folder: Path, texts: Mapping[str, str]) -> None:
    """Make the folder, and keep what the sweep was started with. Raises Infrastructure."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"the sweep's folder {folder} cannot be made: {error.strerror}") from error
    write_json(folder / GIVEN, texts)


def key_of(case: Case) -> Key:
    """By every parameter."""
    return tuple(case.texts().values())


def runs(folder: Path, cpu: str) -> dict[Key, list[PointRun]]:
    """Every run below ``folder`` that passed, in the order of time. Raises BadInput for results of another CPU."""
    known: dict[Key, list[PointRun]] = {}
    results = [read(path) for path in folder.glob("*/benchmark_*.json")]
    for result in sorted(results, key=lambda result: result.started_at):
        if result.failure is not None:
            continue
        if result.system.cpu != cpu:
            raise BadInput(f"{folder} contains points of another CPU ({result.system.cpu}); this is {cpu}: sweep "
                           "in a new folder")
        known.setdefault(tuple(map(result.parameter, CATALOGUE)), []).append(run_of(result))
    return known


def run_of(result: Result) -> PointRun:
    """What counts of a result that passed; a latency's interval is relatively as wide as its throughput's."""
    kpi, value = primary(result)
    rate = result.statistics.throughput_images_per_s or 0.0
    low, high = result.statistics.throughput_ci95 or (rate, rate)
    half = value * (high - low) / 2 / rate if rate else 0.0
    score = Score(kpi.sign * value, kpi.sign * value - half, kpi.sign * value + half,
                  result.placement.workers == FRESH)
    return PointRun(score, result.verdict, rate, len(result.runs()))


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
