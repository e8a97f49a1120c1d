"""Marks the tests with real torch, and skips them where it is not set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet50_bench.errors import BenchError
from support.stack import chosen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a case's first worker leaves its files."""
    (tmp_path / "worker-0-c0").mkdir()
    return tmp_path / "worker-0-c0"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder of its own; the checkout's is not touched."""
    return tmp_path / "build"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder, and skip it where torch is not set up."""
    try:
        chosen().worker_python()
        why = None
    except BenchError as error:
        why = str(error)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))
