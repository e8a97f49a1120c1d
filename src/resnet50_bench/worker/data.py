"""The images of a data set -> labelled batches of (n, 3, 224, 224) tensors for ResNet50.

``Loader.bad`` lists every image that could not be decoded.
"""

from __future__ import annotations

import os
import signal
import stat
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy
import PIL.Image
import torch
from torch.utils import data as torch_data

from ..case.dataset import DataSet, Image
from ..errors import RunFailed
from ..result.processes import FeedRecord
from ..signals import end_with_parent

#: The formats that Pillow may try, whatever the file's extension. Excludes formats that run programs, such as EPS.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")
PIL.Image.init()  # otherwise a format whose plugin is not loaded raises KeyError
MEAN, STD, SHORT_SIDE, CROP = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256, 224
#: Pillow's own MAX_IMAGE_PIXELS, at which Pillow only warns: 256 MiB as RGB.
MAX_PIXELS = 89_478_485


class BadImage(RunFailed):
    """A file that cannot be decoded: ``path``, and ``why`` in one line."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"{self.path} cannot be used as an image: {self.why}; replace or remove it"


def load(path: Path) -> torch.Tensor:
    """One image as float32 (3, 224, 224), normalised; raises BadImage.

    The recipe of torchvision's ``ResNet50_Weights.IMAGENET1K_V1.transforms()`` (transforms/_presets.py,
    ImageClassification): RGB, shorter side to 256 (bilinear, antialiased), centre 224x224, to [0, 1],
    minus MEAN, divided by STD. As in torchvision, EXIF orientation is not applied. Alpha is dropped, not composited.
    16-bit grey is scaled to 8 bits. An animation counts as its first frame.
    """
    return _load(path)[0]


def _load(path: Path) -> tuple[torch.Tensor, bool]:
    """Return (the image as ``load`` does, whether the file has more than one frame)."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
            raise BadImage(path, "it is not a regular file")
        if not status.st_size:
            raise BadImage(path, "it is empty (0 bytes)")
        with PIL.Image.open(path, formats=FORMATS) as image:
            short, long = sorted(image.size)
            # A strip of 1 x 65535 is small, but not after scaling its shorter side to 256.
            if max(short * long, SHORT_SIDE * SHORT_SIDE * long // max(1, short)) > MAX_PIXELS:
                raise BadImage(path, f"{image.width}x{image.height}, or resized, is over {MAX_PIXELS} pixels")
            animated = image.format in ("GIF", "PNG", "WEBP") and getattr(image, "is_animated", False)
            return _recipe(image), animated
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # on broken files Pillow raises OSError, SyntaxError, ValueError, struct.error ...
        raise BadImage(path, f"{type(error).__name__}: {_why(error)}") from error


def _why(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[-1][:200]  # a DataLoader's begins with a traceback


def _recipe(image: PIL.Image.Image) -> torch.Tensor:
    if image.mode.startswith("I"):
        # convert() clips to 255. This is the PNG specification's rule (13.12, sample depth rescaling).
        wide = numpy.asarray(image).astype(numpy.int64).clip(0, 65535)
        image = PIL.Image.fromarray(((wide * 255 + 32767) // 65535).astype(numpy.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours, without Pillow's warning
    from torchvision.transforms import functional

    image = functional.resize(image.convert("RGB"), [SHORT_SIDE], functional.InterpolationMode.BILINEAR, antialias=True)
    pixels = functional.pil_to_tensor(functional.center_crop(image, [CROP, CROP]))
    normalised: torch.Tensor = functional.normalize(functional.convert_image_dtype(pixels, torch.float32), MEAN, STD)
    return normalised


Batch = tuple[torch.Tensor, torch.Tensor, list[Path]]


class _Chunk(NamedTuple):
    """A decoding process's result: a batch without its bad images, and the facts for the record."""

    batch: Batch
    bad: list[tuple[Path, str]]
    animated: int
    decode_s: float
    cpus: set[int]


def _decode(dtype: torch.dtype, images: Sequence[Image]) -> _Chunk:
    began = time.perf_counter()
    good, bad = [], []
    for image in images:
        try:
            good.append((image, *_load(image.path)))
        except BadImage as error:
            bad.append((image.path, error.why))
    pixels = torch.stack([one for _, one, _ in good]) if good else torch.empty(0, 3, CROP, CROP)
    batch = (pixels.to(dtype, memory_format=torch.channels_last), torch.tensor([image.label for image, *_ in good],
             dtype=torch.int64), [image.path for image, *_ in good])
    return _Chunk(batch, bad, sum(animated for *_, animated in good), time.perf_counter() - began,
                  os.sched_getaffinity(0))


def _start(cpus: Sequence[int], _worker: int) -> None:
    """Set up a decoding process: one thread, bound to ``cpus``, ends with its parent."""
    end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    torch.set_num_threads(1)
    # After the line above: OpenMP binds the thread again when it first runs in a forked process.
    if cpus:
        os.sched_setaffinity(0, cpus)


class Loader:
    """A data set as batches of (images, labels, paths). Each iteration reads it once, in order.

    images: ``dtype`` (n, 3, 224, 224), channels_last. labels: int64 (n,). n is ``batch_size`` except in the
    last batch. Bad images are left out, later ones fill their place, and ``bad`` lists them with the reason.
    Facts of the last iteration: ``images`` (number of good ones), ``bad``, ``animated`` (files of which only the first
    frame was used), ``decode_s`` (reading and decoding, summed over processes), ``wait_s`` (the caller's waiting).
    ``workers`` processes decode on ``cpus`` (none given: the caller's). With 0 workers the caller decodes. They end
    when the iteration is exhausted, closed, dropped or fails, or the caller dies.
    Raises RunFailed after more than ``limit`` bad images (default: 0.1 % of the set, rounded down),
    and if a decoding process dies or is not on ``cpus``.
    """

    def __init__(self, part: DataSet, batch_size: int, dtype: torch.dtype = torch.float32, *, workers: int = 0,
                 cpus: Sequence[int] = (), limit: int | None = None) -> None:
        import torchvision.transforms.functional  # noqa: F401 - imported once here, not in each decoding process

        self.part, self.batch_size, self.dtype = part, batch_size, dtype
        self.workers, self.cpus = workers, tuple(cpus)
        self.limit = len(part.images) // 1000 if limit is None else limit
        self._reset()

    def _reset(self) -> None:
        self.images, self.animated, self.decode_s, self.wait_s = 0, 0, 0.0, 0.0
        self.bad: list[tuple[Path, str]] = []

    def record(self) -> FeedRecord:
        """The record of decoding. ``loader_images_per_s`` is the rate that the decoding processes can deliver."""
        rate = self.images / self.decode_s * max(1, self.workers) if self.decode_s else 0.0
        return FeedRecord(
            decoded=self.images, bad=[(str(path), why) for path, why in self.bad], animated=self.animated,
            decode_s=self.decode_s, wait_s=self.wait_s, loader_images_per_s=rate, loader_workers=self.workers)

    def __iter__(self) -> Iterator[Batch]:
        self._reset()
        size, rest = self.batch_size, None
        with closing(self._chunks()) as chunks:
            for chunk in chunks:
                self._account(chunk)
                images, labels, paths = chunk.batch
                if rest:  # only after a bad image: a copy keeps the batches full
                    images, labels, paths = torch.cat([rest[0], images]), torch.cat([rest[1], labels]), rest[2] + paths
                if len(paths) >= size:
                    yield images[:size], labels[:size], paths[:size]
                    images, labels, paths = images[size:], labels[size:], paths[size:]
                rest = (images, labels, paths) if paths else None
        if rest:
            yield rest

    def _chunks(self) -> Generator[_Chunk, None, None]:
        images, size = self.part.images, self.batch_size
        groups = [images[first:first + size] for first in range(0, len(images), size)]
        began = time.perf_counter()
        with warnings.catch_warnings():  # warns of more processes than the caller's cpus: they have their own
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            chunks = iter(torch_data.DataLoader(
                groups, batch_size=None,  # type: ignore[arg-type]  # a list is a map-style data set
                num_workers=self.workers, collate_fn=partial(_decode, self.dtype),
                worker_init_fn=partial(_start, self.cpus)))
        try:
            for chunk in chunks:
                self.wait_s += time.perf_counter() - began
                yield chunk
                began = time.perf_counter()
        except (RuntimeError, OSError) as error:
            if not self.workers:
                raise
            raise RunFailed(f"a decoding process failed ({_why(error)}): check that it may use the cpus {self.cpus}, "
                            f"and that memory and /dev/shm have room for {2 * self.workers} batches, or use smaller "
                            "batches") from error
        finally:
            if self.workers:
                # A traceback may keep the iterator alive, and no public call ends its processes.
                chunks._shutdown_workers()  # type: ignore[attr-defined]

    def _account(self, chunk: _Chunk) -> None:
        if self.workers and self.cpus and chunk.cpus != set(self.cpus):
            raise RunFailed(f"a decoding process ran on the cpus {sorted(chunk.cpus)} instead of "
                            f"{sorted(self.cpus)}: use cpus that this container may use")
        self.images += len(chunk.batch[2])
        self.animated += chunk.animated
        self.decode_s += chunk.decode_s
        self.bad += chunk.bad
        if len(self.bad) > self.limit:
            named = ", ".join(f"{path} ({why})" for path, why in self.bad[:3])
            raise RunFailed(f"{len(self.bad)} of the first {self.images + len(self.bad)} images in {self.part.root} "
                            f"cannot be decoded, such as {named}; allowed are {self.limit} of "
                            f"{len(self.part.images)}: replace or remove them")
