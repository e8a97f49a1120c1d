"""What every engine takes and gives: a ModelRequest and the Plain model of it -> a PreparedModel."""

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
#: Images a batch of calibration, and batches of it on dummy images.
_CALIBRATION_BATCH, _DUMMY_CALIBRATION_IMAGES = 4, 4
#: A sound network answers below 1e3. PyTorch's HistogramObserver searches for minutes at each convolution where the
#: cube of a bin's width overflows, which is from 1e16 on.
_LARGEST_ANSWER = 1e12


@dataclass(frozen=True)
class Plain:
    """What an engine prepares: ``network`` makes the plain model, ``example`` is a batch like those it will be called
    with, ``calibration`` gives fp32 batches for int8's scales, which ``qconf`` replaces, ``key`` is what the prepared
    model depends on besides code and CPU."""

    network: Callable[[], torch.nn.Module]
    example: torch.Tensor
    calibration: Callable[[], Iterable[torch.Tensor]]
    key: Mapping[str, str]
    qconf: Path | None = None


@dataclass(frozen=True)
class ModelRequest:
    """What to prepare. ``isa_cap`` and the SHA-256s only key the cache.

    ``weights`` is None for seeded random ones, ``calibration`` empty for dummy images; ``qconf`` replaces both.
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
    #: Cores of an instance: the peak's product has rows for each of them.
    cores: int = 1
    #: Whether the engine takes fp32 images whatever it computes in.
    float32_images: bool = False

    def network(self) -> torch.nn.Module:
        """The plain model. Raises BadInput where the checkpoint is another model's."""
        return weights.network(self.weights, self.classes)

    @property
    def weights_key(self) -> str:
        """The contents of the weights, wherever they are."""
        return self.weights_sha256 or f"seed {SEED}"

    def model(self) -> Plain:
        """ResNet50; of files its key has the contents, wherever they lie."""
        recipe = source_digest(*([self.qconf] if self.qconf else self.calibration))
        key = {"weights": self.weights_key, "classes": str(self.classes), "recipe": recipe}
        return Plain(self._to_prepare, dummy_batch(self.batch_size, self.input_dtype), self.calibration_images, key,
                     self.qconf)

    def _to_prepare(self) -> torch.nn.Module:
        """The plain model. Raises RunFailed where int8's calibration would not end: see _LARGEST_ANSWER."""
        model = self.network()
        if self.weights and self.precision.dtype is INT8:
            with torch.inference_mode():
                largest = float(model(next(self.calibration_images())).abs().max())
            if not largest < _LARGEST_ANSWER:
                raise RunFailed(f"the weights {self.weights} give answers of {largest:.3g} in fp32, before "
                                "quantisation: use a checkpoint from before the training diverged")
        return model

    def peak(self) -> Plain:
        """The product that shows what the cores reach."""
        example = peak.images(self.input_dtype, self.cores)
        return Plain(peak.product, example, lambda: [example], {"weights": "peak"})

    def calibration_images(self) -> Iterator[torch.Tensor]:
        """fp32 batches whose activations give the scales of int8. Raises BadImage where one cannot be decoded."""
        if not self.calibration:
            for number in range(_DUMMY_CALIBRATION_IMAGES):
                yield dummy_batch(1, torch.float32, SEED + number)
        for first in range(0, len(self.calibration), _CALIBRATION_BATCH):
            images = [data.load(path) for path in self.calibration[first:first + _CALIBRATION_BATCH]]
            yield torch.stack(images).contiguous(memory_format=torch.channels_last)

    @property
    def input_dtype(self) -> torch.dtype:
        """The type of the images that the model is called with."""
        return torch.float32 if self.float32_images else torch_dtype(self.precision)


def torch_dtype(precision: Precision) -> torch.dtype:
    """The type of the tensors that go into a model of this precision and come out of it."""
    return getattr(torch, precision.dtype.tensors)  # type: ignore[no-any-return]


class Engine(ABC):
    """One way to run a model; the module of a TORCH_TYPE has one as ``ENGINE``."""

    @abstractmethod
    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        """Optimise the plain model for the request, from the cache where that is possible."""

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        """Optimise ``peak.product()`` in the same way; called with ``peak.images(input_dtype, cores)``."""
        return self.prepare(request, request.peak())

    def onednn_verbose(self) -> AbstractContextManager[object]:
        """While entered, the oneDNN that this engine uses prints what it runs on stdout; nothing where it has none."""
        return nullcontext()


class PyTorchEngine(Engine):
    """One that runs PyTorch's own oneDNN."""

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        # Compiling the product would take longer than measuring it. With weights that are packed anew in each call
        # the peak would be below what other engines reach.
        return PreparedModel(peak.Prepacked(request.input_dtype, request.cores), "unused")

    def onednn_verbose(self) -> AbstractContextManager[object]:
        return torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)


def code_key(example: torch.Tensor, *files: str) -> dict[str, str]:
    """What every prepared model depends on: the shape it is for, the libraries, and the code that makes it.

    ``files`` are an engine's own modules. Their source decides, comments and all: a model built once too often costs
    seconds, one that an older recipe made would be measured as the new one.
    """
    shared = (__file__, data.__file__, weights.__file__, peak.__file__)
    return {"batch_size": str(len(example)), "shape": "x".join(map(str, example.shape)), "torch": torch.__version__,
            "torchvision": metadata.version("torchvision"), "code": source_digest(*shared, *files)}


def model_key(engine: str, request: ModelRequest, plain: Plain, *files: str, **facts: str) -> str:
    """The cache's key of a prepared model; ``files`` as for ``code_key``, ``facts`` are the engine's own."""
    return cache_key(engine=engine, precision=request.precision.name, saturates=str(request.precision.saturates),
                     **code_key(plain.example, *files), **plain.key, **facts)


def whole_batches(calibration: Iterable[torch.Tensor], size: int) -> list[torch.Tensor]:
    """The images in batches of ``size``, which a graph was exported for; the last is filled up from the first."""
    images = torch.cat(list(calibration))
    count = -(-len(images) // size) * size
    images = images.repeat(-(-count // len(images)), 1, 1, 1)[:count]
    return [batch.contiguous(memory_format=torch.channels_last) for batch in torch.split(images, size)]


def dummy_batch(batch_size: int, dtype: torch.dtype, seed: int = SEED) -> torch.Tensor:
    """Normal noise of shape (batch_size, 3, 224, 224), channels last: normalised images' scale."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch_size, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return images.to(dtype).contiguous(memory_format=torch.channels_last)
