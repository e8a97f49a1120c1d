"""``in-container TOOL IMAGE SECONDS``: what a node of a Slurm job runs: the environment's case in a container."""

from __future__ import annotations

import os
from pathlib import Path

from ..arguments import Parser
from ..backends import Backend
from ..backends.container import RUNTIMES, ContainerBackend
from ..backends.native import SiteBackend
from ..case.parameters import CATALOGUE
from ..errors import Infrastructure
from ..machine import machine_lock
from ..signals import interruptible


def parser() -> Parser:
    options = Parser("resnet50-bench in-container", "The environment's case in a container: what a node of a Slurm job "
                     "runs.", "sbatch's script calls it")
    options.add_argument("tool")
    options.add_argument("image")
    options.add_argument("seconds", type=float)
    return options


def main(argv: list[str]) -> int:
    """Run the case with logs in the current folder. Returns the runner's status, or raises Infrastructure."""
    words = parser().parse_args(argv)
    tool, image = words.tool, words.image
    texts = {name: os.environ[name] for name in CATALOGUE if name in os.environ}
    with interruptible():
        backend = _backend(tool, image)
        with machine_lock.held(backend.cpus()):
            return backend.run(texts, Path.cwd(), words.seconds)


def _backend(tool: str, image: str) -> Backend:
    if tool not in RUNTIMES:
        return SiteBackend(tool, image)
    reason = RUNTIMES[tool].why_not(image)
    if reason:
        raise Infrastructure(f"BACKEND=slurm with --{tool}: {reason}")
    return ContainerBackend(RUNTIMES[tool], image)
