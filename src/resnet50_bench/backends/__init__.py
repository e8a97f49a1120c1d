"""BACKEND -> where a case runs: submit, wait, bring the logs back. Backends differ in nothing else."""

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
#: Where an image's runner leaves its logs.
LOGS_INSIDE = "/home/bench/logs"
BACKENDS = ("auto", "native", *CONTAINERS, "kubernetes", "slurm")


@dataclass(frozen=True)
class Settings:
    """CMake's cache settings as a case gets them, ``--options``, and the ``environment`` that a run here inherits."""

    backend: str = "auto"
    registry: str = ""
    release: str = ""
    timeout_s: float = 3600.0
    options: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def option_words(self) -> tuple[str, ...]:
        """The words of ``options``. Raises BadInput where a quote is not closed."""
        try:
            return tuple(shlex.split(self.options))
        except ValueError as error:
            raise BadInput(f"--options={self.options}: {error}") from error


class Backend(Protocol):
    """One way to run a case."""

    #: Whether the case runs on this host, so that this host's CPU and cores decide what is valid.
    local: bool

    def cpus(self) -> Sequence[int] | None:
        """The logical CPUs of this host that it measures on, which nobody else then may; None: all that this process
        may use, an empty one: none."""

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
        name, why = _best(settings)
    module = "container" if name in CONTAINERS else name
    return importlib.import_module(f"{__name__}.{module}").make(replace(settings, backend=name)), \
        f"BACKEND: {name} ({why})"


def _best(settings: Settings, engines: Sequence[str] = CONTAINERS) -> tuple[str, str]:
    """The first of the engines that can run the image, else native; and why."""
    from .container import RUNTIMES, image_name

    reasons: list[str] = []
    for name in engines:
        reason = RUNTIMES[name].why_not(image_name(settings))
        if reason is None:
            return name, "; ".join([*reasons, "an engine answers and the image is there"])
        reasons.append(reason)
    return "native", "; ".join(reasons)


def require_utf8(texts: Mapping[str, str], reader: str) -> None:
    """Raises BadInput for texts with bytes that are not UTF-8, which ``reader`` would change."""
    bad = [f"{name}={text!r} is not UTF-8 text, which {reader} would change" for name, text in texts.items()
           if readable(text) != text]
    if bad:
        raise BadInput(*bad)


def check_docker_image(chosen: Mapping[str, str]) -> int:
    """``--check-docker-image``: 0 where an engine has the inference image, else 3 and why.

    ``chosen``: texts of BACKEND, REGISTRY and RELEASE, as far as they are given.
    """
    from .container import image_name

    settings = Settings(chosen.get("BACKEND", "auto"), chosen.get("REGISTRY", ""), chosen.get("RELEASE", ""))
    name, why = _best(settings, [settings.backend] if settings.backend in CONTAINERS else CONTAINERS)
    if name == "native":
        raise Infrastructure(why)
    print(f"{name} has {image_name(settings)}")
    return 0
