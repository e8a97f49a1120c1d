"""What every test has: a lock of its own on the cores, no waiting for the disk, no deadline; and the FAKE sweep."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.fake_sweep import fake as fake
from support.own_lock import lock_folder as lock_folder

# The first integer that hypothesis draws makes it parse all loaded modules of ours: 0.6 s, under load more than the 1 s
# that its health check allows. Without a deadline per example it allows 30 s.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """No test pulls the plug: what is written need not wait until the disk has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The folder of a kind of tests that a run leaves out (``-m "not engine"``) is not read: torch takes seconds."""
    return True if f"not {collection_path.name}" in config.option.markexpr and collection_path.is_dir() else None
