"""A prepared step -> the kernels that ran in it: by oneDNN's verbose log of a rehearsal, or by what the engine says."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from .evidence import Evidence, parse


def prove(rehearse: Callable[[Any], object], batch: Any, verbose: Callable[[], AbstractContextManager[object]],
          training: bool, read_kernels: Callable[[], Evidence] | None = None) -> tuple[Evidence, float]:
    """Rehearse a step until it is compiled, then once under oneDNN verbose: (what ran, seconds).

    ``read_kernels`` says it instead, where the engine has another way.
    """
    with torch.inference_mode(not training):
        for _ in range(2):  # TorchScript profiles in the first call and optimises in the second
            rehearse(batch)
        began = time.monotonic()
        with captured_stdout() as lines, verbose():
            rehearse(batch)
    return read_kernels() if read_kernels else parse(lines), time.monotonic() - began


@contextmanager
def captured_stdout() -> Iterator[list[str]]:
    """Collect what C code prints on file descriptor 1 into the list, which is filled at the end."""
    libc = ctypes.CDLL(None)
    lines: list[str] = []
    sys.stdout.flush()
    libc.fflush(None)
    kept = os.dup(1)
    # In memory: a full TMPDIR would cut the lines.
    with os.fdopen(os.memfd_create("stdout"), "w+b") as sink:
        os.dup2(sink.fileno(), 1)
        try:
            yield lines
        finally:
            libc.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            sink.seek(0)
            lines += sink.read().decode(errors="replace").splitlines()
