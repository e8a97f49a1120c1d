"""A folder of class folders with image files -> the list of its images with labels, its parts and its samples.

Reads file names only, with the standard library. ``worker/data.py`` reads the files. ``DataSet.notices`` lists
everything that was left out.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp"})
#: Folders that file managers, archivers and file systems make, in lower case (macOS, Synology, QNAP, ext4, Windows).
_FOREIGN = frozenset({"__macosx", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb",
                      "lost+found", "$recycle.bin", "system volume information", "__pycache__"})


class Image(NamedTuple):
    """An image file and its label: the index of its class folder in ``DataSet.classes``."""

    path: Path
    label: int


@dataclass(frozen=True)
class DataSet:
    """Images, ordered by class and path. ``notices`` name the entries of ``root`` that were left out, and a class order
    that differs from torchvision's."""

    root: Path
    classes: tuple[str, ...]
    images: tuple[Image, ...]
    notices: tuple[str, ...] = ()


def scan(root: Path, part: str = "val") -> DataSet:
    """Read the data set in ``root/<part>/<class>/*``, or in ``root/<class>/*`` if ``root/<part>`` does not exist.

    Labels are those of torchvision's ImageFolder: the index of the class folder in sorted order, empty folders
    included. Two differences cause a notice each: class folders whose names are all numbers are in numerical order, and
    hidden folders and those of file managers (``is_foreign``) are not classes.
    Image files are recognised by their extension (EXTENSIONS, any case) and not opened.
    Raises BadInput if the folder is missing, unreadable, or contains no class folder or no image.
    """
    layout = f"give a folder with [{part}/]<class>/<image>, as resnet50-bench dataset makes it"
    folder = root / part if (root / part).is_dir() else root
    if not folder.is_dir():
        raise BadInput(f"the data set {root} is not a folder; {layout}")
    images: list[Image] = []
    empty: list[str] = []
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    try:
        names = []
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not is_foreign(path.name):
                names.append(path.name)
            else:
                left_out[_kind(path)].append(path.name)
        classes = _in_order(names)
        for label, name in enumerate(classes):
            count = len(images)
            for path, is_file in _entries(folder / name):
                if is_file and path.suffix.lower() in EXTENSIONS and not is_foreign(path.name):
                    images.append(Image(path, label))
                else:
                    left_out[_kind(path)].append(f"{name}/{path.name}")
            empty += [name] if len(images) == count else []
    except OSError as error:
        raise BadInput(f"the data set {root} cannot be read ({error}); make it readable for this user") from error
    notices = [f"{len(entries)} {what}: {some(entries)}" for what, entries in left_out.items()]
    if not classes:
        raise BadInput("; ".join([f"{folder} contains no class folders", *notices, layout]))
    if not images:
        raise BadInput(f"{folder} contains {len(classes)} folders ({some(classes)}) and no image "
                       f"({' '.join(sorted(EXTENSIONS))}); {_deeper(folder, left_out[_FOLDERS])}{layout}")
    if empty:
        notices.append(f"{len(empty)} class folders without an image: {some(empty)}")
    return DataSet(root, classes, tuple(images), (*_order_notice(classes), *_width_notice(classes), *notices))


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    """The entries sorted by name, each with "is not a folder". The listing tells it, without a stat of 50,000 files."""
    with os.scandir(folder) as entries:
        return [(folder / entry.name, not entry.is_dir()) for entry in sorted(entries, key=lambda entry: entry.name)]


def is_foreign(name: str) -> bool:
    """Whether a file manager, archiver, notebook or file system made the entry, not the author of the data set."""
    return name.startswith(".") or name.lower() in _FOREIGN


_FOLDERS = "folders inside class folders, which are not read"


def _kind(path: Path) -> str:
    """The word for an entry that is left out."""
    if is_foreign(path.name):
        return "hidden or system entries, which are neither classes nor images"
    return _FOLDERS if path.is_dir() else "files that are not images in a class folder"


def _deeper(folder: Path, nested: Sequence[str]) -> str:
    """A hint for the case that the class folders are one level deeper."""
    return f"if {nested[0]} is a class folder, give DATASET={folder / nested[0].partition('/')[0]}; " if nested else ""


def _in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Sort as text, as torchvision does. Names that are all numbers are label indices (ImageNetV2): sort by number."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _order_notice(classes: Sequence[str]) -> Iterator[str]:
    by_text = sorted(classes)
    if by_text != list(classes):
        first = next(label for label, name in enumerate(classes) if name != by_text[label])
        yield (f"class folders are numbers, so labels are in number order: label {first} is {classes[first]}. "
               f"torchvision's ImageFolder has text order, where it is {by_text[first]}: for weights trained that way, "
               "rename the folders so that text order and number order agree, such as 0000, 0001")


def _width_notice(classes: Sequence[str]) -> Iterator[str]:
    """A notice for names such as class_1 ... class_10, whose author may have meant numerical order."""
    last: dict[str, tuple[int, str]] = {}
    for label, name in enumerate(classes):
        if found := re.match("([^0-9]*)([0-9]+)", name):
            number, before = int(found[2]), last.get(found[1], (-1, ""))
            if number < before[0]:
                yield ("class folders are in text order, as in torchvision's ImageFolder: "
                       f"{before[1]} is before {name}, which is label {label}. For weights trained in number order, "
                       "rename the folders so that all numbers have the same width, such as class_01")
                return
            last[found[1]] = number, name


def some(names: Sequence[str]) -> str:
    """The first three names, and the number of the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def split(dataset: DataSet, count: int) -> list[DataSet]:
    """``count`` parts whose sizes differ by at most 1; image i is in part ``i % count``."""
    return [replace(dataset, images=dataset.images[part::count]) for part in range(count)]


def calibration_sample(dataset: DataSet, count: int, seed: int) -> tuple[Image, ...]:
    """Choose ``count`` different images, or all if there are fewer. Takes one of each class before a second of any.

    Sorts by the SHA-256 of seed, class and file name, so the choice does not depend on the data set's location.
    """
    ranked = sorted(dataset.images, key=lambda image: hashlib.sha256(
        os.fsencode(f"{seed}/{dataset.classes[image.label]}/{image.path.name}")).digest())
    turns: defaultdict[int, Iterator[int]] = defaultdict(itertools.count)
    turn = {image: next(turns[image.label]) for image in ranked}
    return tuple(sorted(ranked, key=turn.__getitem__)[:count])


def digest(dataset: DataSet) -> str:
    """SHA-256 over class, name and size of every image. It does not depend on location, or on files or links."""
    names = hashlib.sha256()
    for path, label in dataset.images:
        try:
            size = path.stat().st_size  # links are followed
        except OSError:  # a dangling link: the loader reports it
            size = -1
        names.update(os.fsencode(f"{dataset.classes[label]}/{path.name} {size}\n"))
    return names.hexdigest()
