"""Prepared models on disk: built once, rebuilt when broken."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from resnet50_bench.errors import Infrastructure
from resnet50_bench.model_cache import cache_key, cached

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
