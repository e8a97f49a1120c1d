"""``in-container IMAGE SECONDS``: what a node of a Slurm job runs: the environment's case in a container of its own."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import Infrastructure
from ..parameters import CATALOGUE
from ..run_command import interruptible
from .backends.docker import DockerBackend, why_not


def main(argv: list[str]) -> int:
    """Logs into the current folder; the runner's status. Raises Infrastructure where docker cannot run the image."""
    image, seconds = argv
    reason = why_not(image)
    if reason:
        raise Infrastructure(f"BACKEND=slurm with --docker: {reason}")
    texts = {name: os.environ[name] for name in CATALOGUE if name in os.environ}
    with interruptible():
        return DockerBackend(image, ()).run(texts, Path.cwd(), float(seconds))
