"""A Case and its placement -> whether its batches can be held at all.

What cannot would not fail at once: allocators reserve without asking, and the machine then swaps and kills for minutes.
"""

from __future__ import annotations

from ..case.case import Case
from ..case.precision import PRECISIONS
from ..errors import DoesNotFit
from ..result.placement import Placement

#: Of one image: three channels of 224 x 224 in fp32, of which every batch is made.
_IMAGE_BYTES = 4 * 3 * 224 * 224
#: Numbers that the first convolution gives for an image: 64 channels of 112 x 112 (He et al. 2016, table 1).
_FIRST_OUTPUT = 64 * 112 * 112
#: Those of all 53 convolutions (the same table, torchvision's strides): a training keeps them for the way back.
_EVERY_OUTPUT = 11_113_984
_GB = 1e9


def least_bytes(case: Case, placement: Placement) -> int:
    """What a step needs at least: the batch of each process, and in each instance what its convolutions give."""
    outputs = _EVERY_OUTPUT if case.training else _FIRST_OUTPUT
    output_bytes = outputs * PRECISIONS[case.precision].dtype.bytes
    return case.batch_size * (_IMAGE_BYTES * len(placement.processes) + output_bytes * len(placement.instances))


def require(case: Case, placement: Placement, copies: int, free_bytes: int | None) -> None:
    """Raises DoesNotFit where less is free than ``copies`` runs at once need; None: nothing is known of it."""
    needed = copies * least_bytes(case, placement)
    if free_bytes is not None and needed > free_bytes:
        count = copies * len(placement.instances)
        largest = case.batch_size * free_bytes // needed
        fewer = ", or fewer instances by CORES_PER_INSTANCE" if len(placement.instances) > 1 else ""
        raise DoesNotFit(
            f"BATCH_SIZE={case.batch_size} does not fit: {count} instance{'s' * (count > 1)} would hold at least "
            f"{needed / _GB:.1f} GB of images and activations, and {free_bytes / _GB:.1f} GB of memory are free: give "
            f"a smaller BATCH_SIZE{fewer} (nothing above {largest} can fit, and what does fit may be far below)")
