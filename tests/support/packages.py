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

#: ``support.stages`` ends each process that has this variable, but nothing that a package starts.
MARK = "TEST_STAGES"


def missing(what: str, *packages: str) -> str | None:
    """Why ``packages`` cannot be installed; None where they are now. ``what`` is what the tests want them for."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"{what} is not installed, and apt-get cannot install it here"
    environment = {name: text for name, text in os.environ.items() if name != MARK}
    with alone("apt"), tempfile.TemporaryFile("w+") as errors:
        for words in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
            apt = subprocess.Popen(["apt-get", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=errors, start_new_session=True,
                                   env=environment | {"DEBIAN_FRONTEND": "noninteractive"})
            try:
                apt.wait()
            finally:
                apt.wait()  # a signal waits for it, or the package would stay half installed
        errors.seek(0)
        return None if apt.returncode == 0 else f"apt-get cannot install {what}: {errors.read().strip()[-200:]}"


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Nothing else of these tests does ``what`` meanwhile, in whatever process."""
    with Path(tempfile.gettempdir(), f"resnet50-bench-tests-{what}-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
