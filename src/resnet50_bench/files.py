"""Small files: text where a machine or container has it, JSON that is there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text without white space around it; None where there is none or it may not be read.

    What is no UTF-8 becomes U+FFFD: firmware writes its names as it likes.
    """
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def write_json(path: Path, document: dict[str, object]) -> None:
    """Write ``document`` beside ``path``, then rename it into place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(json.dumps(document))  # in C; json.dump would encode in Python, ten times as slowly
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
