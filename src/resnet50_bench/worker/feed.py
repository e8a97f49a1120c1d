"""A spec's data -> the batches of an instance: the same batches repeatedly, or a data set once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch

from ..errors import RunFailed
from ..result.processes import FeedRecord, RightAnswers
from .data import Batch, Loader
from .stepper import Feed, Shown

#: Decoded images that a process keeps to measure time, so that no batch follows itself in the CPU's caches.
POOL_BYTES = 512 * 2**20


class CycleFeed(Feed):
    """The same batches in turn, without end. The outputs are not checked."""

    def __init__(self, batches: Sequence[torch.Tensor], record: FeedRecord | None = None) -> None:
        """``record`` is the result's record of the batches' source."""
        self._batches, self._record = batches, record or FeedRecord()
        self.example = batches[0]

    def batches(self) -> Iterator[tuple[torch.Tensor, None]]:
        return itertools.cycle([(batch, None) for batch in self._batches])

    def record(self) -> FeedRecord:
        return self._record


def pool_feed(loader: Loader, most_bytes: int) -> CycleFeed:
    """Batches of real images, decoded before the measurement so that the time of a step excludes decoding.

    Raises RunFailed if none can be decoded.
    """
    pool: list[torch.Tensor] = []
    taken = 0
    for images, _, _ in loader:
        if len(images) < loader.batch_size and pool:
            break
        pool.append(padded(images, loader.batch_size))
        taken += pool[-1].nbytes
        if taken >= most_bytes:
            break
    if not pool:
        raise RunFailed(f"not one image of {loader.part.root} could be decoded")
    record = loader.record()
    record.pool_batches = len(pool)
    return CycleFeed(pool, record)


class PassFeed(Feed):
    """Every image of a part once, with a count of the right answers."""

    def __init__(self, loader: Loader) -> None:
        """Raises RunFailed if no image can be decoded."""
        self._loader = loader
        self.length = -(-len(loader.part.images) // loader.batch_size)
        self.counts = RightAnswers(count=0, top1=0, top5=0)
        first = next(iter(loader), None)
        if first is None:
            raise RunFailed(f"not one image of {loader.part.root} could be decoded")
        self.example = padded(first[0], loader.batch_size)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Each batch once. The last is padded for a model traced at one size, and has fewer labels."""
        loader = iter(self._loader)
        while batch := self._next(loader):
            yield batch

    @torch.inference_mode(False)
    def _next(self, loader: Iterator[Batch]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The next batch, not made in inference mode: Inductor would compile again for such tensors."""
        for images, labels, _ in loader:
            return padded(images, self._loader.batch_size), labels
        return None

    def after(self, output: torch.Tensor, labels: torch.Tensor) -> None:
        """Count the right answers of the labelled images."""
        answers = output[:len(labels)].float()
        best = answers.topk(min(5, output.shape[1]), dim=1).indices
        right = best == labels[:, None]
        self.counts.count += len(labels)
        self.counts.top1 += int(right[:, 0].sum())
        self.counts.top5 += int(right.sum())
        self.counts.not_finite += not_finite(answers)

    def shown(self) -> Shown:
        return Shown(counted=self.counts.count, right=self.counts.top1)

    def record(self) -> FeedRecord:
        record = self._loader.record()
        record.counts = self.counts
        return record


def not_finite(output: torch.Tensor) -> int:
    """The number of rows with NaN or infinite numbers."""
    return int((~output.isfinite().all(1)).sum())


def padded(images: torch.Tensor, size: int) -> torch.Tensor:
    """``images`` repeated until there are ``size``."""
    if len(images) >= size:
        return images
    wanted = torch.arange(size) % len(images)
    return images[wanted].contiguous(memory_format=torch.channels_last)
