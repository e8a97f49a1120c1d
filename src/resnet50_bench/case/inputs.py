"""A Case -> the data set and the weights that it reads, found and checked before any worker starts."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from ..stack import user_cache
from . import dataset
from .case import AnyCase
from .dataset import DataSet

#: torchvision's IMAGENET1K_V1; its name ends in the first digits of its SHA-256 (torch's rule for such names).
WEIGHTS_NAME = "resnet50-0676ba61.pth"
IMAGENET_CLASSES = 1000
#: Where Dockerfile.1.inference puts them.
_IMAGE_WEIGHTS, _IMAGE_DATASET = Path("/weights"), Path("/dataset")


@dataclass(frozen=True)
class Inputs:
    """``dataset`` is None for dummy images, ``weights`` for seeded random numbers; ``notices`` go to the log."""

    dataset: DataSet | None = None
    dataset_digest: str = ""
    weights: Path | None = None
    weights_sha256: str = ""
    notices: tuple[str, ...] = ()

    def as_record(self) -> dict[str, object]:
        """For the result: what was read, so that results can be compared."""
        record: dict[str, object] = {"weights": str(self.weights or ""), "weights_sha256": self.weights_sha256}
        if self.dataset:
            record |= {"dataset": str(self.dataset.root), "dataset_digest": self.dataset_digest,
                       "classes": len(self.dataset.classes), "images": len(self.dataset.images)}
        return record


def find(case: AnyCase) -> Inputs:
    """Look for what the case needs. Raises BadInput: what is missing, where it was looked for, what to do."""
    notices: list[str] = []
    images = None
    if case.data_type == "real":
        images = dataset.scan(Path(case.dataset) if case.dataset else _default_dataset(),
                             "train" if case.training else "val")
        notices += [f"data set: {notice}" for notice in images.notices]
    weights = _weights(case)
    sha256 = _sha256(weights) if weights else ""
    if weights:
        _check_name(weights, sha256)
    elif images and not case.training:
        notices.append("no weights were given: seeded random ones are as fast, and know nothing")
    if case.qconf and not Path(case.qconf).is_file():
        raise BadInput(f"QCONF={case.qconf}: there is no such file; each run of an int8 case writes one "
                       "(qconf_summary.json)")
    if case.checkpoint and not Path(case.checkpoint).parent.is_dir():
        raise BadInput(f"CHECKPOINT={case.checkpoint}: there is no such folder; make it first")
    return Inputs(images, dataset.digest(images) if images else "", weights, sha256, tuple(notices))


def _default_dataset() -> Path:
    if not _IMAGE_DATASET.is_dir() or not any(_IMAGE_DATASET.iterdir()):
        raise BadInput(f"DATA_TYPE=real needs images: {_IMAGE_DATASET} holds none; give DATASET=<folder with "
                       "[val/]<class>/<image>>; scripts/resnet50-bench.sh dataset makes it from ImageNet's tar")
    return _IMAGE_DATASET


def _weights(case: AnyCase) -> Path | None:
    if case.weights:
        if not Path(case.weights).is_file():
            raise BadInput(f"WEIGHTS={case.weights}: there is no such file")
        return Path(case.weights)
    if case.data_type == "dummy" or case.training:
        return None
    places = list(_places())
    here = next((path for path in places if os.access(path, os.R_OK)), None)  # never below another user's HOME
    if not here and case.accuracy:
        raise BadInput(f"MODE=accuracy needs weights: none at {', '.join(map(str, places))}; give WEIGHTS=<file>, or "
                       f"fetch {WEIGHTS_NAME} from download.pytorch.org/models")
    return here


def _places() -> Iterator[Path]:
    yield _IMAGE_WEIGHTS / WEIGHTS_NAME
    torch_home = Path(os.environ.get("TORCH_HOME") or user_cache.of_all_programs() / "torch")
    yield torch_home / "hub/checkpoints" / WEIGHTS_NAME


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise BadInput(f"the weights {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _check_name(path: Path, sha256: str) -> None:
    """torch's rule: a name that ends in eight hexadecimal digits tells how the SHA-256 begins."""
    named = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if named and not sha256.startswith(named.group(1)):
        raise BadInput(f"the weights {path} have the SHA-256 {sha256[:16]}..., which does not begin with "
                       f"{named.group(1)} as their name says: the download broke, fetch them again")
