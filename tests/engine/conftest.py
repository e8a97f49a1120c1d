"""What the tests with real torch share: this CPU, and why they skip."""

from __future__ import annotations

from pathlib import Path

import pytest

from own_lock import lock_folder as lock_folder
from resnet50_bench.case import platforms
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.errors import BenchError
from resnet50_bench.machine.cpu import read_cpu
from resnet50_bench.stack.environment import worker_python

ROOT = Path(__file__).parents[2]
CPU = read_cpu()
MINE = platforms.PLATFORMS[platforms.detect(CPU.vendor, CPU.family, CPU.model, CPU.flags)[0]].precisions


def require_precision(name: str) -> None:
    """Skip, with the missing flags, where this CPU cannot run the precision."""
    missing = PRECISIONS[name].missing_flags(CPU.flags)
    if missing:
        pytest.skip(f"{name} needs {' '.join(missing)}, which this CPU lacks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder, and skip it where torch is not set up."""
    try:
        worker_python()
        why = None
    except BenchError as error:
        why = str(error)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))
