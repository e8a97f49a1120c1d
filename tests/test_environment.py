"""The environment that measures: where it lies, when it is complete, what a broken set-up leaves. pip is a FAKE."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resnet50_bench.cli import tree
from resnet50_bench.errors import BadInput, Infrastructure
from resnet50_bench.stack import environment


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("RESNET50_BENCH_ENV", "RESNET50_BENCH_STACK", "RESNET50_BENCH_PYTHON", "RESNET50_BENCH_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: _Disk(100e9))
    return tmp_path


class _Disk:
    def __init__(self, free: float) -> None:
        self.free = free


def fake_pip(monkeypatch, failures: int, calls: list) -> None:
    """A venv whose python notes pip's words and fails as often as told."""
    def make(target: Path) -> None:
        (target / "bin").mkdir(parents=True)
        (target / "bin/python").write_text("")

    def run(command, **_):
        calls.append(command)
        return environment.subprocess.CompletedProcess(command, 1 if len(calls) <= failures else 0, "", "")

    monkeypatch.setattr(environment, "_make_venv", make)
    monkeypatch.setattr(environment.subprocess, "run", run)


def test_set_up_is_done_once_and_shared_by_equal_pins(home, monkeypatch):
    calls: list = []
    fake_pip(monkeypatch, 0, calls)
    python = environment.set_up("runtime")
    assert python.is_relative_to(home / "resnet50-bench") and len(calls) == 1
    assert environment.set_up("runtime") == python and len(calls) == 1
    assert environment.worker_python() == python


def test_a_broken_download_is_tried_again_and_continued_by_the_next_call(home, monkeypatch, capfd):
    calls: list = []
    fake_pip(monkeypatch, 4, calls)
    with pytest.raises(Infrastructure, match="in 3 attempts; what it downloaded is kept"):
        environment.set_up("runtime")
    with pytest.raises(Infrastructure, match=r"run scripts/setup\.sh"):
        environment.worker_python()
    environment.set_up("runtime")
    assert len(calls) == 5 and environment.worker_python()
    assert "attempt 2 of 3" in capfd.readouterr().err


def test_an_index_of_the_users_goes_to_pip_and_makes_another_environment(home, monkeypatch):
    plain = environment.folder()
    monkeypatch.setenv("RESNET50_BENCH_INDEX_URL", "https://example.org/cpu")
    calls: list = []
    fake_pip(monkeypatch, 0, calls)
    assert environment.set_up("runtime").parents[1] != plain
    assert calls[0][-2:] == ["--extra-index-url", "https://example.org/cpu"]


def test_too_little_disk_is_said_before_anything_is_downloaded(home, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: _Disk(1e9))
    with pytest.raises(Infrastructure, match=r"1\.0 GB free, 8\.0 GB are needed"):
        environment.set_up("runtime")


def test_a_python_that_is_none_is_bad_input(home, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", str(home / "nothing"))
    with pytest.raises(BadInput, match="is not an executable"):
        environment.worker_python()


def test_the_folder_can_be_chosen(home, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_ENV", str(home / "mine"))
    assert environment.folder() == home / "mine"


def test_the_current_stack_has_an_environment_of_its_own(home, monkeypatch):
    plain, calls = environment.folder(), []
    fake_pip(monkeypatch, 0, calls)
    monkeypatch.setenv("RESNET50_BENCH_STACK", "current")
    assert environment.set_up("runtime").parents[1] != plain
    assert calls[0][-1].endswith("requirements/current.txt") and environment.worker_python()
    monkeypatch.setenv("RESNET50_BENCH_STACK", "newest")
    with pytest.raises(BadInput, match="newest is not one of ipex, current"):
        environment.worker_python()


def test_every_requirement_is_pinned_where_it_stands_or_in_the_constraints(home, monkeypatch):
    folder = environment.ROOT / "requirements"
    files = ("constraints.txt", "plots.txt")
    pinned = {name for file in files for name in re.findall(r"^([\w-]+)==", (folder / file).read_text(), re.M)}
    for file in ("runtime.txt", "current.txt", "tools.txt", "kubernetes.txt", "plots.txt"):
        for line in (folder / file).read_text().splitlines():
            assert line.startswith(("#", "-c ")) or "==" in line or line in pinned, f"{file}: {line}"
    calls: list = []
    fake_pip(monkeypatch, 0, calls)
    environment.set_up("tools")
    assert calls[0][-4:] == [word for file in files for word in ("-c", str(folder / file))]


def test_a_command_that_this_python_cannot_run_starts_over_once_with_the_environments(home, monkeypatch, capsys):
    python = home / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", str(python))
    started = []

    def without_msgspec(name, package):
        raise ModuleNotFoundError("No module named 'msgspec'", name="msgspec")

    def execve(path, words, variables):
        started.append((path, words[1:], variables))
        raise SystemExit

    monkeypatch.setattr(tree.importlib, "import_module", without_msgspec)
    monkeypatch.setattr(tree.os, "execve", execve)
    with pytest.raises(SystemExit):
        tree.main(["compare", "a", "b"])
    (path, words, variables), = started
    assert (path, words) == (python, ["-m", "resnet50_bench", "compare", "a", "b"])
    monkeypatch.setattr(tree.os, "environ", variables)
    assert tree.main(["compare", "a", "b"]) == 3
    assert "scripts/setup.sh" in capsys.readouterr().err and len(started) == 1
