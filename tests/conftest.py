"""What every test has: a lock of its own on the cores, no waiting for the disk; and the FAKE sweep."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_sweep import fake as fake
from support.own_lock import lock_folder as lock_folder


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """No test pulls the plug: what is written need not wait until the disk has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The folder of a kind of tests that a run leaves out (``-m "not engine"``) is not read: torch takes seconds."""
    return True if f"not {collection_path.name}" in config.option.markexpr and collection_path.is_dir() else None
