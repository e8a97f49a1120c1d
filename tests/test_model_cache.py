"""Prepared models on disk: built once, rebuilt when broken."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest

from resnet50_bench.errors import Infrastructure
from resnet50_bench.worker import model_cache
from resnet50_bench.worker.model_cache import cache_key, cached, source_digest

KEY = cache_key(engine="IPEX", precision="amx_int8", batch_size="8", torch="2.8.0")


def _cached(folder: Path, text: str = "model", builds: list[str] | None = None):
    def build() -> str:
        if builds is not None:
            builds.append(text)
        return text

    return cached(folder, KEY, suffix=".pt", build=build,
                  save=lambda value, path: path.write_text(value), load=lambda path: path.read_text())


def test_what_was_built_once_is_read_the_next_time(tmp_path):
    assert _cached(tmp_path) == ("model", "built")
    assert _cached(tmp_path, "other") == ("model", "hit")


def test_any_fact_changes_the_key_and_the_key_is_readable():
    other = cache_key(engine="IPEX", precision="amx_int8", batch_size="8", torch="2.9.0")
    assert other != KEY
    assert KEY.startswith("ipex-amx_int8-b8-")


@pytest.mark.parametrize(("engine", "package"), [
    ("IPEX", "intel-extension-for-pytorch"), ("COMPILE-INDUCTOR", "torchao"), ("OPENVINO", "openvino"),
    ("OPENVINO", "nncf"), ("ONNXRUNTIME", "onnxruntime"), ("ONNXRUNTIME", "onnx"), ("ONNXRUNTIME", "onnx-ir"),
    ("ONNXRUNTIME", "onnxscript")])
def test_another_version_of_what_makes_the_model_is_another_model(monkeypatch, engine, package):
    installed: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    keys = [cache_key(engine=engine, precision="avx2_int8", batch_size="8", torch="2.15.0")]
    for installed[package] in ("1.0", "1.1", "1.0"):
        keys.append(cache_key(engine=engine, precision="avx2_int8", batch_size="8", torch="2.15.0"))
    assert len(set(keys[:3])) == 3 and keys[3] == keys[1]
    assert cache_key(engine="denormals", precision="float32", batch_size="1"), "what no engine makes has a key, too"


def test_a_corrupt_entry_is_rebuilt_and_the_reason_is_told(tmp_path):
    _cached(tmp_path)
    entry = next(tmp_path.glob("*.pt"))
    entry.write_bytes(b"x" + entry.read_bytes()[1:])
    value, how = _cached(tmp_path, "fresh")
    assert value == "fresh"
    assert how.startswith("rebuilt: ") and "SHA-256" in how
    assert _cached(tmp_path) == ("fresh", "hit")


def test_an_entry_whose_note_is_missing_is_rebuilt(tmp_path):
    _cached(tmp_path)
    next(tmp_path.glob("*.sha256")).unlink()
    assert _cached(tmp_path)[1].startswith("rebuilt: ")


def test_a_build_that_fails_leaves_no_entry(tmp_path):
    def broken() -> str:
        raise ValueError("no such weights")

    with pytest.raises(ValueError, match="no such weights"):
        cached(tmp_path, KEY, suffix=".pt", build=broken, save=lambda v, p: None, load=lambda p: "")
    assert not list(tmp_path.glob("*.pt")) + list(tmp_path.glob("*.partial"))


def test_many_at_once_build_once(tmp_path):
    builds: list[str] = []

    def slow() -> str:
        builds.append("x")
        time.sleep(0.1)
        return "model"

    def use() -> None:
        cached(tmp_path, KEY, suffix=".pt", build=slow,
               save=lambda value, path: path.write_text(value), load=lambda path: path.read_text())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds == ["x"]


def test_a_folder_that_cannot_be_made_is_said_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Infrastructure, match="RESNET50_BENCH_CACHE"):
        _cached(tmp_path / "file" / "below")


def test_what_is_there_is_taken_while_another_process_holds_the_lock(tmp_path):
    _cached(tmp_path)
    with (tmp_path / f"{KEY}.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert _cached(tmp_path) == ("model", "hit")  # would wait for ever


def test_bytes_that_changed_are_seen_though_size_and_time_were_put_back(tmp_path):
    _cached(tmp_path)
    entry = next(tmp_path.glob("*.pt"))
    before = entry.stat()
    with entry.open("r+b") as stream:
        stream.write(b"x")
    os.utime(entry, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "SHA-256" in _cached(tmp_path, "fresh")[1]


def test_a_copied_entry_is_read_in_full_once(tmp_path, monkeypatch):
    _cached(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for file in (tmp_path / "a").iterdir():
        (tmp_path / "b" / file.name).write_bytes(file.read_bytes())
    read: list[Path] = []
    monkeypatch.setattr("resnet50_bench.worker.model_cache.sha256_of", lambda path, real=model_cache.sha256_of: (
        read.append(path), real(path))[1])
    assert [_cached(tmp_path / "b") for _ in range(3)] == [("model", "hit")] * 3
    assert len(read) == 1


def test_an_entry_with_the_note_of_an_older_version_is_used(tmp_path):
    _cached(tmp_path)
    note = next(tmp_path.glob("*.sha256"))
    note.write_text(note.read_text().split()[0] + "\n")
    assert _cached(tmp_path, "other") == ("model", "hit")


def test_an_entry_without_the_file_beside_it_is_rebuilt(tmp_path):
    recipe = tmp_path / "recipe.json"

    def use() -> str:
        return cached(tmp_path, KEY, suffix=".pt", build=lambda: recipe.write_text("{}"), beside=(recipe,),
                      save=lambda value, path: path.write_text("model"), load=lambda path: path.read_text())[1]

    assert (use(), use()) == ("built", "hit")
    recipe.unlink()
    assert use() == f"rebuilt: recipe.json is missing beside {KEY}.pt" and recipe.exists()


def test_the_digest_of_sources_follows_their_contents_not_their_place(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    first = source_digest(tmp_path / "a.py")
    assert first == source_digest(tmp_path / "b.py")
    (tmp_path / "b.py").write_text("2")
    assert first != source_digest(tmp_path / "b.py")
