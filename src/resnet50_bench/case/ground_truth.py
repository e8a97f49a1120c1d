"""The ground truth of ImageNet's validation images, as files of lines -> the synset of each image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadInput

_SYNSET = re.compile(r"n[0-9]{8}")
#: Of ILSVRC2012_val_00000001.JPEG to ..._00000010.JPEG, as soumith/imagenetloader.torch's valprep.sh sorts them.
FIRST_SYNSETS = ("n01751748", "n09193705", "n02105855", "n04263257", "n03125729", "n01735189", "n02346627", "n02776631",
                 "n03794056", "n02328150")
#: The first of ILSVRC2012_validation_ground_truth.txt: the synset's line in the development kit's meta.mat.
FIRST_ID = 490
IMAGES = 50_000


def read_ground_truth(truth: Path, synsets: Path | None) -> list[str]:
    """The synset of each image, in the images' order; ids are 1-based lines of ``synsets``.

    ILSVRC ids are those of the development kit (meta.mat), not the sorted order of the synsets.
    Raises BadInput for a line that is neither a synset nor an id that ``synsets`` has, and where ImageNet's first
    images would get other synsets than theirs.
    """
    labels, names = _labels(truth, synsets)
    why = _not_imagenets(labels, names)
    if why:
        raise BadInput(f"{truth} {f'with {synsets} ' if names else ''}gives wrong labels: {why}")
    return labels


def _labels(truth: Path, synsets: Path | None) -> tuple[list[str], list[str]]:
    """(the synset of each image, the synset of each id where the ground truth has ids)."""
    lines = _lines(truth)
    if not lines:
        raise BadInput(f"{truth} is empty; it must have one line for each image")
    if all(_SYNSET.fullmatch(line) for line in lines):
        return lines, []
    wrong = [f"line {number} ({line[:40]!r})" for number, line in enumerate(lines, 1)
             if not re.fullmatch(r"[0-9]{1,9}", line)]
    if wrong:
        raise BadInput(f"{truth}: {some(wrong)} cannot be used; allowed are either synsets such as n01440764 on "
                       "every line or 1-based ILSVRC ids on every line")
    if synsets is None:
        raise BadInput(f"{truth} holds ILSVRC ids; give --synsets FILE, whose line k begins with the synset of id k")
    names = [(line.split() or [""])[0] for line in _lines(synsets)]
    wrong = [f"line {number} ({name[:40]!r})" for number, name in enumerate(names, 1) if not _SYNSET.fullmatch(name)]
    wrong += [f"{name} twice" for name, count in Counter(names).items() if count > 1 and not wrong]
    if wrong:
        raise BadInput(f"{synsets}: {some(wrong)} cannot be used; each line must begin with another synset")
    wrong = [f"line {number} (id {line})" for number, line in enumerate(lines, 1) if not 1 <= int(line) <= len(names)]
    if wrong:
        raise BadInput(f"{truth}: {some(wrong)} cannot be used; allowed are 1 to {len(names)}, the lines of {synsets}")
    return [names[int(line) - 1] for line in lines], names


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text ({error}); give a text file") from error


def _not_imagenets(labels: Sequence[str], names: Sequence[str]) -> str:
    """What is wrong where the lists are ImageNet's and its first images would get other synsets than theirs.

    A list in another order, such as a sorted one, gives every image a wrong label.
    """
    wrong = [f"ILSVRC2012_val_{number:08d}.JPEG is {theirs}, not {ours}" for number, (theirs, ours)
             in enumerate(zip(FIRST_SYNSETS, labels, strict=False), 1) if theirs != ours]
    if not wrong or not (len(labels) == IMAGES or {*labels, *names}.issuperset(FIRST_SYNSETS)):
        return ""
    if not names:
        return f"{some(wrong)}; line k must be the synset of ILSVRC2012_val_<k>.JPEG"
    order = "the synsets are sorted, but " if list(names) == sorted(names) else ""
    return (f"{some(wrong)}; {order}ILSVRC ids count the synsets in the order of the development kit's meta.mat, where "
            f"{FIRST_SYNSETS[0]} is {FIRST_ID}: give --synsets in that order")


def some(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
