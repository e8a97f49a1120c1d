"""A prepared model and the plain fp32 one -> how far their answers agree on the same images.

It shows a broken quantisation where no labels do, and before a whole data set has been gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..result.processes import Agreement
from . import data
from .feed import padded


def agreement(plain: torch.nn.Module, model: Callable[[torch.Tensor], torch.Tensor], paths: Sequence[Path],
              batch_size: int, dtype: torch.dtype) -> Agreement:
    """``images``, ``top1_agreement`` (a share), ``largest_logit_difference`` and ``logit_spread`` (fp32's standard
    deviation over classes, to see that difference in proportion).

    Answers that are not finite never agree, and count in neither of the last two. Images that cannot be decoded are
    passed over: the pass over the data set names them.
    """
    same, count, largest, spread = 0, 0, 0.0, 0.0
    images = [one for path in paths if (one := _load(path)) is not None]
    for first in range(0, len(images), batch_size):
        batch = torch.stack(images[first:first + batch_size]).contiguous(memory_format=torch.channels_last)
        expected = plain(batch)
        given = model(padded(batch, batch_size).to(dtype))[:len(batch)].float()
        # NaN would agree with itself: argmax gives its place.
        finite = expected.isfinite().all(1) & given.isfinite().all(1)
        same += int(((expected.argmax(1) == given.argmax(1)) & finite).sum())
        largest = max([largest, *(expected - given)[finite].abs().amax(1).tolist()])
        spread += float(expected[finite].std(1).sum())
        count += len(batch)
    if not count:
        return Agreement()
    return Agreement(images=count, top1_agreement=same / count, largest_logit_difference=largest,
                     logit_spread=spread / count)


def _load(path: Path) -> torch.Tensor | None:
    try:
        return data.load(path)
    except data.BadImage:
        return None
