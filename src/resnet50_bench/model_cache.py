"""A key and a way to build -> an object from disk, built once for all processes that want it.

An entry is two files, the data and a note with its SHA-256, each renamed into place; a lock
lets one process build while the others wait. What does not load is built again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .errors import Infrastructure

T = TypeVar("T")


def cache_key(**facts: str) -> str:
    """A file name from everything that decides what is built: readable, with a hash behind it."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{facts['engine']}-{facts['precision']}-b{facts['batch_size']}-{digest[:16]}".lower()


def default_folder() -> Path:
    """``RESNET50_BENCH_CACHE``, else the user's cache folder."""
    given = os.environ.get("RESNET50_BENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(given) if given else Path(base) / "resnet50-bench" / "models"


def cached(folder: Path, key: str, *, suffix: str, build: Callable[[], T],
           save: Callable[[T, Path], None], load: Callable[[Path], T]) -> tuple[T, str]:
    """(object, how): ``hit``, ``built``, or ``rebuilt: <why the entry could not be used>``.

    What was just built is saved and loaded again, so that every process runs the same thing.
    Raises Infrastructure where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{key}.lock").open("w")
    except OSError as error:
        raise Infrastructure(f"the model cache {folder} cannot be written ({error}); set "
                             "RESNET50_BENCH_CACHE to a folder that can") from error
    data = folder / f"{key}{suffix}"
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reason = None
        if data.exists():
            try:
                _verify(data)
                return load(data), "hit"
            except Exception as error:  # whatever is wrong with an entry, the answer is a new one
                reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        try:
            _store(build(), data, save)
        except OSError as error:
            raise Infrastructure(f"the prepared model cannot be kept in {folder}: {error}") from error
        return load(data), f"rebuilt: {reason}" if reason else "built"


def _note(data: Path) -> Path:
    return data.with_suffix(".sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(stream.read()).hexdigest()


def _verify(data: Path) -> None:
    if _note(data).read_text().strip() != _digest(data):
        raise ValueError(f"{data.name} does not have the SHA-256 that was noted")


def _store(built: T, data: Path, save: Callable[[T, Path], None]) -> None:
    temporary = data.with_name(f"{data.name}.{os.getpid()}.partial")
    try:
        save(built, temporary)
        digest = _digest(temporary)
        temporary.replace(data)
        _note(data).write_text(digest + "\n")
    finally:
        temporary.unlink(missing_ok=True)
