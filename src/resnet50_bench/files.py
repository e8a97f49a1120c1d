"""Small files: text from a machine or a container, files replaced in one step, new folders, and a lock by a file."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from .errors import Infrastructure

_SURROGATE = re.compile("[\ud800-\udfff]")
#: What ends or hides a line for some reader: control characters but the tab, and what str.splitlines takes for an end.
_BREAK = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def readable(text: str) -> str:
    """``text`` in a form that UTF-8 can express: each byte of a name that is not UTF-8 becomes ``\\xe9``.

    Python reads such a byte as a lone surrogate, U+DC80 to U+DCFF (PEP 383), which UTF-8 and JSON cannot express.
    """
    return _SURROGATE.sub(lambda found: _escaped(ord(found[0]) - (0xdc00 if "\udc80" <= found[0] <= "\udcff" else 0)),
                          text)


def one_line(text: str) -> str:
    """``readable`` text that stays on its line, whatever a file's name contains."""
    return _BREAK.sub(lambda found: _escaped(ord(found[0])), readable(text))


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def json_text(document: object, indent: int | None = None) -> str:
    """``document`` as JSON in ASCII, its texts ``readable``: strict readers refuse a lone surrogate."""
    text = json.dumps(document, indent=indent)  # in C; json.dump would encode in Python, ten times as slowly
    return json.dumps(_all_readable(document), indent=indent) if "\\ud" in text else text


def _all_readable(value: object) -> object:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {_all_readable(key): _all_readable(item) for key, item in value.items()}
    return [_all_readable(item) for item in value] if isinstance(value, (list, tuple)) else value


class Locked(Exception):
    """Another process holds the lock."""


def read_text(path: Path) -> str | None:
    """The file's text without white space around it; None where there is none or it may not be read.

    What is no UTF-8 becomes U+FFFD: firmware writes its names as it likes.
    """
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits. Raises OSError where it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` for the body to write; it becomes ``path`` once the body has ended.

    A reader sees the old file or the whole new one, also after a loss of power. If the body raises, the old one stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Replace ``path`` by ``document`` as ``json_text``."""
    with replacing(path) as temporary:
        temporary.write_text(json_text(document))


def stamped_folder(base: Path, name: str) -> Path:
    """``base/name`` with the time for its ``{}``, made for the caller alone: a name that is taken is waited out.

    Raises Infrastructure if it cannot be made.
    """
    for _ in range(100):
        folder = base / name.format(f"{datetime.now():%Y%m%d-%H%M%S}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            time.sleep(0.2)
        except OSError as error:
            raise Infrastructure(f"the folder {folder} cannot be made: {error.strerror}") from error
    raise Infrastructure(f"no free name for a folder below {base}")


@contextmanager
def locked(path: Path, wait: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold the exclusive lock on ``path``, a folder or a file that is made, while the body runs.

    If another process holds it, ``wait`` is called and the lock waited for. Raises Locked if there is no ``wait``,
    OSError if the file cannot be made. The kernel frees the lock when the process ends, however it ends.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if path.is_dir() else os.O_CREAT), 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                raise Locked(str(path)) from None
            wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
