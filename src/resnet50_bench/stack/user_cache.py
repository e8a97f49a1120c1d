"""The user's cache folder: environments and prepared models."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """``XDG_CACHE_HOME`` or ``~/.cache``, and below it what is this project's."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet50-bench"


def models() -> Path:
    """Prepared models: ``RESNET50_BENCH_CACHE``, else below the user's cache folder."""
    given = os.environ.get("RESNET50_BENCH_CACHE")
    return Path(given) if given else folder() / "models"
