"""A lock on the cores of the tests' own, so that a benchmark beside them refuses none; a conftest imports it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from resnet50_bench.machine import machine_lock


@pytest.fixture(scope="session", autouse=True)
def lock_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get(machine_lock.FOLDER)
    folder = tmp_path_factory.mktemp("lock")
    os.environ[machine_lock.FOLDER] = str(folder)
    yield
    if before is None:
        del os.environ[machine_lock.FOLDER]
    else:
        os.environ[machine_lock.FOLDER] = before
