"""requirements/*.txt -> a virtual environment in the user's cache, and the Python that measures.

The folder is named by a hash of its pins, so that checkouts with equal pins share it. A marker
file, written last, makes it complete; a set-up that broke is simply continued: pip keeps what is
installed, and its cache keeps every file that was downloaded whole.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..checkout import ROOT
from ..errors import BadInput, Infrastructure
from . import user_cache

#: RESNET50_BENCH_STACK -> files of pins of what measures.
_STACKS = {"ipex": ("runtime.txt", "constraints.txt"), "current": ("current.txt",)}
#: torch with its CUDA libraries takes 7 GB, a build from a CPU-only index 2 GB.
_NEEDED_GB = {"runtime": 8.0, "tools": 0.3}
_ATTEMPTS = 3
#: name -> (Debian package, file or command, what it costs to go without)
_NATIVE = {
    "jemalloc": ("libjemalloc2", "libjemalloc.so.2", "bf16 and int8 can be a third slower"),
    "tcmalloc": ("libtcmalloc-minimal4", "libtcmalloc_minimal.so.4", "nothing where jemalloc is there"),
    "numactl": ("numactl", "numactl", "memory is not bound to the instances' NUMA node"),
}
#: Set for a command that was begun by another Python.
AGAIN = "RESNET50_BENCH_AGAIN"
_LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")


def main(argv: list[str]) -> int:
    """``env [--tools | --print-python | --native-libraries]``: set up, or say what there is."""
    parser = argparse.ArgumentParser(prog="env", description="Set up the environment that measures.")
    parser.add_argument("--tools", action="store_true", help="set up the test tools too, and print the Python")
    parser.add_argument("--print-python", action="store_true", help="print the Python that measures")
    parser.add_argument("--native-libraries", action="store_true", help="find or install jemalloc and numactl only")
    arguments = parser.parse_args(argv)
    if arguments.print_python:
        print(worker_python())
    else:
        install_native_libraries()
        if not arguments.native_libraries:
            _say(f"ready: {set_up('runtime')}")
        if arguments.tools:
            print(set_up("tools"))
    return 0


def folder() -> Path:
    """Where the environment lies: ``RESNET50_BENCH_ENV``, else the user's cache."""
    given = os.environ.get("RESNET50_BENCH_ENV")
    if given:
        return Path(given).absolute()
    return user_cache.folder() / f"env-{_digest('runtime')[:12]}"


def worker_python() -> Path:
    """The Python that runs workers: ``RESNET50_BENCH_PYTHON``, the complete environment, or this one.

    Raises Infrastructure where none of them has torch, naming the command that sets it up.
    """
    given = os.environ.get("RESNET50_BENCH_PYTHON")
    if given:
        if not os.access(given, os.X_OK):
            raise BadInput(f"RESNET50_BENCH_PYTHON={given} is not an executable")
        return Path(given)
    if _is_complete("runtime"):
        return folder() / "bin/python"
    if importlib.util.find_spec("torch"):
        return Path(sys.executable)
    raise Infrastructure("the environment that measures is not set up: run scripts/setup.sh once "
                         f"(it makes {folder()})")


def run_again(argv: list[str], again: bool) -> None:
    """Replace this process by the same command under the Python that measures, which has the libraries.

    ``again``: this is such a command already. Raises Infrastructure where that Python is not set up, or lacks them too.
    """
    python = worker_python()
    if python == Path(sys.executable) or again:
        raise Infrastructure(f"{python} lacks msgspec, which this command needs: run scripts/setup.sh")
    os.environ[AGAIN] = "1"
    sys.stdout.flush()
    os.execv(python, [str(python), "-m", "resnet50_bench", *argv])


def native_libraries() -> dict[str, str]:
    """Paths of jemalloc, tcmalloc and numactl, of those that are installed."""
    found = {}
    for name, (_, file, _) in _NATIVE.items():
        path = shutil.which(file) or next(
            (str(Path(base) / file) for base in _LIBRARY_FOLDERS if (Path(base) / file).exists()), None)
        if path:
            found[name] = path
    return found


def install_native_libraries() -> None:
    """Install what is missing where that needs no questions, else say what to install and why."""
    missing = [name for name in ("jemalloc", "numactl") if name not in native_libraries()]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [_NATIVE[name][0] for name in missing]
        _say(f"installing {' '.join(packages)}")
        _apt_get("update", "-qq")
        _apt_get("install", "-y", "-qq", "--no-install-recommends", *packages)
        missing = [name for name in missing if name not in native_libraries()]
    for name in missing:
        package, _, cost = _NATIVE[name]
        _say(f"not found: {name}; without it {cost}. To install it: sudo apt-get install {package}")


def _apt_get(*words: str) -> None:
    """One apt-get; a failure is told, and what it costs is said by the caller."""
    done = subprocess.run(["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode != 0:
        _say(f"apt-get {words[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")


def set_up(name: str) -> Path:
    """Make the environment hold ``name``'s pins (nothing to do where it does) and return its Python."""
    target = folder()
    python = target / "bin/python"
    if _is_complete(name):
        return python
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"{target.parent} cannot be made: {error.strerror}; choose another folder by "
                             "RESNET50_BENCH_ENV or XDG_CACHE_HOME") from error
    with _locked(target):
        if not _is_complete(name):
            _require_disk(name, target)
            if not python.exists():
                _say(f"making {target}")
                _make_venv(target)
            _install(name, target)
            _marker(name).write_text(_digest(name) + "\n")
    return python


def _requirements(name: str) -> tuple[str, ...]:
    """Files of pins: ``runtime`` measures; ``tools``, in the same environment, test."""
    stack = os.environ.get("RESNET50_BENCH_STACK") or "ipex"
    if stack not in _STACKS:
        raise BadInput(f"RESNET50_BENCH_STACK={stack} is not one of {', '.join(_STACKS)}")
    return _STACKS[stack] if name == "runtime" else ("tools.txt", "constraints.txt", "plots.txt")


def _digest(name: str) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    index = os.environ.get("RESNET50_BENCH_INDEX_URL", "")
    text = version + index + "".join((ROOT / "requirements" / file).read_text() for file in _requirements(name))
    return hashlib.sha256(text.encode()).hexdigest()


def _is_complete(name: str) -> bool:
    return _marker(name).exists() and _marker(name).read_text().strip() == _digest(name)


def _marker(name: str) -> Path:
    return folder() / f"complete-{name}"


def _say(text: str) -> None:
    print(f"environment: {text}", file=sys.stderr, flush=True)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    with target.with_name(target.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another set-up of {target}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_disk(name: str, target: Path) -> None:
    free_gb = shutil.disk_usage(target.parent).free / 1e9
    needed = _NEEDED_GB[name] if not os.environ.get("RESNET50_BENCH_INDEX_URL") else _NEEDED_GB[name] / 3
    if free_gb < needed:
        raise Infrastructure(f"{target.parent} has {free_gb:.1f} GB free, {needed:.1f} GB are needed; choose another "
                             "folder by RESNET50_BENCH_ENV, or a CPU-only index by RESNET50_BENCH_INDEX_URL")


def _make_venv(target: Path) -> None:
    command = [sys.executable, "-m", "venv", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and os.geteuid() == 0 and shutil.which("apt-get"):
        _say("installing python3-venv")
        _apt_get("update", "-qq")
        _apt_get("install", "-y", "-qq", "--no-install-recommends", "python3-venv")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Infrastructure(f"python3 -m venv failed: {why[0]}; sudo apt-get install python3-venv")


def _install(name: str, target: Path) -> None:
    requirement, *constraints = (str(ROOT / "requirements" / file) for file in _requirements(name))
    command = [str(target / "bin/python"), "-m", "pip", "install", "--no-input", "-r", requirement,
               *(word for file in constraints for word in ("-c", file))]
    index = os.environ.get("RESNET50_BENCH_INDEX_URL")
    if index and name == "runtime":
        # A CPU-only build (2.8.0+cpu) sorts above the plain version, so pip prefers it where both are seen.
        command += ["--extra-index-url", index]
    for attempt in range(1, _ATTEMPTS + 1):
        _say(f"installing {name} (attempt {attempt} of {_ATTEMPTS}): {Path(requirement).name}")
        # pip's progress goes to stderr: a caller may be reading a path from our stdout.
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0:
            return
    raise Infrastructure(f"pip could not install requirements/{Path(requirement).name} in {_ATTEMPTS} attempts; what "
                         "it downloaded is kept: repair the network and run this again")
