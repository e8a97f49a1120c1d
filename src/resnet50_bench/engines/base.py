"""A ModelRequest -> a Prepared model: what every engine takes and gives, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision

IMAGE_SIZE = 224
CLASSES = 1000
#: Weights and calibration images of dummy runs come from this seed, so that runs are alike.
SEED = 20150512

_DTYPES = {"float32": torch.float32, "bfloat32": torch.float32, "bfloat16": torch.bfloat16,
           "int8": torch.float32}


@dataclass(frozen=True)
class ModelRequest:
    """What to prepare. ``data_type`` as in ``Precision``; ``isa_cap`` only keys the cache."""

    precision: str
    data_type: str
    isa_cap: str
    batch_size: int
    cache_dir: Path

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the images that the model is called with."""
        return _DTYPES[self.data_type]


@dataclass(frozen=True)
class Prepared:
    """A model ready to be called with a batch; ``cache`` says hit, built, rebuilt (why) or unused."""

    model: Callable[[torch.Tensor], torch.Tensor]
    cache: str


class Engine(ABC):
    """One way to run the model."""

    @abstractmethod
    def prepare(self, request: ModelRequest) -> Prepared:
        """Optimise ResNet50 for the request, from the cache where that is possible."""

    @abstractmethod
    def prepare_peak(self, request: ModelRequest) -> Prepared:
        """Optimise ``peak.product()`` in the same way; called with ``peak.images(request.input_dtype)``."""

    @abstractmethod
    def onednn_verbose(self) -> AbstractContextManager[object]:
        """While entered, the oneDNN that this engine uses prints what it runs on stdout."""


def resnet50() -> torch.nn.Module:
    """ResNet50 with seeded random weights, for inference, channels last."""
    torch.manual_seed(SEED)
    model = torchvision.models.resnet50(weights=None).eval()
    return model.to(memory_format=torch.channels_last)


def dummy_batch(batch_size: int, dtype: torch.dtype, seed: int = SEED) -> torch.Tensor:
    """Normal noise of shape (batch_size, 3, 224, 224), channels last: normalised images' scale."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch_size, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return images.to(dtype).contiguous(memory_format=torch.channels_last)


def denormal_share() -> float:
    """Share of denormal numbers among all activations of one fp32 forward pass of one image.

    Arithmetic on denormals is many times slower on some CPUs, and only fp32 has room to show them.
    """
    denormal, total = 0, 0

    def count(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal denormal, total
        magnitude = output.abs()
        denormal += int(((magnitude > 0) & (magnitude < torch.finfo(torch.float32).tiny)).sum())
        total += output.numel()

    model = resnet50()
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.inference_mode():
        model(dummy_batch(1, torch.float32))
    return denormal / total
