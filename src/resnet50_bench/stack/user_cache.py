"""The user's cache folder: environments, prepared models, and the way to this package for another Python."""

from __future__ import annotations

import hashlib
import os
import pwd
import tempfile
from contextlib import suppress
from pathlib import Path

from ..errors import Infrastructure

_PACKAGE = Path(__file__).parents[1]


def home() -> Path:
    """HOME, else the user's of /etc/passwd, else / as for Bash: ``docker run --user 12345`` has neither."""
    with suppress(KeyError):
        return Path(os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    return Path("/")


def user_name() -> str:
    """The user's of /etc/passwd, else the number."""
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def of_all_programs() -> Path:
    """``XDG_CACHE_HOME`` or ``~/.cache``. The XDG specification has a relative path ignored."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else home() / ".cache"


def folder() -> Path:
    """This project's folder in the user's cache. scripts/resnet50-bench.sh computes the same."""
    return of_all_programs() / "resnet50-bench"


def models() -> Path:
    """Prepared models: ``RESNET50_BENCH_CACHE``, else below the user's cache folder."""
    chosen = os.environ.get("RESNET50_BENCH_CACHE")
    return Path(chosen) if chosen else _written() / "models"


def _written() -> Path:
    """``folder()``, or the user's own in the temporary folder where that cannot be made. Raises Infrastructure."""
    wanted = folder()
    there = next(path for path in (wanted, *wanted.parents) if os.access(path, os.F_OK))
    if os.access(there, os.W_OK | os.X_OK):
        return wanted
    own = Path(tempfile.gettempdir()) / f"resnet50-bench-{os.geteuid()}"
    with suppress(FileExistsError):
        own.mkdir(mode=0o700)
    if own.is_symlink() or own.stat().st_uid != os.geteuid():  # what lies there is run
        raise Infrastructure(f"{wanted} cannot be written and {own} is another user's; set RESNET50_BENCH_CACHE to a "
                             "folder of your own")
    return own


def import_path() -> Path:
    """A folder from which any Python imports this package and nothing else: for the environment that measures.

    That is the checkout's ``src``. Where pip installed this package among others, which must not stand in for the
    environment's own, it is a folder with a link to it.
    """
    if _PACKAGE.parent.name == "src":
        return _PACKAGE.parent
    link = _written() / f"package-{hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]}" / _PACKAGE.name
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(_PACKAGE)
    return link.parent
