"""This process -> a name that no later process has, and whether the process behind such a name is still there.

What a case starts elsewhere (a container, a job) carries it, so that the next start knows what a killed one left.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from ..machine.process_facts import start_ticks

#: Label of a container, and the beginning of a job's name.
MARK = "resnet50-bench"
_NAME = re.compile(r"(?P<pid>\d+)-(?P<ticks>\d+)-(?P<namespace>\d+)-(?P<boot>[0-9a-f]{12})-(?P<host>.+)")


def owner(pid: int | None = None, root: Path = Path("/")) -> str:
    """The name of the process (default: this one): number, start, PID namespace, boot, host.

    A number alone may have been given to another process since, another namespace or host counts by itself, and the
    ticks count since the boot.
    """
    pid = pid or os.getpid()
    return f"{pid}-{start_ticks(pid, root) or 0}-{_namespace(root)}-{_boot(root)}-{_host()}"


def is_gone(name: str, root: Path = Path("/")) -> bool:
    """Whether the named process was one of this host and has ended; of what cannot be seen from here: False."""
    told = _NAME.fullmatch(name)
    if not told or told["host"] != _host():
        return False
    if told["boot"] != _boot(root):
        return True
    if told["namespace"] != _namespace(root) or _is_hidden(int(told["pid"]), root):
        return False
    return start_ticks(int(told["pid"]), root) != int(told["ticks"])


def _is_hidden(pid: int, root: Path) -> bool:
    """Whether it runs although /proc does not show it (mounted with hidepid, another user's)."""
    if (root / f"proc/{pid}/stat").exists() or root != Path("/"):
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return False


def _boot(root: Path) -> str:
    return (root / "proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]


def _namespace(root: Path) -> str:
    return re.sub(r"\D", "", str((root / "proc/self/ns/pid").readlink()))  # "pid:[4026531836]"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "", socket.gethostname()) or "host"
