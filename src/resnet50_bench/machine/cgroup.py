"""/proc/self/cgroup below a root folder -> the folders of this process's cgroup; v1 and v2.

Inside a cgroup namespace the path in /proc/self/cgroup is the one outside, and the mount shows
only what is inside: where the path does not exist below the mount, the mount itself is ours.
"""

from __future__ import annotations

from pathlib import Path


def folders(root: Path, controller: str) -> list[Path]:
    """The cgroup's folder for ``controller`` and its ancestors, own first; empty where none is visible."""
    mount_and_path = _find(root, controller)
    if mount_and_path is None:
        return []
    mount, path = mount_and_path
    folder = mount / path.lstrip("/")
    if not folder.is_dir():
        folder = mount
    chain = [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]
    return [each for each in chain if each.is_dir()]


def _find(root: Path, controller: str) -> tuple[Path, str] | None:
    """(mount, path below it): a v1 hierarchy that has the controller, else the v2 one."""
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    top = root / "sys/fs/cgroup"
    unified = None
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(",") and (top / controller).is_dir():
            return top / controller, path
        if number == "0" and not controllers:
            unified = path
    if unified is None or not (top / "cgroup.controllers").exists():
        return None
    return top, unified
