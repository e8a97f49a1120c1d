"""A requirement file made by scripts/lock.sh -> its digest, its pins, and the part that a CPU-only build needs."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "requirements"
#: PyTorch's CPU-only index has other files of the first two; the rest is only for the builds with CUDA.
_OTHER_BUILDS = ("torch", "torchvision")
_ONLY_CUDA = re.compile(r"triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+")
#: What those builds are imported without and open only where there is a GPU. Packages (1.2 GB), which scripts/lock.sh
#: leaves out, and files (1.1 GB), which an image leaves out: libcudnn.so itself has to be there.
WITHOUT_GPU = ("triton", "nvidia-cuda-nvrtc-cu12", "nvidia-cusolver-cu12", "nvidia-nvtx-cu12")
FILES_WITHOUT_GPU = "lib/python3*/site-packages/nvidia/cudnn/lib/libcudnn_*.so*"
_PIN = re.compile(r"([a-z0-9-]+)==([^\s;\\]+)")


def path(name: str) -> Path:
    """The requirement file ``name``: a stack's name, ``host``, ``tools``, ``image`` or ``uv``."""
    return _FOLDER / f"{name}.txt"


def digest(name: str) -> str:
    """The digest that names an environment of these pins: the second word of the file's first line."""
    with path(name).open() as lines:
        return next(lines).split()[1]


def other_builds(name: str) -> list[str]:
    """The pins with CPU-only builds, for example ``["torch==2.8.0", ...]``."""
    return [f"{package}=={version}" for package, version in _PIN.findall(path(name).read_text())
            if package in _OTHER_BUILDS]


def without_cuda(name: str) -> str:
    """The file's text, hashes included, without PyTorch and what only its builds with CUDA need."""
    lines, keeping = [], True
    for line in path(name).read_text().splitlines(keepends=True):
        package = _PIN.match(line)
        if package:
            keeping = package[1] not in _OTHER_BUILDS and not _ONLY_CUDA.fullmatch(package[1])
        if keeping:
            lines.append(line)
    return "".join(lines)
