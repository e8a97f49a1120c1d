"""Debian's packages for tests, installed by one process at a time: apt-get does not wait for another one's lists."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def missing(what: str, *packages: str) -> str | None:
    """Why ``packages`` cannot be installed; None where they are now. ``what`` is what the tests want them for."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"{what} is not installed, and apt-get cannot install it here"
    with alone("apt"):
        for words in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
            done = subprocess.run(["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    return None if done.returncode == 0 else f"apt-get cannot install {what}: {done.stderr.strip()[-200:]}"


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Nothing else of these tests does ``what`` meanwhile, in whatever process."""
    with Path(tempfile.gettempdir(), f"resnet50-bench-tests-{what}-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
