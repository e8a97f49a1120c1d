"""What every test has: a lock of its own on the cores, no waiting for the disk; and the FAKE sweep."""

import os
from collections.abc import Iterator

import pytest

from support.fake_sweep import fake as fake
from support.own_lock import lock_folder as lock_folder


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """No test pulls the plug: what is written need not wait until the disk has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
