"""A real docker engine, the base image and the four images with a tiny data set and weights of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from resnet50_bench.case import platforms
from resnet50_bench.case.precision import PRECISIONS
from resnet50_bench.machine.cpu import read_cpu
from support import packages

ROOT = Path(__file__).parents[2]
IMAGE = "resnet50-pytorch-intel-public-inference"
RELEASE = ":container-test"
CPU = read_cpu()
PLATFORM, _ = platforms.detect(CPU.vendor, CPU.family, CPU.model, CPU.flags)
MINE = [name for name in platforms.PLATFORMS[PLATFORM].precisions if not PRECISIONS[name].missing_flags(CPU.flags)]
FP32, INT8 = (next(name for name in MINE if name.endswith(kind)) for kind in ("fp32", "int8"))
CASE = "test_resnet50_pytorch_xeon_public_inference_{}_{}_gated"
_STARTED: list[subprocess.Popen] = []


def environment(build: Path, **more: str) -> dict[str, str]:
    return os.environ | {"RESNET50_BENCH_BUILD": str(build), "RELEASE": ":container-test"} | more


def docker(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=timeout)


def containers() -> str:
    """The numbers of the containers of these tests' image, running or not; not those of another user's benchmark."""
    return docker("ps", "--all", "--quiet", "--filter", "label=resnet50-bench",
                  "--filter", f"ancestor={IMAGE}{RELEASE}").stdout


def remove_containers() -> None:
    """What a killed run of these tests left would take its cores from every later one."""
    if left := containers().split():
        docker("rm", "--force", *left)


def _engine() -> str | None:
    """None with an engine that answers, started here where that is needed; else why there is none."""
    if shutil.which("docker") and docker("info").returncode == 0:
        return None
    if os.geteuid() != 0:
        return "no docker engine answers, and only root can start one"
    if not shutil.which("dockerd") or not shutil.which("debootstrap"):
        why = packages.missing("a docker engine", "docker.io", "debootstrap")
        if why:
            return why
    log = Path(tempfile.gettempdir()) / "resnet50-bench-dockerd.log"
    with log.open("w") as sink:
        _STARTED.append(subprocess.Popen(["dockerd"], stdout=sink, stderr=sink, start_new_session=True))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if docker("info").returncode == 0:
            return None
        time.sleep(1)
    return f"dockerd did not come up: see {log}"


@dataclass(frozen=True)
class Images:
    """The built images: the checkout they were built from, and the inference image's name."""

    checkout: Path
    name: str
    weights: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def built_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Built by build.sh from a copy of this checkout."""
    reason = _engine()
    if reason:
        pytest.skip(reason)
    remove_containers()
    free_gb = shutil.disk_usage("/var/lib").free / 1e9
    if free_gb < 16:
        pytest.skip(f"the images need 16 GB, {free_gb:.0f} are free")
    base = subprocess.run([ROOT / "scripts/make-base-image.sh"], capture_output=True, text=True, check=False)
    if base.returncode != 0:
        pytest.skip(f"no base image: {base.stderr.strip()[-200:]}")
    checkout = tmp_path_factory.mktemp("images") / "main"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".git", "build", ".*cache", "__pycache__"))
    (checkout / "assets/val/n01440764").mkdir(parents=True)
    (checkout / "assets/val/n01440764/one.JPEG").write_bytes(b"a tiny data set")
    content = b"weights of the tests' own making"
    weights = f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (checkout / "assets" / weights).write_bytes(content)
    environment = os.environ | {"RELEASE": RELEASE}
    built = subprocess.run([checkout / "build.sh", "--build-arg", f"RESNET50_WEIGHTS_VER={weights}"],
                           env=environment, capture_output=True, text=True, check=False, timeout=2400)
    assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    yield Images(checkout, IMAGE + RELEASE, weights, environment)
    for engine in _STARTED:
        engine.terminate()
        engine.wait(timeout=30)


def until(is_so, why: str = "", patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, why or "too late"
        time.sleep(0.2)
