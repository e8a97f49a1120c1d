"""Debian packages by apt-get, where that needs no questions. Only the set-up comes here."""

from __future__ import annotations

import os
import shutil
import subprocess

from . import say


def can_install() -> bool:
    """Whether this user may install packages: root, with apt-get there."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str]) -> None:
    """Install them; a failure is said, and what it costs is for the caller to say."""
    say(f"installing {' '.join(packages)}")
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        if done.returncode != 0:
            say(f"apt-get {words[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
