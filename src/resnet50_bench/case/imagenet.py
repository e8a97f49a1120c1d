"""ImageNet's flat validation tar and its ground truth -> the class folders that a run reads.

Takes ``ILSVRC2012_img_val.tar`` (image-net.org) with members ``ILSVRC2012_val_00000001.JPEG`` ... and
makes ``FOLDER/val/<synset>/ILSVRC2012_val_00000001.JPEG``. A repeated call keeps the files of an interrupted one.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import BadInput, Infrastructure
from ..files import Locked, locked, sha256_of
from .dataset import some

#: Of ILSVRC2012_img_val.tar, 6,744,924,160 bytes, 50,000 images.
OFFICIAL_SHA256 = "c7e06a6c0baccf06d8dbeb6577d71efff84673a5dbdd50633ab44f8ea0456ae0"
_IMAGE = re.compile(r"ILSVRC2012_val_([0-9]{8})\.JPEG")
#: Prints one line of progress.
Say = Callable[[str], None]
_SYNSET = re.compile(r"n[0-9]{8}")
#: Of ILSVRC2012_val_00000001.JPEG to ..._00000010.JPEG, as soumith/imagenetloader.torch's valprep.sh sorts them.
FIRST_SYNSETS = ("n01751748", "n09193705", "n02105855", "n04263257", "n03125729", "n01735189", "n02346627", "n02776631",
                 "n03794056", "n02328150")
#: The first of ILSVRC2012_validation_ground_truth.txt: the synset's line in the development kit's meta.mat.
FIRST_ID = 490
IMAGES = 50_000


def read_ground_truth(truth: Path, synsets: Path | None) -> list[str]:
    """Read the synset of each image, in image order. Ids are 1-based line numbers of ``synsets``.

    ILSVRC ids are those of the development kit (meta.mat), not the sorted order of the synsets.
    Raises BadInput for a line that is neither a synset nor an id in ``synsets``, and if ImageNet's first images would
    get wrong synsets.
    """
    labels, names = _labels(truth, synsets)
    why = _not_imagenets(labels, names)
    if why:
        raise BadInput(f"{truth} {f'with {synsets} ' if names else ''}gives wrong labels: {why}")
    return labels


def _labels(truth: Path, synsets: Path | None) -> tuple[list[str], list[str]]:
    """Return (the synset of each image, the synset of each id if the ground truth uses ids)."""
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
        raise BadInput(f"{truth} contains ILSVRC ids; give --synsets FILE, whose line k begins with the synset of id k")
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
    """The error if the lists are ImageNet's and its first images would get wrong synsets.

    A list in another order, for example sorted, would give every image a wrong label.
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


def unpack(tar: Path, synsets: list[str], truth: Path, folder: Path, say: Say) -> int:
    """Write the tar's images. ``synsets`` are their labels, from file ``truth``. Returns how many existed already.

    Raises BadInput if the inputs do not match (then nothing has been written, unless the tar is truncated),
    Infrastructure if the folder cannot be written.
    """
    try:
        with tarfile.open(tar) as archive:
            members = _members(archive, synsets, tar, truth)
            targets = {name: f"{synset}/{name}" for name, synset in zip(sorted(members), synsets, strict=True)}
            val = folder / "val"
            val.mkdir(parents=True, exist_ok=True)
            with locked(val):
                _refuse_strangers(val, set(targets.values()))
                return _extract(archive, members, targets, val, say)
    except Locked as error:
        raise BadInput(f"another dataset command is writing {error}; wait for it or give another folder") from error
    except (tarfile.TarError, EOFError) as error:
        raise BadInput(f"{tar} is not a complete tar file ({error}); download it again, then repeat this command: "
                       "complete files are kept") from error
    except OSError as error:
        raise Infrastructure(f"{tar} could not be unpacked into {folder}: {error}; it needs the tar's "
                             "size in free space; then call this again, complete files are kept") from error


def check_sha256(tar: Path, expected: str, say: Say) -> None:
    """Raises BadInput if the tar's SHA-256 is not ``expected``."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", expected):
        raise BadInput(f"--sha256 {expected} is not a SHA-256, which has 64 hexadecimal digits, not {len(expected)}")
    say(f"reading {tar} for its SHA-256 ({tar.stat().st_size} bytes)")
    if (digest := sha256_of(tar)) != expected.lower():
        raise BadInput(f"{tar} has the SHA-256 {digest}, not {expected.lower()}; fetch the tar again")


def _members(archive: tarfile.TarFile, synsets: list[str], tar: Path, truth: Path) -> dict[str, tarfile.TarInfo]:
    """Return the members by name. Raises BadInput unless they number from 1 to ``len(synsets)`` without a gap."""
    members = archive.getmembers()
    names = [member.name for member in members]
    wrong = []
    others = [member.name for member in members if not (member.isreg() and _IMAGE.fullmatch(member.name))]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if others:
        wrong.append(f"{tar} contains other files than ILSVRC2012_val_<8 digits>.JPEG: "
                     f"{some(others)}; give the flat validation tar as image-net.org has it")
    if twice:
        wrong.append(f"{tar} contains the same name twice: {some(twice)}; fetch it again")
    if len(members) != len(synsets):
        wrong.append(f"{tar} contains {len(members)} images and {truth} has {len(synsets)} lines; both numbers must be "
                     "equal: "
                     "give the ground truth of this tar")
    known = set(names)
    gaps = [f"{number:08d}" for number in range(1, len(synsets) + 1)
            if not wrong and f"ILSVRC2012_val_{number:08d}.JPEG" not in known]
    if gaps:
        wrong.append(f"{tar} lacks the images {some(gaps)}; they must be numbered from 1: fetch it again")
    if wrong:
        raise BadInput(*wrong)
    return dict(zip(names, members, strict=True))


def _refuse_strangers(val: Path, expected: set[str]) -> None:
    """Raises BadInput for unexpected files in ``val``: they would become a class, or images with wrong labels."""
    classes = {target.split("/")[0] for target in expected}
    strangers = [path.name for path in sorted(val.glob("*")) if path.name not in classes]
    strangers += [f"{name}/{path.name}" for name in sorted(classes) for path in sorted((val / name).glob("*"))
                  if f"{name}/{path.name.removesuffix('.partial')}" not in expected]
    if strangers:
        raise BadInput(f"{val} contains files that are not in this tar and ground truth: {some(strangers)}; remove "
                       "them or give another folder")


def _extract(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], targets: dict[str, str],
             val: Path, say: Say) -> int:
    """Write the files that are missing or incomplete. Returns how many were complete already."""
    kept, step = 0, 0
    for done, (name, member) in enumerate(members.items(), 1):
        target = val / targets[name]
        if target.is_file() and target.stat().st_size == member.size:
            kept += 1
        else:
            target.parent.mkdir(exist_ok=True)
            _write(archive, member, target)
        if done * 20 // len(members) > step:
            step = done * 20 // len(members)
            say(f"{done} of {len(members)} images ({step * 5} %)")
    for partial in val.glob("*/*.partial"):
        partial.unlink()
    return kept


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    # One name for all calls: what one that was killed has left is written over by the next.
    partial = target.with_name(f"{target.name}.partial")
    source = archive.extractfile(member)
    if source is None:
        raise tarfile.ReadError(f"{member.name} is not a file")
    with partial.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    if partial.stat().st_size != member.size:
        raise tarfile.ReadError(f"{member.name} is cut off")
    partial.replace(target)
