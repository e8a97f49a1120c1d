"""``dataset TAR FOLDER``: ImageNet's validation tar and its ground truth -> class folders."""

from __future__ import annotations

import sys
from pathlib import Path

from ..arguments import Parser
from ..case import imagenet
from ..errors import BadInput


def parser() -> Parser:
    options = Parser("resnet50-bench dataset", "Unpack ImageNet's validation tar into the class folders that a run "
                     "reads.",
                     "resnet50-bench dataset ILSVRC2012_img_val.tar /data/imagenet --ground-truth truth.txt")
    add = options.add_argument
    add("tar", type=Path, help="ILSVRC2012_img_val.tar")
    add("folder", type=Path, help="the folder in which val/<synset>/ is made")
    add("--ground-truth", type=Path, required=True,
        help="a file with one line per image, in order: a synset (n01440764) or an ILSVRC id from 1 on")
    add("--synsets", type=Path, help="needed for ids: a file whose line k begins with the synset of ILSVRC id k")
    add("--sha256", help=f"the expected SHA-256 of the tar. The official one is {imagenet.OFFICIAL_SHA256}")
    return options


def main(argv: list[str]) -> int:
    """Make the folder. Raises BadInput if tar and ground truth do not fit together, and Infrastructure."""
    words = parser().parse_args(argv)
    wrong = [f"{path} is not a file; give the {what}" for path, what in (
        (words.tar, "tar"), (words.ground_truth, "ground truth"), (words.synsets, "synsets"))
        if path is not None and not path.is_file()]
    if wrong:
        raise BadInput(*wrong)
    synsets = imagenet.read_ground_truth(words.ground_truth, words.synsets)
    if words.sha256:
        imagenet.check_sha256(words.tar, words.sha256, _say)
    known = imagenet.unpack(words.tar, synsets, words.ground_truth, words.folder, _say)
    _say(f"{words.folder}/val is complete: {len(synsets)} images in {len(set(synsets))} classes ({known} were there)")
    return 0


def _say(line: str) -> None:
    print(f"dataset: {line}", file=sys.stderr, flush=True)
