"""A model of matrix products -> the most operations and bytes a second that these cores reach.

The product is a chain of 1x1 convolutions, which oneDNN runs as matrix products: it goes through
the same engine as ResNet50, so it has the same data type, kernels and threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

CHANNELS = 512
LAYERS = 4
_HEIGHT = 28
_LOOK_S = 0.3
#: Three arrays of this many floats: beyond the share of the last-level cache that a few cores have.
_STREAM_FLOATS = 16 * 2**20


def product() -> torch.nn.Module:
    """The chain of products; ReLU between them keeps int8 from returning to float."""
    layers = [layer for _ in range(LAYERS)
              for layer in (torch.nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False), torch.nn.ReLU())]
    torch.manual_seed(0)
    return torch.nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)


def images(dtype: torch.dtype) -> torch.Tensor:
    """Input of shape (2, CHANNELS, 28, 28), channels last."""
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(2, CHANNELS, _HEIGHT, _HEIGHT, generator=generator)
    return made.to(dtype).contiguous(memory_format=torch.channels_last)


def measure(model: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> dict[str, float]:
    """``operations_per_s`` (two for a multiply-add) and ``bytes_per_s``, each the best of a short look."""
    operations = 2 * LAYERS * CHANNELS * CHANNELS * _HEIGHT * _HEIGHT * batch.shape[0]
    return {"operations_per_s": operations / _best(lambda: model(batch)), "bytes_per_s": _bandwidth()}


def _bandwidth() -> float:
    """Bytes a second of a = b + c on float arrays (the add kernel of STREAM, McCalpin 1995)."""
    b, c = torch.ones(_STREAM_FLOATS), torch.ones(_STREAM_FLOATS)
    a = torch.empty(_STREAM_FLOATS)
    return 3 * 4 * _STREAM_FLOATS / _best(lambda: torch.add(b, c, out=a))


def _best(call: Callable[[], object]) -> float:
    """The shortest time of a call in seconds."""
    for _ in range(3):
        call()
    best, deadline = float("inf"), time.monotonic() + _LOOK_S
    while time.monotonic() < deadline:
        began = time.monotonic()
        call()
        best = min(best, time.monotonic() - began)
    return best
