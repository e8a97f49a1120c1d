"""BACKEND -> where a case runs: submit, wait, bring the logs back. Backends differ in nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...errors import BadInput, Infrastructure
from ...parameters import nearest

BACKENDS = ("auto", "native", "docker", "kubernetes", "slurm")


@dataclass(frozen=True)
class Settings:
    """CMake's cache settings as a case gets them, and ``--options``."""

    backend: str = "auto"
    registry: str = ""
    release: str = ""
    timeout_s: float = 3600.0
    options: str = ""


class Backend(Protocol):
    """One way to run a case."""

    #: Whether the case runs on this host, so that this host's CPU and cores decide what is valid.
    local: bool

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """Run with the parameter ``texts``; logs into ``folder``; the runner's exit status.

        Raises RunFailed at the time-out, Infrastructure where the case could not be run at all.
        Whatever happens, nothing of the case runs on when this returns or raises.
        """


def choose(settings: Settings) -> tuple[Backend, str]:
    """(the backend, a line that says which it is and why)."""
    name, why = settings.backend, "as asked"
    if name not in BACKENDS:
        raise BadInput(f"BACKEND={name} is not one of {', '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    if name == "auto":
        from . import docker

        reason = docker.why_not(docker.image_name(settings))
        name, why = ("native", reason) if reason else ("docker", "an engine answers and the image is there")
    return importlib.import_module(f"{__name__}.{name}").make(settings), f"BACKEND: {name} ({why})"


def check_docker_image() -> int:
    """``--check-docker-image``: 0 where the inference image is there, else 3 and why."""
    from . import docker

    image = docker.image_name(Settings())
    reason = docker.why_not(image)
    if reason:
        raise Infrastructure(reason)
    print(f"{image} is there")
    return 0
