"""The interface of all engines: a ModelRequest and its Plain model -> a PreparedModel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

from ...case.precision import INT8, Precision
from ...errors import RunFailed
from .. import data, weights
from ..job import PreparedModel
from ..model_cache import cache_key, source_digest
from ..weights import SEED
from . import peak

IMAGE_SIZE = 224
#: Images in a calibration batch, and the number of batches if images are dummies.
_CALIBRATION_BATCH, _DUMMY_CALIBRATION_IMAGES = 4, 4
#: A sound network's outputs are below 1e3. From 1e16 on the cube of a histogram bin's width overflows, and PyTorch's
#: HistogramObserver searches for minutes at each convolution.
_LARGEST_ANSWER = 1e12


@dataclass(frozen=True)
class Plain:
    """The input of an engine. ``network`` makes the plain model. ``example`` is a batch of the shape and type to run.
    ``calibration`` gives fp32 batches for int8's scales, unless ``qconf`` gives the scales. ``key`` identifies
    everything that the prepared model depends on besides code and CPU."""

    network: Callable[[], torch.nn.Module]
    example: torch.Tensor
    calibration: Callable[[], Iterable[torch.Tensor]]
    key: Mapping[str, str]
    qconf: Path | None = None


@dataclass(frozen=True)
class ModelRequest:
    """The model to prepare. ``isa_cap`` and the SHA-256s are only part of the cache key.

    ``weights`` is None for seeded random weights. ``calibration`` is empty for dummy images. ``qconf`` replaces both.
    """

    precision: Precision
    isa_cap: str
    batch_size: int
    cache_dir: Path
    weights: Path | None = None
    weights_sha256: str = ""
    classes: int | None = None
    calibration: tuple[Path, ...] = ()
    qconf: Path | None = None
    #: Cores of an instance. The peak's product has rows for each core.
    cores: int = 1
    #: Whether the engine's input is fp32 at every precision.
    float32_images: bool = False

    def network(self) -> torch.nn.Module:
        """The plain model. Raises BadInput if the checkpoint is another model's."""
        return weights.network(self.weights, self.classes)

    @property
    def weights_key(self) -> str:
        """The cache key of the weights. It depends on their contents, not on their path."""
        return self.weights_sha256 or f"seed {SEED}"

    def model(self) -> Plain:
        """ResNet50. Its key depends on the contents of files, not on their paths."""
        recipe = source_digest(*([self.qconf] if self.qconf else self.calibration))
        key = {"weights": self.weights_key, "classes": str(self.classes), "recipe": recipe}
        return Plain(self._to_prepare, dummy_batch(self.batch_size, self.input_dtype), self.calibration_images, key,
                     self.qconf)

    def _to_prepare(self) -> torch.nn.Module:
        """The plain model. Raises RunFailed if int8's calibration would not end: see _LARGEST_ANSWER."""
        model = self.network()
        if self.weights and self.precision.dtype is INT8:
            with torch.inference_mode():
                largest = float(model(next(self.calibration_images())).abs().max())
            if not largest < _LARGEST_ANSWER:
                raise RunFailed(f"the weights {self.weights} give answers of {largest:.3g} in fp32, before "
                                "quantisation: use a checkpoint from before the training diverged")
        return model

    def peak(self) -> Plain:
        """The product of matrices that measures the cores' peak."""
        example = peak.images(self.input_dtype, self.cores)
        return Plain(peak.product, example, lambda: [example], {"weights": "peak"})

    def calibration_images(self) -> Iterator[torch.Tensor]:
        """fp32 batches that calibrate the scales of int8. Raises BadImage if one cannot be decoded."""
        if not self.calibration:
            for number in range(_DUMMY_CALIBRATION_IMAGES):
                yield dummy_batch(1, torch.float32, SEED + number)
        for first in range(0, len(self.calibration), _CALIBRATION_BATCH):
            images = [data.load(path) for path in self.calibration[first:first + _CALIBRATION_BATCH]]
            yield torch.stack(images).contiguous(memory_format=torch.channels_last)

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the model's input images."""
        return torch.float32 if self.float32_images else torch_dtype(self.precision)


def torch_dtype(precision: Precision) -> torch.dtype:
    """The type of the input and output tensors of a model of this precision."""
    return getattr(torch, precision.dtype.tensors)  # type: ignore[no-any-return]


class Engine(ABC):
    """One way to run a model. Each TORCH_TYPE's module defines one as ``ENGINE``."""

    def forget(self) -> None:  # noqa: B027
        """Drop what this process compiled for an earlier job."""

    @abstractmethod
    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        """Optimise the plain model for the request, or take it from the cache."""

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        """Optimise ``peak.product()`` in the same way. Its input is ``peak.images(input_dtype, cores)``."""
        return self.prepare(request, request.peak())

    def onednn_verbose(self) -> AbstractContextManager[object]:
        """A context in which this engine's oneDNN prints its primitives on stdout. Does nothing without oneDNN."""
        return nullcontext()


class PyTorchEngine(Engine):
    """An engine that runs PyTorch's own oneDNN."""

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        # Compiling the product would take longer than measuring it. If each call packed the weights again, the peak
        # would be lower than that of other engines.
        return PreparedModel(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


def code_key(example: torch.Tensor, *files: str) -> dict[str, str]:
    """A key of everything that any prepared model depends on: input shape, libraries, and the code that makes it.

    ``files`` are an engine's own modules. Any change of their source, even of a comment, changes the key: an unneeded
    build costs seconds, but a model of an older recipe would be measured as the new one.
    """
    shared = (__file__, data.__file__, weights.__file__, peak.__file__)
    return {"batch_size": str(len(example)), "shape": "x".join(map(str, example.shape)), "torch": torch.__version__,
            "torchvision": metadata.version("torchvision"), "code": source_digest(*shared, *files)}


def model_key(engine: str, request: ModelRequest, plain: Plain, *files: str, **facts: str) -> str:
    """The cache key of a prepared model. ``files``: as for ``code_key``. ``facts``: added by the engine."""
    return cache_key(engine=engine, precision=request.precision.name, saturates=str(request.precision.saturates),
                     **code_key(plain.example, *files), **plain.key, **facts)


def whole_batches(calibration: Iterable[torch.Tensor], size: int) -> list[torch.Tensor]:
    """The images in batches of ``size``, the size of the exported graph. The first images fill up the last batch."""
    images = torch.cat(list(calibration))
    count = -(-len(images) // size) * size
    images = images.repeat(-(-count // len(images)), 1, 1, 1)[:count]
    return [batch.contiguous(memory_format=torch.channels_last) for batch in torch.split(images, size)]


def dummy_batch(batch_size: int, dtype: torch.dtype, seed: int = SEED) -> torch.Tensor:
    """Normal noise of shape (batch_size, 3, 224, 224), channels last, with the scale of normalised images."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch_size, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return images.to(dtype).contiguous(memory_format=torch.channels_last)
