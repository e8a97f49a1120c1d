"""The docker backend (issue B): until its images can be built it only says why it is not used."""

from __future__ import annotations

import shutil

from . import Settings


def image_name(settings: Settings) -> str:
    """The inference image's full name."""
    return f"{settings.registry}resnet50-pytorch-intel-public-inference{settings.release or ':latest'}"


def why_not(settings: Settings) -> str | None:
    """Why docker cannot run the case; None where it can."""
    return "docker is not installed" if not shutil.which("docker") else "there is no docker backend yet"
