"""Find jemalloc, tcmalloc and numactl, and install them as Debian packages if that needs no question."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import say

#: name -> (Debian package, file or command, what it costs to go without)
_NATIVE = {
    "jemalloc": ("libjemalloc2", "libjemalloc.so.2", "bf16 and int8 can be a third slower"),
    "tcmalloc": ("libtcmalloc-minimal4", "libtcmalloc_minimal.so.4", "nothing where jemalloc is there"),
    "numactl": ("numactl", "numactl", "memory is not bound to the instances' NUMA node"),
}
_WANTED = ("jemalloc", "numactl")
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")


def native_libraries() -> dict[str, str]:
    """The paths of jemalloc, tcmalloc and numactl, as far as they are installed."""
    paths = {}
    for name, (_, file, _) in _NATIVE.items():
        path = shutil.which(file) or next(
            (str(Path(base) / file) for base in _FOLDERS if (Path(base) / file).exists()), None)
        if path:
            paths[name] = path
    return paths


def missing_libraries() -> dict[str, str]:
    """The missing ones of jemalloc and numactl, with the consequence."""
    installed = native_libraries()
    return {name: _NATIVE[name][2] for name in _WANTED if name not in installed}


def set_up_native_libraries() -> None:
    """Install the missing libraries if that needs no question. Otherwise print what to install and why."""
    missing = list(missing_libraries())
    if missing and can_install():
        install_packages([_NATIVE[name][0] for name in missing])
        missing = list(missing_libraries())
    for name in missing:
        package, _, cost = _NATIVE[name]
        say(f"not found: {name}; without it {cost}. To install it: sudo apt-get install {package}")


def can_install() -> bool:
    """Whether this user may install packages: root, with apt-get there."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str]) -> None:
    """Install Debian packages, and print a failure. The caller prints its consequence."""
    say(f"installing {' '.join(packages)}")
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        if done.returncode != 0:
            say(f"apt-get {words[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
