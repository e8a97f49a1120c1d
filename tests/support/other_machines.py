"""This machine made to look like others to one command: files covered by others, a user that nobody knows.

The mounts are in a namespace of the command's own: nobody else sees them, and they end with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from resnet50_bench.stack import stacks
from support.stack import chosen

ROOT = Path(__file__).parents[2]
#: A user id without an entry in /etc/passwd.
STRANGER = 54321


def why_not() -> str | None:
    """Why no command can be given mounts of its own here; None where it can."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return "needs root, unshare and setpriv"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() or None


NEEDS_MOUNTS = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@contextmanager
def strangers_folder() -> Iterator[Path]:
    """A folder that STRANGER may write, below no folder that is closed to others."""
    with tempfile.TemporaryDirectory(prefix="resnet50-bench-stranger-", dir="/tmp") as name:
        os.chown(name, STRANGER, STRANGER)
        yield Path(name)


def run_with(mounts: Sequence[Sequence[str]], words: Sequence[object], folder: Path,
             given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``words`` in ``folder`` with the environment ``given``, after ``mount`` with the words of each of ``mounts``."""
    script = "".join(f"mount {shlex.join(mount)}\n" for mount in mounts)
    command = ["unshare", "--mount", "bash", "-ec", f'exec 9</root\n{script}exec "$@" 9<&-', "bash", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=dict(given), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=600, check=False)


def run_as_stranger(words: Sequence[object], folder: Path, given: Mapping[str, str],
                    mounts: Sequence[Sequence[str]] = ()) -> subprocess.CompletedProcess[str]:
    """``words`` as STRANGER, who has no HOME but one that is ``given``, and may go through /root to what is set up."""
    setpriv = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    found = {"PATH": os.environ["PATH"], stacks.FOLDER: str(chosen().folder())}
    return run_with([*_open_root(), *mounts], [*setpriv, *words], folder, found | given)


def _open_root() -> list[list[str]]:
    """Mounts that show everybody of /root what the environment, its Python and this checkout are in."""
    below = {Path(path).relative_to("/root").parts[0] for path in (chosen().folder(), sys.base_prefix, ROOT)
             if Path(path).is_relative_to("/root")}
    made = [["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/root"]] if below else []
    return [*made, *(["--bind", "-o", "X-mount.mkdir", f"/proc/self/fd/9/{name}", f"/root/{name}"]
                     for name in sorted(below))]
