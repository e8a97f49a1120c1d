"""The user's cache folder: environments, prepared models, and the way to this package for another Python."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """``XDG_CACHE_HOME`` or ``~/.cache``, and below it what is this project's."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet50-bench"


def models() -> Path:
    """Prepared models: ``RESNET50_BENCH_CACHE``, else below the user's cache folder."""
    given = os.environ.get("RESNET50_BENCH_CACHE")
    return Path(given) if given else folder() / "models"


def import_path() -> Path:
    """A folder from which any Python imports this package and nothing else: for the environment that measures.

    That is the checkout's ``src``. Where pip installed this package among others, which must not stand in for the
    environment's own, it is a folder with a link to it.
    """
    if _PACKAGE.parent.name == "src":
        return _PACKAGE.parent
    link = folder() / f"package-{hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]}" / _PACKAGE.name
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(_PACKAGE)
    return link.parent
