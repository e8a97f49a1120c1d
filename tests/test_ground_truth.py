"""ImageNet's ground truth: the right lists give the synsets that are public facts, another order is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet50_bench.case.imagenet import FIRST_ID, FIRST_SYNSETS, read_ground_truth
from resnet50_bench.errors import BadInput

#: How ILSVRC2012_validation_ground_truth.txt begins.
IDS = (490, 361, 171, 822, 297, 482, 13, 704, 599, 164)
#: A FAKE list of 1000 synsets, of which those of the first ten images are where meta.mat has them.
META = [f"n{90000000 + number}" for number in range(1000)]
for _id, _synset in zip(IDS, FIRST_SYNSETS, strict=True):
    META[_id - 1] = _synset


def read(folder: Path, truth: object, synsets: object = None) -> list[str]:
    for name, lines in (("truth.txt", truth), ("synsets.txt", synsets)):
        if lines:
            (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return read_ground_truth(folder / "truth.txt", folder / "synsets.txt" if synsets else None)


def test_the_official_lists_give_the_synsets_that_are_known(tmp_path):
    assert META[FIRST_ID - 1] == FIRST_SYNSETS[0]
    assert read(tmp_path, IDS, META) == list(FIRST_SYNSETS)
    assert read(tmp_path, FIRST_SYNSETS) == list(FIRST_SYNSETS)
    by_sorted = [sorted(META).index(synset) + 1 for synset in FIRST_SYNSETS]
    assert read(tmp_path, by_sorted, sorted(META)) == list(FIRST_SYNSETS), "ids of a sorted list with that list"


@pytest.mark.parametrize(("truth", "synsets", "why"), [
    (IDS, sorted(META), "ILSVRC2012_val_00000001.JPEG is n01751748, not n.*the synsets are sorted, but"),
    ([number - 1 for number in IDS], META, "meta.mat, where n01751748 is 490"),
    (sorted(FIRST_SYNSETS), None, "line k must be the synset of ILSVRC2012_val_<k>.JPEG"),
    (["n00000001"] * 50_000, None, "ILSVRC2012_val_00000001.JPEG is n01751748, not n00000001")])
def test_lists_in_another_order_are_refused(tmp_path, truth, synsets, why):
    with pytest.raises(BadInput, match=why) as refused:
        read(tmp_path, truth, synsets)
    assert "\n" not in str(refused.value)


def test_a_set_of_other_classes_is_not_held_to_imagenets_labels(tmp_path):
    assert read(tmp_path, [2, 1], ["n00000001", "n00000002"]) == ["n00000002", "n00000001"]
