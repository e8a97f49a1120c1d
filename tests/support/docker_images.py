"""A real docker engine, the base image and the four images with a tiny data set and weights of their own.

Plain Python does for it, with src and tests on the PYTHONPATH: ``python3 -m support.docker_images build`` goes beside
the set-up of the environment that the tests need; they build again, from the layers that are there then. ``stop`` is
for who does not come to the tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from support import packages

ROOT = Path(__file__).parents[2]
IMAGE = "resnet50-pytorch-intel-public-inference"
RELEASE = ":container-test"
_WEIGHTS = b"weights of the tests' own making"
_NEEDED_GB = 16
#: Where the process of a docker engine that the tests started is noted.
_STARTED = Path(tempfile.gettempdir(), f"resnet50-bench-dockerd-{os.getuid()}.pid")


#: Those that this process started.
_OURS: list[subprocess.Popen[bytes]] = []


class Unavailable(Exception):
    """Why there can be no images here, though nothing is wrong with them."""


@dataclass(frozen=True)
class Images:
    """The built images: the checkout they were built from, and the inference image's name."""

    checkout: Path
    name: str
    weights: str
    environment: dict[str, str]


def docker(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=timeout)


def until(is_so: Callable[[], bool], why: str = "", patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, why or "too late"
        time.sleep(0.2)


def build(checkout: Path) -> Images:
    """By build.sh, from a copy of this checkout in the folder ``checkout``, which is made.

    Raises Unavailable, or AssertionError with the build's last words.
    """
    _require_engine()
    with packages.alone("images"):  # whoever comes second finds the layers of the first
        _start_engine()
        free_gb = shutil.disk_usage("/var/lib").free / 1e9
        if free_gb < _NEEDED_GB and not docker("image", "inspect", IMAGE + RELEASE).stdout.strip("[]\n"):
            raise Unavailable(f"the images need {_NEEDED_GB} GB, {free_gb:.0f} are free")
        base = subprocess.run([ROOT / "scripts/make-base-image.sh"], capture_output=True, text=True, check=False)
        if base.returncode != 0:
            raise Unavailable(f"no base image: {base.stderr.strip()[-200:]}")
        shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".git", "build", ".*cache", "__pycache__"))
        (checkout / "assets/val/n01440764").mkdir(parents=True)
        (checkout / "assets/val/n01440764/one.JPEG").write_bytes(b"a tiny data set")
        weights = f"resnet50-{hashlib.sha256(_WEIGHTS).hexdigest()[:8]}.pth"
        (checkout / "assets" / weights).write_bytes(_WEIGHTS)
        environment = os.environ | {"RELEASE": RELEASE}
        built = subprocess.run([checkout / "build.sh", "--build-arg", f"RESNET50_WEIGHTS_VER={weights}"],
                               env=environment, capture_output=True, text=True, check=False, timeout=2400)
        assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
        return Images(checkout, IMAGE + RELEASE, weights, environment)


def _answers() -> bool:
    return bool(shutil.which("docker")) and docker("info").returncode == 0


def _require_engine() -> None:
    """One that answers, or what it takes to start one. Raises Unavailable."""
    if _answers():
        return
    if os.geteuid() != 0:
        raise Unavailable("no docker engine answers, and only root can start one")
    if not all(map(shutil.which, ("docker", "dockerd", "debootstrap"))):
        why = packages.missing("a docker engine", "docker.io", "debootstrap")
        if why:
            raise Unavailable(why)


def _start_engine() -> None:
    """Nothing where one answers. Raises Unavailable."""
    if _answers():
        return
    log = Path(tempfile.gettempdir()) / "resnet50-bench-dockerd.log"
    with log.open("w") as sink:
        _OURS.append(subprocess.Popen(["dockerd"], stdout=sink, stderr=sink, start_new_session=True))
    _STARTED.write_text(str(_OURS[-1].pid))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if docker("info").returncode == 0:
            return
        time.sleep(1)
    raise Unavailable(f"dockerd did not come up: see {log}")


def stop_engine() -> None:
    """End the engine that ``build`` started, in whatever process; any other one is left alone."""
    with suppress(OSError, ValueError):  # there is no note, it was not written to its end, or dockerd is gone
        pid = int(_STARTED.read_text())
        if Path(f"/proc/{pid}/comm").read_text() == "dockerd\n":
            os.kill(pid, signal.SIGTERM)
            until(lambda: not _is_alive(pid), f"dockerd (pid {pid}) does not end", patience_s=30)
    for engine in _OURS:
        engine.terminate()
        engine.wait(timeout=30)
    _OURS.clear()
    _STARTED.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):  # no child of this process
        os.waitpid(pid, os.WNOHANG)
    return Path(f"/proc/{pid}").exists()


def main(word: str) -> None:
    """``build`` or ``stop``. AssertionError where an image cannot be built; why there can be none is said."""
    if word == "stop":
        stop_engine()
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(f"built: {build(Path(folder) / 'main').name}")
        except Unavailable as error:
            print(f"no images: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
