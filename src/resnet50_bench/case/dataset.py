"""A folder of class folders with image files -> the list of its images with labels, parts and samples of it.

Reads names only, with the standard library: what is in the files is ``data``'s business. What is left out
is never left out in silence: it is in ``DataSet.notices``.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp"})


class Image(NamedTuple):
    """A file and the index of its class folder in sorted order."""

    path: Path
    label: int


@dataclass(frozen=True)
class DataSet:
    """Images in the order of their paths; ``notices`` are lines on what in ``root`` was left out."""

    root: Path
    classes: tuple[str, ...]
    images: tuple[Image, ...]
    notices: tuple[str, ...] = ()


def scan(root: Path, part: str = "val") -> DataSet:
    """The data set in ``root/<part>/<class>/*``, or where there is no such part, ``root/<class>/*``.

    Labels are those of torchvision's ImageFolder: the index of the class folder in sorted order, empty
    folders included. Files are told by their extension (EXTENSIONS, any case) and not opened.
    Raises BadInput where the folder is missing, cannot be read, or holds no class folder or no image.
    """
    layout = f"give a folder that holds [{part}/]<class>/<image>, as resnet50-bench dataset makes it"
    folder = root / part if (root / part).is_dir() else root
    if not folder.is_dir():
        raise BadInput(f"the data set {root} is not a folder; {layout}")
    images: list[Image] = []
    empty: list[str] = []
    others: list[str] = []
    try:
        top = sorted(folder.iterdir())
        classes = tuple(path.name for path in top if path.is_dir())
        beside = [path.name for path in top if not path.is_dir()]
        for label, name in enumerate(classes):
            count = len(images)
            for path in sorted((folder / name).iterdir()):
                if path.suffix.lower() in EXTENSIONS:
                    images.append(Image(path, label))
                else:
                    others.append(f"{name}/{path.name}")
            empty += [name] if len(images) == count else []
    except OSError as error:
        raise BadInput(f"the data set {root} cannot be read ({error}); make it readable for this user") from error
    if not classes:
        raise BadInput(f"{folder} holds no class folders; {layout}")
    if not images:
        raise BadInput(f"{folder} holds {len(classes)} folders ({_some(classes)}) and not one image "
                       f"({' '.join(sorted(EXTENSIONS))}); {layout}")
    left_out = {"files beside the class folders": beside, "entries without the extension of an image": others,
                "class folders without an image": empty}
    notices = tuple(f"{len(names)} {what}: {_some(names)}" for what, names in left_out.items() if names)
    return DataSet(root, classes, tuple(images), notices)


def _some(names: Sequence[object]) -> str:
    return ", ".join(str(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def split(dataset: DataSet, count: int) -> list[DataSet]:
    """``count`` parts whose sizes differ by at most 1; image i is in part ``i % count``. Raises BadInput."""
    if count < 1:
        raise BadInput(f"a data set cannot be split into {count} parts; allowed are 1 or more")
    return [replace(dataset, images=dataset.images[part::count]) for part in range(count)]


def calibration_sample(dataset: DataSet, count: int, seed: int) -> tuple[Image, ...]:
    """``count`` different images, one of each class before any class gives its next.

    In the order of SHA-256 over seed, class and file name: the same wherever the set lies. Raises BadInput.
    """
    if not 1 <= count <= len(dataset.images):
        raise BadInput(f"{count} calibration images asked for; allowed are 1 to {len(dataset.images)}, "
                       f"the images in {dataset.root}: ask for fewer or give a larger set")
    ranked = sorted(dataset.images, key=lambda image: hashlib.sha256(
        os.fsencode(f"{seed}/{dataset.classes[image.label]}/{image.path.name}")).digest())
    turns: defaultdict[int, Iterator[int]] = defaultdict(itertools.count)
    turn = {image: next(turns[image.label]) for image in ranked}
    return tuple(sorted(ranked, key=turn.__getitem__)[:count])


def digest(dataset: DataSet) -> str:
    """SHA-256 over class, name and size of every image: equal for equal sets, wherever they lie."""
    names = hashlib.sha256()
    for image in dataset.images:
        names.update(os.fsencode(f"{dataset.classes[image.label]}/{image.path.name} {image.path.lstat().st_size}\n"))
    return names.hexdigest()
