"""What a case reads is found, or refused with its cure, before any worker starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from resnet50_bench.case import dataset, inputs
from resnet50_bench.case.case import Layer, resolve
from resnet50_bench.errors import BadInput, Skipped
from resnet50_bench.launch import plan
from resnet50_bench.result import measurement
from resnet50_bench.result.processes import RightAnswers
from support import fakes


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A FAKE data set: names only, which is all that is looked at here."""
    for name in ("val/cat/1.png", "val/cat/2.JPEG", "val/dog/1.jpg", "train/dog/1.jpg"):
        fakes.put(tmp_path / "set" / name, "")
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def no_weights_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(inputs, "_IMAGE_WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(inputs, "_IMAGE_DATASET", tmp_path / "dataset")


def find(tmp_path: Path, **texts: str) -> inputs.Inputs:
    return inputs.find(case(tmp_path, **texts))


def case(tmp_path: Path, **texts: str):
    return resolve([Layer("--set", {"PRECISION": "amx_int8"} | texts)], fakes.machine(tmp_path / "machine"))


def test_dummy_data_needs_nothing(tmp_path):
    assert find(tmp_path) == inputs.Inputs()


def test_accuracy_without_images_or_weights_says_where_it_looked(tmp_path, pictures):
    with pytest.raises(BadInput, match=r"/dataset contains none: give DATASET="):
        find(tmp_path, MODE="accuracy")
    with pytest.raises(BadInput, match=r"needs weights: none at .*/weights/resnet50-0676ba61.pth, .*/torch/hub"):
        find(tmp_path, MODE="accuracy", DATASET=str(pictures))
    with pytest.raises(BadInput, match="the data set /nowhere is not a folder"):
        find(tmp_path, MODE="accuracy", DATASET="/nowhere")
    with pytest.raises(BadInput, match="WEIGHTS=/nowhere: there is no such file"):
        find(tmp_path, MODE="accuracy", DATASET=str(pictures), WEIGHTS="/nowhere")
    with pytest.raises(BadInput, match=f"WEIGHTS={tmp_path} is a folder"):
        find(tmp_path, MODE="accuracy", DATASET=str(pictures), WEIGHTS=str(tmp_path))


def test_a_case_that_nobody_gave_anything_for_is_skipped_where_it_is_one_of_many(tmp_path, pictures, monkeypatch):
    monkeypatch.setenv(inputs.SKIP_VARIABLE, inputs.SKIP)
    with pytest.raises(Skipped, match="needs images.*resnet50-bench.sh dataset") as skipped:
        find(tmp_path, MODE="accuracy")
    assert skipped.value.exit_status == 77
    for asked in ({"DATASET": str(pictures)}, {"DATASET": "/nowhere"}, {"WEIGHTS": str(Path(__file__))}):
        with pytest.raises(BadInput):  # a data set without weights, a wrong one, weights without a data set
            find(tmp_path, MODE="accuracy", **asked)
    with pytest.raises(BadInput):
        find(tmp_path, DATA_TYPE="real")
    pictures.rename(tmp_path / "dataset")  # as in an image that holds a data set and no weights
    with pytest.raises(Skipped, match="needs weights"):
        find(tmp_path, MODE="accuracy")


def a_set(folder: Path, *names: str) -> dataset.DataSet:
    """A FAKE data set of files with these names, which are also what they hold."""
    for name in names:
        fakes.put(folder / name, name)
    return dataset.scan(folder)


def labels(found: dataset.DataSet) -> dict[str, int]:
    return {image.path.parent.name: image.label for image in found.images}


def test_class_folders_that_are_numbers_are_label_indices(tmp_path):
    v2 = a_set(tmp_path / "v2", *(f"{number}/x.jpeg" for number in range(1000)))
    assert labels(v2) == {str(number): number for number in range(1000)}
    notice, = v2.notices
    assert "number order: label 2 is 2" in notice and "where it is 10" in notice
    padded = a_set(tmp_path / "padded", *(f"{number:03}/x.jpeg" for number in range(12)))
    assert labels(padded)["011"] == 11 and padded.notices == ()
    mixed = a_set(tmp_path / "mixed", "9/x.png", "10/x.png", "background/x.png")
    assert labels(mixed) == {"10": 0, "9": 1, "background": 2}, "torchvision's order"
    assert "text order" in mixed.notices[0] and "10 is before 9, which is label 1" in mixed.notices[0]


@pytest.mark.parametrize(("names", "said"), [
    (("class_1", "class_2", "class_10"), "class_10 is before class_2, which is label 2"),
    (("1_cat", "2_dog", "10_fish"), "10_fish is before 1_cat, which is label 1"),
    (("n01440764", "n01443537", "n15075141"), None), (("class_01", "class_02", "class_10"), None),
    (("cat1", "cat-2", "dog", "2nd"), None)])
def test_numbers_of_several_widths_in_the_names_of_classes_are_said(tmp_path, names, said):
    found = a_set(tmp_path, *(f"{name}/x.jpg" for name in names))
    assert found.classes == tuple(sorted(names)), "torchvision's order"
    assert said in found.notices[0] if said else not found.notices


def test_a_folder_that_is_named_as_an_image_is_none(tmp_path):
    found = a_set(tmp_path, "a/x.jpg", "a/sub.jpg/y.jpg")
    assert [image.path.name for image in found.images] == ["x.jpg"] and "a/sub.jpg" in found.notices[0]


@pytest.mark.parametrize("foreign", [".ipynb_checkpoints", "__MACOSX", "@eaDir", "lost+found", ".Trash-1000",
                                     "$RECYCLE.BIN", "System Volume Information", "#recycle"])
def test_foreign_folders_are_no_classes_and_are_named(tmp_path, foreign):
    (tmp_path / "empty").mkdir()
    found = a_set(tmp_path, f"{foreign}/x.jpg", "a/x.jpg", f"z/{foreign}/x.jpg", "z/._x.jpg", "z/x.jpg")
    assert labels(found) == {"a": 0, "z": 2} and len(found.images) == 2, "an empty class counts, as torchvision's does"
    assert f"3 hidden or system entries, which are neither classes nor images: {foreign}" in " ".join(found.notices)


def test_a_set_that_is_one_folder_further_down_is_told_where(tmp_path):
    with pytest.raises(BadInput, match=rf"give DATASET={tmp_path}/val/val; ") as refused:
        a_set(tmp_path, "val/val/n01440764/x.JPEG")
    assert "\n" not in str(refused.value)
    found = a_set(tmp_path / "other", "a/x.jpg", "a/deeper/x.jpg")
    assert "1 folders inside class folders, which are not read: a/deeper" in found.notices


@pytest.mark.parametrize("name", ["DATASET", "WEIGHTS", "QCONF"])
def test_a_path_that_cannot_even_be_looked_for_is_refused(tmp_path, pictures, name):
    given = {"MODE": "accuracy", "DATASET": str(pictures), "WEIGHTS": str(Path(__file__)), name: f"/{300 * 'x'}"}
    with pytest.raises(BadInput, match=r"/x+ cannot be read: File name too long"):
        find(tmp_path, **given)


def test_links_have_the_digest_of_what_they_lead_to(tmp_path):
    names = ("a/1.JPG", "a/2.jpeg", "b/3.Webp")
    real = a_set(tmp_path / "real", *names)
    for name in names:
        link = tmp_path / "links" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path / "real" / name)
    (tmp_path / "folders").mkdir()
    for name in "ab":
        (tmp_path / "folders" / name).symlink_to(tmp_path / "real" / name)
    digests = {dataset.digest(dataset.scan(tmp_path / name)) for name in ("real", "links", "folders")}
    assert digests == {dataset.digest(real)}
    (tmp_path / "real/a/1.JPG").write_text("longer than before")
    assert dataset.digest(dataset.scan(tmp_path / "links")) not in digests
    (tmp_path / "real/a/1.JPG").unlink()
    assert dataset.digest(dataset.scan(tmp_path / "links")), "a link that leads nowhere is for the loader to name"


def test_the_name_of_weights_tells_their_sha256(tmp_path, pictures):
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    for name, good in ((f"resnet50-{digest[:8]}.pth", True), ("resnet50-0676ba61.pth", False), ("mine.pth", True)):
        path = tmp_path / name
        path.write_bytes(content)
        if good:
            read = find(tmp_path, MODE="accuracy", DATASET=str(pictures), WEIGHTS=str(path)).record
            assert read.weights_sha256 == digest
        else:
            with pytest.raises(BadInput, match="does not begin with 0676ba61 as their name says"):
                find(tmp_path, MODE="accuracy", DATASET=str(pictures), WEIGHTS=str(path))


def test_the_images_and_torchs_cache_are_found_by_themselves(tmp_path, pictures):
    pictures.rename(tmp_path / "dataset")
    fakes.put(tmp_path / "torch/hub/checkpoints/resnet50-0676ba61.pth", "x")
    with pytest.raises(BadInput, match="fetch them again"):  # found, and seen to be no such file
        find(tmp_path, MODE="accuracy")
    found = find(tmp_path, DATA_TYPE="real", WEIGHTS=str(Path(__file__)))
    assert found.dataset.classes == ("cat", "dog") and len(found.dataset.images) == 3


def test_training_reads_the_training_part(tmp_path, pictures):
    found = find(tmp_path, FUNCTION="training", DATA_TYPE="real", DATASET=str(pictures), PRECISION="amx_bfloat16")
    assert [image.path.parent.parent.name for image in found.dataset.images] == ["train"]


def test_workers_get_samples_of_the_set_that_differ(tmp_path, monkeypatch):
    for number in range(200):
        fakes.put(tmp_path / f"set/{number % 7}/{number}.png", "")
    wanted = case(tmp_path, MODE="accuracy", DATASET=str(tmp_path / "set"), WEIGHTS=str(Path(__file__)))
    given = plan.data(inputs.find(wanted), wanted, parts=3)
    assert (given.classes, given.images, given.parts) == (7, 200, 3)
    assert len(set(given.calibration)) == plan.CALIBRATION_IMAGES
    assert len(set(given.agreement)) == plan.AGREEMENT_IMAGES
    assert given.agreement[:plan.CALIBRATION_IMAGES] != given.calibration


@pytest.mark.parametrize(("texts", "why"), [
    ({"FUNCTION": "training"}, "FUNCTION=training is not supported with amx_int8; use"),
    ({"FUNCTION": "training", "PRECISION": "avx_fp32", "MODE": "latency"}, "MODE=latency is not supported"),
    ({"QCONF": "/q.json", "PRECISION": "avx_fp32"}, "QCONF is only for int8 with TORCH_TYPE=IPEX"),
    ({"DATASET": "/set"}, "DATASET needs DATA_TYPE=real"),
    ({"CHECKPOINT": "/x.pt"}, "CHECKPOINT is written by FUNCTION=training only"),
    ({"WEIGHTS": "mine.pth"}, "is not an absolute path"),
    ({"ACCURACY_TARGET": "120"}, "is not a number from 0 to 100"),
    ({"ACCURACY_TARGET": "nan"}, "is not a number from 0 to 100"),
])
def test_refusals(tmp_path, texts, why):
    with pytest.raises(BadInput, match=why):
        case(tmp_path, **texts)


def test_wilsons_interval_is_that_of_the_literature():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, and 0 of 20.
    low, high = measurement.wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = measurement.wilson(0, 20)
    assert (low, round(high, 4)) == (0.0, 0.1611)
    for right, count in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match=f"{right} right of {count}"):
            measurement.wilson(right, count)


def test_parts_of_an_accuracy_run_are_summed_by_images():
    found = measurement.total([RightAnswers(count=10, top1=10, top5=10), RightAnswers(count=30, top1=0, top5=15)])
    assert (found.count, found.top1, found.top5) == (40, 25.0, 62.5)
    assert found.top1_ci95[0] < 25 < found.top1_ci95[1]


def test_a_difference_of_accuracies_has_its_interval():
    # Newcombe (1998), Statistics in Medicine 17, table II (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    a, b = (measurement.total([RightAnswers(count, right, right)]) for right, count in ((48, 80), (56, 70)))
    found, low, high = measurement.accuracy_difference(a, b)
    assert (round(found, 2), round(low, 2), round(high, 2)) == (20.0, 5.24, 33.39)
