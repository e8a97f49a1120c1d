"""A spec's data -> what an instance steps over: one dummy batch, decoded images in memory, or a data set once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import RunFailed
from .data import Loader

#: Decoded images that a process keeps for a measurement of time; the model's caches see none of them twice in a row.
POOL_BYTES = 512 * 2**20


class DummyFeed:
    """The same batch again and again."""

    #: Steps that there are; None: as many as are wanted.
    length: int | None = None
    #: Steps that the warm-up may take; None: as many as it wants.
    most_warm_up: int | None = None

    def __init__(self, batch: torch.Tensor) -> None:
        self.warm = batch

    def warm_batch(self) -> torch.Tensor:
        """For a step of the warm-up."""
        return self.warm

    def batches(self) -> Iterator[torch.Tensor]:
        """Without an end."""
        return itertools.repeat(self.warm)

    def after(self, output: torch.Tensor) -> None:
        """Nothing: the answers of dummy images mean nothing."""

    def close(self) -> None:
        """End what still decodes, in the thread that steps: decoding processes die with the thread that forked them."""

    def progress(self) -> dict[str, float]:
        """What there is to show beside steps."""
        return {}

    def record(self) -> dict[str, Any]:
        """What the result keeps."""
        return {}


class PoolFeed(DummyFeed):
    """Batches of real images, decoded before the measurement, in turn: decoding is not in the model's time."""

    def __init__(self, loader: Loader, most_bytes: int) -> None:
        self._loader, self._pool = loader, []
        taken = 0
        for images, _, _ in loader:
            if len(images) < loader.batch_size and self._pool:
                break
            self._pool.append(padded(images, loader.batch_size))
            taken += self._pool[-1].nbytes
            if taken >= most_bytes:
                break
        if not self._pool:
            raise RunFailed(f"not one image of {loader.part.root} could be decoded")
        super().__init__(self._pool[0])

    def batches(self) -> Iterator[torch.Tensor]:
        """The pool again and again."""
        return itertools.cycle(self._pool)

    def record(self) -> dict[str, Any]:
        """The loader's own figures."""
        return loader_record(self._loader) | {"pool_batches": len(self._pool)}


class PassFeed(DummyFeed):
    """Every image of a part once; the answers are counted."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self.length = -(-len(loader.part.images) // loader.batch_size)
        self.counts = {"count": 0, "top1": 0, "top5": 0}
        self._labels = torch.empty(0, dtype=torch.int64)
        first = next(iter(loader), None)
        if first is None:
            raise RunFailed(f"not one image of {loader.part.root} could be decoded")
        super().__init__(padded(first[0], loader.batch_size))

    def batches(self) -> Iterator[torch.Tensor]:
        """Each batch once; the last is filled up, for a model traced at one size, and the filling not counted."""
        for images, labels, _ in self._loader:
            self._labels = labels
            yield padded(images, self._loader.batch_size)

    def after(self, output: torch.Tensor) -> None:
        """Count the right answers among the batch's images."""
        best = output[:len(self._labels)].float().topk(min(5, output.shape[1]), dim=1).indices
        right = best == self._labels[:, None]
        self.counts["count"] += len(self._labels)
        self.counts["top1"] += int(right[:, 0].sum())
        self.counts["top5"] += int(right.sum())

    def progress(self) -> dict[str, float]:
        """The running counts."""
        return dict(self.counts)

    def record(self) -> dict[str, Any]:
        """The counts and the loader's own figures."""
        return loader_record(self._loader) | {"counts": self.counts}


def padded(images: torch.Tensor, size: int) -> torch.Tensor:
    """``images`` repeated until there are ``size``."""
    if len(images) >= size:
        return images
    wanted = torch.arange(size) % len(images)
    return images[wanted].contiguous(memory_format=torch.channels_last)


def loader_record(loader: Loader) -> dict[str, Any]:
    """What decoding did: images, bad files with reasons, animated ones, time and rate (images/s)."""
    return {"decoded": loader.images, "bad": [[str(path), why] for path, why in loader.bad],
            "animated": loader.animated, "decode_s": loader.decode_s, "wait_s": loader.wait_s,
            "loader_images_per_s": loader.images_per_s, "loader_workers": loader.workers}
