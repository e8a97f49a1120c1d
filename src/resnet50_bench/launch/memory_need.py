"""A Case and its placement -> whether its batches can be held at all.

What cannot would not fail at once: allocators reserve without asking, and the machine then swaps and kills for minutes.
"""

from __future__ import annotations

from ..case.case import Case
from ..case.precision import PRECISIONS
from ..errors import DoesNotFit
from .placement import Placement

#: Of one image: three channels of 224 x 224 in fp32, of which every batch is made; and the 64 channels of 112 x 112
#: that the first convolution gives (He et al. 2016, table 1).
_IMAGE_BYTES = 4 * 3 * 224 * 224
_FIRST_LAYER = 64 * 112 * 112
_BYTES = {"int8": 1, "bfloat16": 2}
_GB = 1e9


def least_bytes(case: Case, placement: Placement) -> int:
    """What a step needs at least: the batch of each process, and its first layer's output in each instance."""
    output = _FIRST_LAYER * _BYTES.get(PRECISIONS[case.precision].data_type, 4)
    return case.batch_size * (_IMAGE_BYTES * len(placement.processes) + output * len(placement.instances))


def require(case: Case, placement: Placement, free_bytes: int | None) -> None:
    """Raises DoesNotFit where less than ``least_bytes`` is free; nothing is known where that is None."""
    needed = least_bytes(case, placement)
    if free_bytes is not None and needed > free_bytes:
        count = len(placement.instances)
        largest = case.batch_size * free_bytes // needed
        raise DoesNotFit(
            f"BATCH_SIZE={case.batch_size} does not fit: {count} instance{'s' * (count > 1)} would hold at least "
            f"{needed / _GB:.1f} GB of images and activations, and {free_bytes / _GB:.1f} GB of memory are free "
            f"(nothing above {largest} can fit): give a smaller BATCH_SIZE, or fewer instances by CORES_PER_INSTANCE")
