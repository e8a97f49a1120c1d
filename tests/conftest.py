"""What every test has: a lock of its own on the cores, no waiting for the disk; and the FAKE sweep.

``--dist loadgroup`` (scripts/test.sh) shares tests out by file; those with containers are one group, for images and
engine are one.
"""

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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which tests stay together in one process."""
    folder = item.path.parent.name
    item.add_marker(pytest.mark.xdist_group(folder if folder == "container" else item.path.stem))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The folder of a kind of tests that a run leaves out (``-m "not engine"``) is not read: torch takes seconds."""
    return True if f"not {collection_path.name}" in config.option.markexpr and collection_path.is_dir() else None
