"""Start a case's container or job so that none is lost: wait for the start's answer, and name it after this process.

No later process has that name, so the next start recognises the leftovers of a killed one.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..machine.process_facts import boot_id, start_ticks

#: Label of a container, and prefix of a job's name.
MARK = "resnet50-bench"
_NAME = re.compile(r"(?P<pid>\d+)-(?P<ticks>\d+)-(?P<namespace>\d+)-(?P<boot>[0-9a-f]{12})-(?P<host>.+)")


def owner(pid: int | None = None) -> str:
    """The name of the process (default: this one): number, start, PID namespace, boot, host.

    The process id alone is not unique: it may be reused, and each PID namespace and host counts by itself. The start
    is in ticks since boot, so the boot is needed too.
    """
    pid = pid or os.getpid()
    return f"{pid}-{start_ticks(pid) or 0}-{_namespace()}-{_boot()}-{_host()}"


def is_gone(name: str) -> bool:
    """Whether the named process was on this host and has ended. False if it cannot be seen from here."""
    told = _NAME.fullmatch(name)
    if not told or told["host"] != _host():
        return False
    if told["boot"] != _boot():
        return True
    if told["namespace"] != _namespace() or _is_hidden(int(told["pid"])):
        return False
    return start_ticks(int(told["pid"])) != int(told["ticks"])


def _is_hidden(pid: int) -> bool:
    """Whether it runs although /proc does not show it (hidepid, another user's process)."""
    if Path(f"/proc/{pid}/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _boot() -> str:
    return boot_id().replace("-", "")[:12]


def _namespace() -> str:
    return re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))  # "pid:[4026531836]"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "", socket.gethostname()) or "host"


def heard_out(command: Sequence[str], patience_s: float, undo: Callable[[str], None] = lambda number: None,
              environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that creates something elsewhere. Returns status and output. ``environment`` replaces ours.

    At a signal, or after ``patience_s`` (TimeoutExpired), it still waits for the answer and gives the printed number to
    ``undo``, so that nothing is left behind.
    """
    # In a session of its own Ctrl-C does not reach it, so its answer always arrives.
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=environment, start_new_session=True)
    try:
        out, err = client.communicate(timeout=patience_s)
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            out, _ = client.communicate(timeout=patience_s)
            if out:
                undo(out.strip())
        client.kill()
        client.communicate()
        raise
    return subprocess.CompletedProcess(command, client.returncode, out, err)
