"""The environment that measures: where it lies, when it is whole, what a broken set-up leaves. uv and pip are FAKEs."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench.cli import setup_command, tree
from resnet50_bench.errors import BadInput, Infrastructure
from resnet50_bench.stack import environment, installer, pins, stacks
from support.stack import chosen

ROOT = Path(__file__).parents[2]


class FakeTools:
    """uv and pip that note their words; those whose words hold one of ``broken`` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
        self.calls: list[list[str]] = []
        self.broken = broken
        monkeypatch.setattr(installer, "_make_venv", self._make)
        monkeypatch.setattr(installer.subprocess, "run", self._run)

    def _make(self, target: Path) -> None:
        (target / "bin").mkdir(parents=True, exist_ok=True)
        for name in ("python", "pip"):
            (target / "bin" / name).write_text("")

    def _run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        words = list(map(str, command))
        self.calls.append(words)
        failed = any(word in " ".join(words) for word in self.broken)
        return subprocess.CompletedProcess(command, int(failed), "", "")

    def installed(self) -> list[str]:
        """``uv ipex.txt``, ``pip ipex.txt``...: which tool was asked for which file."""
        return [f"{'uv' if words[0].endswith('/uv') else 'pip'} {Path(words[-1]).name}"
                for words in self.calls if "-r" in words and Path(words[-1]).name != "uv.txt"]


NO_CPU_INDEX = "--torch-backend=cpu"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("ENV", "STACK", "PYTHON", "INDEX_URL"):
        monkeypatch.delenv(f"RESNET50_BENCH_{name}", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda path: _Disk(100e9))
    return tmp_path


class _Disk:
    def __init__(self, free: float) -> None:
        self.free = free


IPEX = stacks.STACKS["ipex"]


def test_set_up_is_done_once_and_shared_by_equal_pins(home, monkeypatch):
    tools = FakeTools(monkeypatch, NO_CPU_INDEX)
    python = chosen().set_up(IPEX)
    assert python.is_relative_to(home / "resnet50-bench") and tools.installed() == ["uv ipex.txt"]
    assert chosen().set_up(IPEX) == python and tools.installed() == ["uv ipex.txt"]
    assert chosen().worker_python() == python


def test_every_file_is_held_to_its_hash_and_nothing_else_is_pulled_in(home, monkeypatch):
    tools = FakeTools(monkeypatch, NO_CPU_INDEX)
    chosen().set_up(IPEX, tools=True)
    assert tools.installed() == ["uv ipex.txt", "uv tools.txt"]
    assert all({"--require-hashes", "--no-deps"} <= set(words) for words in tools.calls if "-r" in words)


def test_where_uv_cannot_be_had_pip_installs(home, monkeypatch, capfd):
    tools = FakeTools(monkeypatch, "uv.txt")
    chosen().set_up(IPEX)
    assert tools.installed() == ["pip ipex.txt"] and "uv cannot be had" in capfd.readouterr().err


def test_a_broken_download_is_tried_again_and_continued_by_the_next_call(home, monkeypatch, capfd):
    tools = FakeTools(monkeypatch, NO_CPU_INDEX, "ipex.txt")
    with pytest.raises(Infrastructure, match="what it downloaded is kept"):
        chosen().set_up(IPEX)
    assert tools.installed() == ["uv ipex.txt", "pip ipex.txt", "pip ipex.txt"]
    with pytest.raises(Infrastructure, match=r"run scripts/setup\.sh"):
        chosen().worker_python()
    tools.broken = (NO_CPU_INDEX,)
    assert chosen().set_up(IPEX) == chosen().worker_python()
    assert "attempt 2 of 2" in capfd.readouterr().err


def test_cpu_only_builds_are_taken_first_and_it_is_said(home, monkeypatch, capfd):
    tools = FakeTools(monkeypatch)
    chosen().set_up(IPEX)
    taken = [words for words in tools.calls if NO_CPU_INDEX in words and "--dry-run" not in words]
    assert [words[-2:] for words in taken] == [["torch==2.8.0", "torchvision==0.23.0"]]
    assert "CPU-only, of PyTorch's own index" in capfd.readouterr().err
    rest = pins.without_cuda("ipex")
    assert "intel-extension-for-pytorch==2.8.0" in rest and "--hash" in rest
    assert not re.search(r"^(torch|torchvision|triton|nvidia-\S*)==", rest, re.M)


def test_an_index_of_the_users_is_asked_for_the_cpu_only_builds(home, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_INDEX_URL", "https://example.org/cpu")
    tools = FakeTools(monkeypatch)
    chosen().set_up(IPEX)
    assert ["--index", "https://example.org/cpu", "torch==2.8.0", "torchvision==0.23.0"] in [
        words[-4:] for words in tools.calls]


def test_uv_asks_the_indexes_that_pip_is_configured_with(monkeypatch):
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    listed = "global.index-url='https://a.example/simple'\nglobal.extra-index-url='https://b.example file:///x'\n"
    monkeypatch.setattr(installer.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, listed, ""))
    indexes = installer._pips_indexes(Path("python"))
    assert indexes["UV_DEFAULT_INDEX"] == "https://a.example/simple" and indexes["UV_INDEX"] == "https://b.example"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://c.example")
    assert installer._pips_indexes(Path("python")) == {}


def test_an_environment_whose_making_was_cut_off_is_made_again(home, monkeypatch, capfd):
    tools = FakeTools(monkeypatch)
    (chosen().folder("host") / "bin").mkdir(parents=True)
    (chosen().folder("host") / "bin/python").touch()
    chosen().set_up_host()
    assert f"making {chosen().folder('host')}" in capfd.readouterr().err
    assert tools.installed() == ["uv host.txt"]


def test_a_uv_that_was_cut_off_is_not_taken_for_one(tmp_path):
    uv = tmp_path / "uv"
    for content, runs in ((b"\x7fELF", False), (b"#!/bin/sh\nexit 1\n", False), (b"#!/bin/sh\n", True)):
        uv.write_bytes(content)
        uv.chmod(0o755)
        assert installer._runs(uv) == runs


def test_without_disk_nothing_is_made_or_blamed(home, monkeypatch):
    tools = FakeTools(monkeypatch)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda path: _Disk(0.1e9))
    with pytest.raises(Infrastructure, match=r"0\.1 GB free, 0\.4 GB are needed; choose another folder by \w+$"):
        chosen().set_up_host()
    assert tools.calls == [] and not chosen().folder("host").exists()


@pytest.mark.parametrize("option", ["--host", "--list", "--print-python", "--native-libraries"])
def test_test_tools_are_not_passed_over(home, option):
    with pytest.raises(BadInput, match=f"--tools and {option} exclude each other"):
        setup_command.main([option, "--tools"])


def test_too_little_disk_is_said_before_anything_big_is_downloaded(home, monkeypatch):
    tools = FakeTools(monkeypatch, NO_CPU_INDEX)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda path: _Disk(1e9))
    with pytest.raises(Infrastructure, match=r"1\.0 GB free, 8\.0 GB are needed"):
        chosen().set_up(IPEX)
    assert tools.installed() == []


def test_a_python_that_is_none_is_bad_input(home, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", str(home / "nothing"))
    with pytest.raises(BadInput, match="is not an executable"):
        chosen().worker_python()


def test_the_folder_can_be_chosen(home, monkeypatch):
    monkeypatch.setenv("RESNET50_BENCH_ENV", str(home / "mine"))
    assert chosen().folder() == home / "mine"


def test_a_folder_holds_one_stack_and_no_other_is_installed_over_it(home, monkeypatch, capsys):
    monkeypatch.setattr(setup_command, "set_up_native_libraries", lambda: None)
    monkeypatch.setenv("RESNET50_BENCH_ENV", str(home / "mine"))
    tools = FakeTools(monkeypatch, NO_CPU_INDEX)
    assert tree.main(["setup", "--stack", "openvino"]) == 0
    assert chosen().worker_python() == home / "mine/bin/python", "the stack is the one that the folder holds"
    assert tree.main(["setup", "--tools"]) == 0, "which is what the set-up continues"
    assert tools.installed() == ["uv openvino.txt", "uv tools.txt"]
    capsys.readouterr()
    monkeypatch.setattr(setup_command, "set_up_native_libraries", lambda: pytest.fail("it installed something"))
    assert tree.main(["setup", "--stack", "ipex"]) == 2
    assert capsys.readouterr().err == (
        f"error: RESNET50_BENCH_ENV={home}/mine contains the stack openvino, and ipex needs a folder of its own: unset "
        "RESNET50_BENCH_ENV, or name another folder\n")
    (home / "mine/complete-openvino").write_text("of other pins\n")
    with pytest.raises(BadInput, match="contains the stack openvino"):
        chosen().set_up(IPEX)
    assert tools.installed() == ["uv openvino.txt", "uv tools.txt"]
    monkeypatch.setenv("RESNET50_BENCH_STACK", "ipex")
    with pytest.raises(Infrastructure, match="^the stack ipex is not set up: .*_ENV=.* contains the stack openvino"):
        chosen().worker_python()


def test_each_stack_has_an_environment_of_its_own(home, monkeypatch):
    FakeTools(monkeypatch, NO_CPU_INDEX)
    assert len({chosen().set_up(stack) for stack in stacks.STACKS.values()}) == len(stacks.STACKS)
    monkeypatch.setenv("RESNET50_BENCH_STACK", "newest")
    with pytest.raises(BadInput, match="newest is not one of ipex, current"):
        chosen().worker_python()


def test_another_stack_is_never_taken_for_the_one_that_was_named(home, monkeypatch, capsys):
    """This Python has torch here, as that of another stack, by which scripts/setup.sh runs, has it."""
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name)
    fake_environment(chosen().folder("ipex"), "ipex")
    assert chosen().worker_python() == chosen().folder("ipex") / "bin/python"
    monkeypatch.setenv("RESNET50_BENCH_STACK", "current")
    assert tree.main(["setup", "--print-python"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: the stack current is not set up: run scripts/setup.sh --stack current once\n"
    assert chosen().lacking()[-1] in said.err, "so says the notice before a case"
    fake_environment(chosen().folder("current"), "current")
    assert chosen().worker_python() == chosen().folder("current") / "bin/python"
    monkeypatch.setenv("RESNET50_BENCH_ENV", str(home / "mine"))
    with pytest.raises(Infrastructure, match=f"the stack current is not set up in {home}/mine: run"):
        chosen().worker_python()
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    assert chosen().worker_python() == Path(sys.executable), "named itself, as in the image"


def test_where_no_stack_was_named_a_python_with_torch_will_do(home, monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name)
    assert chosen().worker_python() == Path(sys.executable)


@pytest.mark.parametrize("more", [{}, {"PYTHON": sys.executable}, {"ENV": "/nowhere"}])
@pytest.mark.parametrize("words", [[], ["--print-python"]])
def test_what_is_no_stack_is_refused_with_the_nearest(home, monkeypatch, capsys, words, more):
    monkeypatch.setattr(setup_command, "set_up_native_libraries", lambda: pytest.fail("it installed something"))
    for name, text in ({"STACK": "curent"} | more).items():
        monkeypatch.setenv(f"RESNET50_BENCH_{name}", text)
    assert tree.main(["setup", *words]) == 2
    assert "RESNET50_BENCH_STACK=curent is not one of ipex, current, openvino, zentorch (did you mean current?)" in (
        capsys.readouterr().err)
    assert tree.main(["setup", "--stack", "zentorh"]) == 2
    assert "did you mean zentorch?" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*stacks.STACKS, "host", "tools", "image", "uv"])
def test_a_requirement_file_is_pinned_hashed_and_known_by_its_digest(name):
    first, rest = pins.path(name).read_text().split("\n", 1)
    assert first.split()[1] == hashlib.sha256(rest.encode()).hexdigest()[:12], "run scripts/lock.sh"
    entries = re.split(r"\n(?=\S)", rest.strip())
    assert all(re.match(r"[a-z0-9-]+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def fake_environment(folder: Path, name: str) -> Path:
    """A complete environment whose Python says which it is."""
    (folder / "bin").mkdir(parents=True)
    (folder / f"complete-{name}").write_text(pins.digest(name) + "\n")
    python = folder / "bin/python"
    python.write_text(f"#!/bin/sh\necho {name} \"$@\"\n")
    python.chmod(0o755)
    return python


def run_script(home: Path, **more: str) -> str:
    done = subprocess.run([ROOT / "scripts/resnet50-bench.sh", "x"], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(home)} | more)
    return done.stdout.split(" ")[0]


def test_the_environments_python_runs_everything_once_it_is_complete(home):
    assert run_script(home) == ""  # the system's, which does not know the command x
    fake_environment(chosen().folder("host"), "host")
    assert run_script(home) == "host"
    fake_environment(chosen().folder("ipex"), "ipex")
    assert run_script(home) == "ipex"
    fake_environment(chosen().folder("current"), "current")
    assert run_script(home, RESNET50_BENCH_STACK="current") == "current" and run_script(home) == "ipex"
    (chosen().folder("ipex") / "complete-ipex").write_text("of other pins\n")
    assert run_script(home) == "current"
    fake_environment(home / "mine", "ipex")
    assert run_script(home, RESNET50_BENCH_ENV=str(home / "mine")) == "ipex"


#: -S: no package beside the standard library, as before the set-up.
@pytest.mark.parametrize("words", [
    ("ctest", "--help"), ("ctest", "-N"), ("parameters",), ("detect-platform",), ("setup", "--list"),
    ("wsf-settings", "inference_throughput_avx_fp32_gated")])
def test_a_python_without_the_set_up_lists_helps_and_sets_up(words, tmp_path):
    done = subprocess.run([sys.executable, "-S", "-m", "resnet50_bench", *words], capture_output=True, text=True,
                          cwd=tmp_path, check=False, env={
                              "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"),
                              "RESNET50_BENCH_BUILD": str(tmp_path / "build")})
    assert done.returncode == 0, done.stderr


def test_whatever_else_is_asked_before_the_set_up_says_what_to_run(tmp_path):
    (tmp_path / "references.yaml").write_text("references: []\n")
    done = subprocess.run([sys.executable, "-S", "-m", "resnet50_bench", "gate", "--references",
                           "references.yaml", "."], capture_output=True, text=True, cwd=tmp_path, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 3 and "Run scripts/setup.sh once" in done.stderr


def test_quickstart_refuses_a_mistyped_word_before_it_sets_up(tmp_path):
    done = subprocess.run([ROOT / "scripts/quickstart.sh", "--batchsize=8"], capture_output=True, text=True,
                          check=False, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert done.returncode == 2 and "--batchsize" in done.stderr
    assert list(tmp_path.iterdir()) == [], "nothing was set up"
