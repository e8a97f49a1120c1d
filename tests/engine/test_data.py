"""Pictures good and bad, the loader, and the tool that makes the folder they lie in."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import struct
import tarfile
import warnings
import zlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
PilImage = pytest.importorskip("PIL.Image")
torchvision = pytest.importorskip("torchvision")

from resnet50_bench.case import dataset, imagenet  # noqa: E402
from resnet50_bench.cli import dataset_command  # noqa: E402
from resnet50_bench.errors import BadInput, Infrastructure, RunFailed  # noqa: E402
from resnet50_bench.worker import data  # noqa: E402

RECIPE = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms()


def noise(width: int = 60, height: int = 50, seed: int = 0) -> PilImage.Image:
    """Smooth enough for JPEG, different for each seed."""
    small = numpy.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=numpy.uint8)
    return PilImage.fromarray(small).resize((width, height))


def jpeg(**more) -> bytes:
    sink = io.BytesIO()
    noise(**more).save(sink, "JPEG")
    return sink.getvalue()


def by_torchvision(path: Path) -> torch.Tensor:
    with PilImage.open(path) as image:
        return RECIPE(image.convert("RGB"))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is this large and has no pixels."""
    def block(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + block(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + block(b"IDAT", zlib.compress(b"")) + block(b"IEND", b""))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three classes with 4, 3 and 4 pictures."""
    for number in range(11):
        folder = tmp_path / "val" / f"n0000000{number % 3 + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}.JPEG").write_bytes(jpeg(seed=number))
    return tmp_path


@pytest.fixture(autouse=True)
def one_thread():
    """Pools of threads for such small tensors only get into each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- load ---

@pytest.mark.parametrize("size", [(500, 375), (331, 700), (224, 224), (40, 41)])
def test_the_recipe_is_torchvisions(tmp_path, size):
    path = tmp_path / "x.png"
    PilImage.fromarray(numpy.random.default_rng(1).integers(0, 256, (*size, 3), dtype=numpy.uint8)).save(path)
    found = data.load(path)
    assert found.shape == (3, 224, 224) and found.dtype == torch.float32
    assert torch.equal(found, by_torchvision(path))


@pytest.mark.parametrize(("mode", "name"), [
    ("CMYK", "x.jpg"), ("L", "x.jpg"), ("L", "x.png"), ("1", "x.png"), ("P", "x.png"), ("RGBA", "x.png"),
    ("LA", "x.png"), ("RGB", "x.webp"), ("RGBA", "x.webp"), ("RGB", "x.bmp"), ("P", "x.bmp")])
def test_every_kind_of_picture_is_what_rgb_makes_of_it(tmp_path, mode, name):
    path = tmp_path / name
    noise().convert(mode).save(path)
    assert torch.equal(data.load(path), by_torchvision(path))


def test_a_palette_with_transparency_keeps_its_colours(tmp_path):
    path, opaque = tmp_path / "x.png", tmp_path / "y.png"
    noise().convert("P").save(opaque)
    noise().convert("P").save(path, transparency=bytes(range(256)))
    assert torch.equal(data.load(path), data.load(opaque))


def test_16_bit_grey_keeps_its_contrast(tmp_path):
    wide = numpy.linspace(0, 65535, 300 * 300).astype(numpy.uint16).reshape(300, 300)
    PilImage.fromarray(wide).save(tmp_path / "wide.png")
    PilImage.fromarray(numpy.rint(wide / 257).astype(numpy.uint8)).save(tmp_path / "narrow.png")
    found = data.load(tmp_path / "wide.png")
    assert torch.equal(found, data.load(tmp_path / "narrow.png"))
    assert found.min() < -1 and found.max() > 1.5


def test_exif_orientation_is_not_applied(tmp_path):
    exif = PilImage.Exif()
    exif[0x0112] = 6
    noise().save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "plain.jpg").write_bytes(jpeg())
    assert torch.equal(data.load(tmp_path / "turned.jpg"), data.load(tmp_path / "plain.jpg"))


@pytest.mark.parametrize(("kind", "name"), [("WEBP", "x.webp"), ("PNG", "x.png"), ("GIF", "gif.png")])
def test_of_an_animation_the_first_frame_counts_and_is_told(tmp_path, kind, name):
    folder = tmp_path / "a"
    folder.mkdir()
    first, *others = [noise(seed=seed) for seed in range(3)]
    first.save(folder / name, kind, save_all=True, append_images=others)
    assert torch.equal(data.load(folder / name), by_torchvision(folder / name))
    loader = data.Loader(dataset.scan(tmp_path), 1)
    list(loader)
    assert loader.animated == 1


def bad_files(folder: Path) -> dict[str, Path]:
    whole = jpeg()
    for name, content in {
        "empty": b"", "truncated": whole[:len(whole) // 2], "header": whole[:20], "text": b"not a picture\n" * 9,
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "large": png_header(10_000, 10_000),
        "huge": png_header(50_000, 50_000), "no_pixels": png_header(9, 9),
    }.items():
        (folder / f"{name}.jpg").write_bytes(content)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "fifo.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere")
    PilImage.new("L", (1, 5000)).save(folder / "strip.png")
    return {path.stem: path for path in folder.iterdir()}


def test_each_bad_file_says_why(tmp_path):
    files = bad_files(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a run, where Pillow's warning of large files is only printed
        for path in files.values():
            with pytest.raises(data.BadImage) as raised:
                data.load(path)
            assert raised.value.path == path and raised.value.why and "\n" not in raised.value.why
            files[path.stem] = raised.value.why
    assert "0 bytes" in files["empty"] and "runcated" in files["truncated"]
    assert "cannot identify" in files["text"] and "cannot identify" in files["postscript"]
    assert "regular file" in files["folder"] and "regular file" in files["fifo"]
    assert "10000x10000" in files["large"] and "bomb" in files["huge"] and "resized" in files["strip"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_bad(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(jpeg())
    path.chmod(0)
    with pytest.raises(data.BadImage, match="Permission"):
        data.load(path)


def test_a_thousand_broken_files_never_crash(tmp_path):
    dice, path, refused = random.Random(5), tmp_path / "x.jpg", 0
    kinds = [jpeg()]
    for kind in ("PNG", "WEBP", "GIF", "BMP"):
        sink = io.BytesIO()
        noise().save(sink, kind)
        kinds.append(sink.getvalue())
    for number in range(1000):
        whole = bytearray(kinds[number // 3 % 5] if number % 2 else kinds[0])
        if number % 3 == 0:
            content = dice.randbytes(dice.randrange(500))
        elif number % 3 == 1:
            content = bytes(whole[:dice.randrange(len(whole))])
        else:
            for _ in range(10):
                whole[dice.randrange(len(whole))] = dice.randrange(256)
            content = bytes(whole)
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert data.load(path).isfinite().all()
        except data.BadImage:
            refused += 1
    assert refused > 650


# --- scan, split, calibration_sample ---

def test_labels_are_those_of_torchvisions_image_folder(pictures):
    found = dataset.scan(pictures)
    theirs = torchvision.datasets.ImageFolder(str(pictures / "val"))
    assert list(found.classes) == theirs.classes and found.notices == ()
    assert [(str(path), label) for path, label in found.images] == theirs.samples
    assert dataset.scan(pictures / "val").images == found.images


def test_what_is_left_out_is_named(pictures):
    (pictures / "val/LICENSE").touch()
    (pictures / "val/n00000001/notes.txt").touch()
    (pictures / "val/n00000009").mkdir()
    text = " | ".join(dataset.scan(pictures).notices)
    assert "LICENSE" in text and "n00000001/notes.txt" in text and "n00000009" in text


@pytest.mark.parametrize(("made", "said"), [
    ((), "is not a folder"), (("set/",), "no class folders"), (("set/x.jpg",), "no class folders"),
    (("set/a/", "set/b/x.txt"), "no image"), (("set",), "is not a folder")])
def test_a_set_that_cannot_be_used_is_refused(tmp_path, made, said):
    for name in made:
        path = tmp_path / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    with pytest.raises(BadInput, match=said):
        dataset.scan(tmp_path / "set")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11, 13])
def test_parts_are_even_and_cover_every_image_once(pictures, count):
    whole = dataset.scan(pictures)
    parts = dataset.split(whole, count)
    sizes = [len(part.images) for part in parts]
    assert len(parts) == count and max(sizes) - min(sizes) <= 1
    assert [parts[i % count].images[i // count] for i in range(11)] == list(whole.images)


def test_the_calibration_sample_is_fixed_seeded_and_spread(pictures, tmp_path_factory):
    whole = dataset.scan(pictures)
    taken = dataset.calibration_sample(whole, 6, 1)
    assert sorted(image.label for image in taken) == [0, 0, 1, 1, 2, 2] and len(set(taken)) == 6
    elsewhere = tmp_path_factory.mktemp("other") / "val"
    (pictures / "val").rename(elsewhere)
    names = [image.path.name for image in taken]
    assert [image.path.name for image in dataset.calibration_sample(dataset.scan(elsewhere), 6, 1)] == names
    assert [image.path.name for image in dataset.calibration_sample(whole, 6, 2)] != names
    assert set(dataset.calibration_sample(whole, 11, 1)) == set(whole.images)


# --- Loader ---

def test_the_order_is_kept_with_and_without_processes(pictures):
    whole, cpu = dataset.scan(pictures), max(os.sched_getaffinity(0))
    alone = list(data.Loader(whole, 4, torch.bfloat16))
    loader = data.Loader(whole, 4, torch.bfloat16, workers=2, cpus=[cpu])
    together = list(loader)
    assert [len(paths) for _, _, paths in alone] == [4, 4, 3] == [len(paths) for _, _, paths in together]
    for (images, labels, paths), (images2, labels2, paths2) in zip(alone, together, strict=True):
        assert torch.equal(images, images2) and torch.equal(labels, labels2) and paths == paths2
        assert images2.is_contiguous(memory_format=torch.channels_last) and images2.dtype == torch.bfloat16
        assert labels2.dtype == torch.int64
    assert [path for _, _, paths in together for path in paths] == [image.path for image in whole.images]
    assert torch.cat([labels for _, labels, _ in together]).tolist() == [image.label for image in whole.images]
    assert loader.images == 11 and loader.decode_s > 0 and loader.record().loader_images_per_s > 0 and loader.bad == []
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_images_are_left_out_told_and_limited(pictures, workers):
    for number in (1, 2, 6):
        (pictures / f"val/n0000000{number % 3 + 1}/{number:02}.JPEG").write_bytes(jpeg()[:300])
    whole = dataset.scan(pictures)
    loader = data.Loader(whole, 4, workers=workers, limit=3)
    batches = list(loader)
    assert [len(paths) for _, _, paths in batches] == [4, 4] and len(loader.bad) == 3
    assert [path for _, _, paths in batches for path in paths] == [
        image.path for image in whole.images if image.path.stem not in ("01", "02", "06")]
    for images, labels, paths in batches:
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert labels.tolist() == [int(path.parent.name[1:]) - 1 for path in paths]
        assert all(torch.equal(image, data.load(path)) for image, path in zip(images, paths, strict=True))
    with pytest.raises(RunFailed, match=r"3 of the first 11 .*06\.JPEG.*01\.JPEG.*02\.JPEG.*allowed are 2 of 11"):
        list(data.Loader(whole, 4, workers=workers, limit=2))
    assert multiprocessing.active_children() == []
    assert data.Loader(whole, 4).limit == 0


def test_a_loader_that_is_left_early_leaves_no_process(pictures):
    batches = iter(data.Loader(dataset.scan(pictures), 1, workers=2))
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert multiprocessing.active_children() == []


def test_a_decoding_process_that_dies_or_has_no_cpu_fails_the_run(pictures, monkeypatch):
    waits = torch.utils.data.dataloader._MultiProcessingDataLoaderIter._try_get_data
    monkeypatch.setattr(waits, "__defaults__", (0.3,))  # seconds from a death to its notice; 5 in a run
    whole = dataset.scan(pictures)
    with pytest.raises(RunFailed, match="decoding process"):
        list(data.Loader(whole, 1, workers=1, cpus=[1023]))
    with pytest.raises(RunFailed, match="decoding process"):
        for _ in data.Loader(dataset.split(whole, 1)[0], 1, workers=1):
            for child in multiprocessing.active_children():
                child.kill()
                child.join()
    assert multiprocessing.active_children() == []


# --- prepare-dataset ---

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 41)]
SYNSETS = [f"n0000000{number % 3 + 1}" for number in range(40)]


def make_tar(path: Path, names: list[str] = NAMES) -> Path:
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = 1000 + number
            archive.addfile(member, io.BytesIO(bytes([number % 256]) * member.size))
    return path


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """The arguments for a tiny tar."""
    (tmp_path / "truth.txt").write_text("\n".join(SYNSETS) + "\n")
    tar = make_tar(tmp_path / "val.tar", NAMES[20:] + NAMES[:20])
    return [str(tar), str(tmp_path / "out"), "--ground-truth", str(tmp_path / "truth.txt")]


def test_prepare_makes_the_class_folders(given, tmp_path, capsys):
    digest = hashlib.sha256((tmp_path / "val.tar").read_bytes()).hexdigest().upper()
    assert dataset_command.main([*given, "--sha256", digest]) == 0
    found = dataset.scan(tmp_path / "out")
    assert found.notices == () and len(found.images) == 40
    assert {path.name: path.parent.name for path, _ in found.images} == dict(zip(NAMES, SYNSETS, strict=True))
    assert (tmp_path / "out/val" / SYNSETS[0] / NAMES[0]).read_bytes() == bytes([20]) * 1020
    assert len([line for line in capsys.readouterr().err.splitlines() if "%)" in line]) == 20


def test_prepare_goes_on_where_it_was_broken_off(given, tmp_path, monkeypatch, capsys):
    write, count = imagenet._write, iter(range(99))

    def broken(archive, member, target):
        if next(count) == 20:
            target.with_name(target.name + ".partial").write_bytes(b"half")
            raise OSError(28, "No space left on device")
        write(archive, member, target)

    monkeypatch.setattr(imagenet, "_write", broken)
    with pytest.raises(Infrastructure, match="No space left"):
        dataset_command.main(given)
    monkeypatch.undo()
    first = next((tmp_path / "out/val").glob("*/*.JPEG"))
    first.write_bytes(b"cut")
    assert dataset_command.main(given) == 0
    assert "(19 were there)" in capsys.readouterr().err
    assert first.stat().st_size >= 1000 and dataset.scan(tmp_path / "out").notices == ()
    (tmp_path / "out/val/n00000077").mkdir()
    with pytest.raises(BadInput, match="n00000077"):
        dataset_command.main(given)


@pytest.mark.parametrize(("names", "said"), [
    ([*NAMES[1:], "../evil.JPEG"], ": ../evil"), ([*NAMES[1:], "/etc/evil"], ": /etc/evil"),
    ([*NAMES[1:], "val/x.JPEG"], ": val/x"), ([*NAMES[1:], "README"], "README"), (NAMES[1:], "39 images"),
    ([*NAMES[1:], NAMES[1]], "twice"), ([*NAMES[:39], "ILSVRC2012_val_00000041.JPEG"], "lacks the images 00000040")])
def test_prepare_refuses_a_tar_that_does_not_fit(given, tmp_path, names, said):
    make_tar(tmp_path / "val.tar", names)
    with pytest.raises(BadInput, match=said):
        dataset_command.main(given)
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil.JPEG").exists()


def test_prepare_refuses_a_wrong_digest_and_a_cut_tar(given, tmp_path):
    for digest, said in (("0" * 64, "has the SHA-256"), ("0" * 63, "64 hexadecimal")):
        with pytest.raises(BadInput, match=said):
            dataset_command.main([*given, "--sha256", digest])
    tar = tmp_path / "val.tar"
    with tar.open("r+b") as stream:
        stream.truncate(tar.stat().st_size // 2 + 700)
    with pytest.raises(BadInput):
        dataset_command.main(given)
    assert not list(tmp_path.glob("out/val/*/*.JPEG"))
    with pytest.raises(BadInput, match="not a file"):
        dataset_command.main([str(tmp_path / "none.tar"), *given[1:]])


def test_ids_need_the_synsets(given, tmp_path):
    truth, synsets = tmp_path / "truth.txt", tmp_path / "synsets.txt"
    truth.write_text("".join(f"{number % 3 + 1}\n" for number in range(40)))
    synsets.write_text("n00000003 fox\nn00000001\nn00000002 dog, hound\n")
    with pytest.raises(BadInput, match="--synsets"):
        dataset_command.main(given)
    assert dataset_command.main([*given, "--synsets", str(synsets)]) == 0
    assert (tmp_path / "out/val/n00000003" / NAMES[0]).exists()
    for wrong, said in (("4\n", "1 to 3"), ("0\n", "1 to 3"), ("../x\n", "line 1"), ("n00000001\n2\n", "line 1"),
                        ("", "empty")):
        truth.write_text(wrong)
        with pytest.raises(BadInput, match=said):
            dataset_command.main([*given, "--synsets", str(synsets)])
    truth.write_text("1\n")
    synsets.write_text("../../x\n")
    with pytest.raises(BadInput, match="another synset"):
        dataset_command.main([*given, "--synsets", str(synsets)])
