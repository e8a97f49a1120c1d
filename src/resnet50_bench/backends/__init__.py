"""BACKEND -> the place where a case runs: submit it, wait, fetch the logs. Backends differ in nothing else."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ..errors import BadInput, Infrastructure
from ..files import readable
from ..spelling import nearest

CONTAINERS = ("docker", "podman")
#: The folder of the runner's logs in an image.
LOGS_INSIDE = "/home/bench/logs"
TAKING_OPTIONS = (*CONTAINERS, "kubernetes", "slurm")
BACKENDS = ("auto", "native", *TAKING_OPTIONS)


@dataclass(frozen=True)
class Settings:
    """A case's CMake cache settings, its ``--options``, and the ``environment`` that a run on this host inherits."""

    backend: str = "auto"
    registry: str = ""
    release: str = ""
    timeout_s: float = 3600.0
    options: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def option_words(self) -> tuple[str, ...]:
        """The words of ``options``. Raises BadInput if a quote is not closed."""
        try:
            return tuple(shlex.split(self.options))
        except ValueError as error:
            raise BadInput(f"--options={self.options}: {error}") from error


class Backend(Protocol):
    """One way to run a case."""

    #: Whether the case runs on this host, so that it is validated against this host's CPU and cores.
    local: bool

    def cpus(self) -> Sequence[int] | None:
        """The logical CPUs of this host that the case measures on and therefore locks. None: all that this process may
        use. Empty: none."""

    def run(self, texts: Mapping[str, str], folder: Path, timeout_s: float) -> int:
        """Run with the parameter ``texts``. Logs go into ``folder``. Returns the runner's exit status.

        Raises RunFailed at the time-out, Infrastructure if the case could not be run at all.
        No part of the case is still running when this returns or raises.
        """


def choose(settings: Settings) -> tuple[Backend, str]:
    """Return (the backend, a line with its name and the reason)."""
    name, why = settings.backend, "chosen by BACKEND"
    if name not in BACKENDS:
        raise BadInput(f"BACKEND={name} is not one of {', '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    if name == "auto":
        name, why = _best(settings)
    module = "container" if name in CONTAINERS else name
    return importlib.import_module(f"{__name__}.{module}").make(replace(settings, backend=name)), \
        f"BACKEND: {name} ({why})"


def _best(settings: Settings, engines: Sequence[str] = CONTAINERS) -> tuple[str, str]:
    """The first container runtime that can run the image, else native, with the reason."""
    from .container import RUNTIMES, image_name

    reasons: list[str] = []
    for name in engines:
        reason = RUNTIMES[name].why_not(image_name(settings))
        if reason is None:
            return name, "; ".join([*reasons, f"{name} answers and has the image"])
        reasons.append(reason)
    return "native", "; ".join(reasons)


def require_utf8(texts: Mapping[str, str], reader: str) -> None:
    """Raises BadInput for texts that are not UTF-8, because ``reader`` would change them."""
    bad = [f"{name}={text!r} is not UTF-8 text, and {reader} would change it" for name, text in texts.items()
           if readable(text) != text]
    if bad:
        raise BadInput(*bad)


def check_docker_image(chosen: Mapping[str, str]) -> int:
    """``--check-docker-image``: 0 if a container runtime has the inference image, else 3 with the reason.

    ``chosen``: the given texts of BACKEND, REGISTRY and RELEASE.
    """
    from .container import image_name

    settings = Settings(chosen.get("BACKEND", "auto"), chosen.get("REGISTRY", ""), chosen.get("RELEASE", ""))
    name, why = _best(settings, [settings.backend] if settings.backend in CONTAINERS else CONTAINERS)
    if name == "native":
        raise Infrastructure(why)
    print(f"{name} has {image_name(settings)}")
    return 0
