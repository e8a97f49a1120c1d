"""A Case -> the data set and the weights that it reads, found and checked before any worker starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ..errors import BadInput, BenchError, Skipped
from ..files import sha256_of
from ..stack import user_cache
from . import dataset
from .case import AnyCase
from .dataset import DataSet

#: torchvision's IMAGENET1K_V1; its name ends in the first digits of its SHA-256 (torch's rule for such names).
WEIGHTS_NAME = "resnet50-0676ba61.pth"
IMAGENET_CLASSES = 1000
#: Set for a case that ctest runs as one of many, wherever it runs: without images or weights it is then skipped.
SKIP_VARIABLE, SKIP = "RESNET50_BENCH_SKIP_WITHOUT_INPUTS", "1"
#: Where Dockerfile.1.inference puts them.
_IMAGE_WEIGHTS, _IMAGE_DATASET = Path("/weights"), Path("/dataset")


class InputsRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was read: files with their digests, and how many classes and images the data set has."""

    weights: str | None = None
    weights_sha256: str | None = None
    dataset: str | None = None
    dataset_digest: str | None = None
    classes: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Inputs:
    """``dataset`` is None for dummy images; ``record``, for the result, names the weights where there are some.

    ``notices`` go to the log.
    """

    dataset: DataSet | None = None
    record: InputsRecord = InputsRecord(weights="", weights_sha256="")
    notices: tuple[str, ...] = ()


def find(case: AnyCase) -> Inputs:
    """Look for what the case needs. Raises BadInput: what is missing, where it was searched, what to do. If
    ``SKIP_VARIABLE`` is set, raises Skipped instead for an accuracy case without images or weights."""
    try:
        return _find(case)
    except OSError as error:  # such as a name of 300 letters, or a folder above that this user may not search
        raise BadInput(f"{str(error.filename)[:200]} cannot be read: {error.strerror}; give a path that this user may "
                       "read") from error


def _find(case: AnyCase) -> Inputs:
    why = missing(case, may_skip=os.environ.get(SKIP_VARIABLE) == SKIP)
    if why and not case.dataset:
        raise why
    images = (dataset.scan(Path(case.dataset or _IMAGE_DATASET), "train" if case.training else "val")
              if case.data_type == "real" else None)
    notices = [f"data set: {notice}" for notice in images.notices] if images else []
    if why:  # an error in a given DATASET is reported first
        raise why
    weights = _weights(case)
    if images and not weights and not case.training:
        notices.append("no weights were given, so random ones are used (seeded). The speed is the same, the answers "
                       "mean nothing")
    if case.qconf and not Path(case.qconf).is_file():
        raise BadInput(f"QCONF={case.qconf}: there is no such file; each run of an int8 case writes one "
                       "(qconf_summary.json)")
    if case.checkpoint and not Path(case.checkpoint).parent.is_dir():
        raise BadInput(f"CHECKPOINT={case.checkpoint}: there is no such folder; make it first")
    record = InputsRecord(weights=str(weights or ""), weights_sha256=_digest(weights) if weights else "")
    if images:
        record = replace(record, dataset=str(images.root), dataset_digest=dataset.digest(images),
                         classes=len(images.classes), images=len(images.images))
    return Inputs(images, record, tuple(notices))


def missing(case: AnyCase, may_skip: bool) -> BenchError | None:
    """The inputs that were neither given nor found in the usual places. Cheap: reads no image and no weights.

    With ``may_skip``, an accuracy case with neither DATASET nor WEIGHTS is Skipped: the user did not ask for it.
    """
    kind = Skipped if may_skip and case.accuracy and not (case.dataset or case.weights) else BadInput
    empty = not _IMAGE_DATASET.is_dir() or not any(_IMAGE_DATASET.iterdir())
    if case.data_type == "real" and not case.dataset and empty:
        asked = "MODE=accuracy" if case.accuracy else "DATA_TYPE=real"
        return kind(f"{asked} needs images, and {_IMAGE_DATASET} contains none: give DATASET=<folder with "
                    "[val/]<class>/<image>>. To make this folder from ImageNet's tar: scripts/resnet50-bench.sh "
                    "dataset ILSVRC2012_img_val.tar /data/imagenet --ground-truth FILE")
    if case.accuracy and not case.weights and _usual_weights() is None:
        return kind(f"MODE=accuracy needs weights: none at {', '.join(map(str, _places()))}; give WEIGHTS=<file>, or "
                    f"fetch {WEIGHTS_NAME} from download.pytorch.org/models")
    return None


def _weights(case: AnyCase) -> Path | None:
    if case.weights:
        if not Path(case.weights).is_file():
            raise BadInput(f"WEIGHTS={case.weights}" + (" is a folder; give the checkpoint file in it" if Path(
                case.weights).is_dir() else ": there is no such file"))
        return Path(case.weights)
    return None if case.data_type == "dummy" or case.training else _usual_weights()


def _usual_weights() -> Path | None:
    return next((path for path in _places() if os.access(path, os.R_OK)), None)  # never below another user's HOME


def _places() -> Iterator[Path]:
    yield _IMAGE_WEIGHTS / WEIGHTS_NAME
    torch_home = Path(os.environ.get("TORCH_HOME") or user_cache.of_all_programs() / "torch")
    yield torch_home / "hub/checkpoints" / WEIGHTS_NAME


def _digest(weights: Path) -> str:
    """The file's SHA-256. It must begin with the eight hexadecimal digits that end the file name (torch's rule)."""
    try:
        sha256 = sha256_of(weights)
    except OSError as error:
        raise BadInput(f"the weights {weights} cannot be read: {error.strerror}") from error
    named = re.search(r"-([0-9a-f]{8})\.pth$", weights.name)
    if named and not sha256.startswith(named[1]):
        raise BadInput(f"the weights {weights} have the SHA-256 {sha256[:16]}..., which does not begin with "
                       f"{named[1]} as their name says: the download broke, fetch them again")
    return sha256
