"""A key and a function that builds -> an object from disk, built once for all processes.

An entry is two files, the data and a note, each renamed into place. A complete entry is read without a lock, so that
many processes start as fast as one. A lock lets one process build while the others wait. An entry that does not load,
or lacks one of its files, is built again.

The note has the data's SHA-256 and the identity (inode, size, times of change) of the file that it was verified for.
The kernel sets a file's change time at each write and nobody can choose it. A file with that identity is therefore
not hashed again. Any other file (copied, restored, written to) is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from ..case.engines import ENGINES
from ..errors import Infrastructure
from ..files import locked, replacing, sha256_of

T = TypeVar("T")


def cache_key(**facts: str) -> str:
    """A readable file name with a hash of everything that decides the built object.

    Includes the versions of the packages that the ``engine`` uses to make it.
    """
    if facts["engine"] in ENGINES:
        facts |= {package: _version(package) for package in ENGINES[facts["engine"]].made_with}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{facts['engine']}-{facts['precision']}-b{facts['batch_size']}-{digest[:16]}".lower()


def _version(package: str) -> str:
    """The version of a distribution, or "" if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def source_digest(*files: str | Path) -> str:
    """One SHA-256 of these files' contents. A change of any file makes the objects that they built stale."""
    return hashlib.sha256(b"".join(bytes.fromhex(sha256_of(Path(file))) for file in files)).hexdigest()


def cached(folder: Path, key: str, *, suffix: str, build: Callable[[], T], save: Callable[[T, Path], object],
           load: Callable[[Path], T], beside: tuple[Path, ...] = ()) -> tuple[T, str]:
    """Return (object, how). ``how`` is ``hit``, ``built``, or ``rebuilt: <why the entry could not be used>``.

    A new object is saved and loaded again, so that every process runs the same object. ``beside`` are other files that
    ``build`` writes. Raises Infrastructure if the folder must be written and cannot be.
    """
    data = folder / f"{key}{suffix}"

    def from_disk() -> T:
        _verify(data, beside)
        return load(data)

    with contextlib.suppress(Exception):  # checked again under the lock
        return from_disk(), "hit"
    with _locked(folder, key):
        how = "built"
        if data.exists():
            try:
                return from_disk(), "hit"  # another process has built it
            except Exception as error:  # any error in an entry means: build a new one
                how = f"rebuilt: {str(error).strip().splitlines()[0] if str(error).strip() else repr(error)}"
        try:
            _store(build(), data, save)
        except OSError as error:
            raise Infrastructure(f"the prepared model cannot be kept in {folder}: {error}") from error
        return load(data), how


@contextlib.contextmanager
def _locked(folder: Path, key: str) -> Iterator[None]:
    """A lock under which one process at a time builds the entry."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / f"{key}.lock", wait=lambda: None))
        except OSError as error:
            raise Infrastructure(f"the model cache {folder} cannot be written ({error}); set "
                                 "RESNET50_BENCH_CACHE to a folder that can") from error
        yield


def _note(data: Path) -> Path:
    return data.with_suffix(".sha256")


def _identity(path: Path) -> str:
    """The file's identity, without the device number, which differs between containers."""
    status = path.stat()
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _verify(data: Path, beside: tuple[Path, ...]) -> None:
    """Raises ValueError if the data differ from the stored SHA-256 or a file of ``beside`` is missing."""
    for path in beside:
        if not path.exists() or not path.stat().st_size:
            raise ValueError(f"{path.name} is missing beside {data.name}")
    sha256, _, identity = _note(data).read_text().strip().partition(" ")
    now = _identity(data)
    if identity == now:
        return
    if sha256 != sha256_of(data):
        raise ValueError(f"{data.name} does not have the SHA-256 that was noted")
    with contextlib.suppress(OSError):  # a read-only cache is allowed: its data are hashed each time
        _write_note(data, sha256, now)


def _write_note(data: Path, sha256: str, identity: str) -> None:
    with replacing(_note(data)) as temporary:
        temporary.write_text(f"{sha256} {identity}\n")


def _store(built: T, data: Path, save: Callable[[T, Path], object]) -> None:
    with replacing(data) as temporary:
        save(built, temporary)
        digest = sha256_of(temporary)
    _write_note(data, digest, _identity(data))  # renaming counts as a change of the file
