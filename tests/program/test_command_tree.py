"""The tree of commands: help, version, completion, and what a program may read. Nothing here needs torch."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resnet50_bench import __version__
from resnet50_bench.cli import list_command
from resnet50_bench.cli.completion_command import parser_of
from resnet50_bench.cli.tree import COMMANDS, SHOWN, main, overview
from resnet50_bench.ctest import background
from resnet50_bench.stack import environment
from resnet50_bench.stack.environment import StackChoice
from support.results import put, synthetic

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/resnet50-bench.sh"

@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path / "build"))
    return tmp_path


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example_and_a_version_and_leaves_no_file(name, here, capsys):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr()
    assert said.out and not said.err and "\x1b" not in said.out
    assert "example:" in said.out
    assert main([name, "--version"]) == 0
    assert capsys.readouterr().out.startswith(f"resnet50-bench {__version__}\n")
    assert list(here.iterdir()) == []


def test_the_overview_names_what_is_for_people_only(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown == overview() and all(f"\n  {name} " in shown for name in SHOWN)
    assert not any(f"\n  {name} " in shown for name in {*COMMANDS} - {*SHOWN})
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"resnet50-bench {__version__}\n"
    assert main([]) == 2


def test_an_option_is_not_taken_for_its_abbreviation(here, capsys):
    assert main(["list", "--rec", "1"]) == 2
    assert "--rec is not an option (did you mean --recent?)" in capsys.readouterr().err


def test_help_of_a_run_is_no_run_and_a_wrong_flag_is_told_in_its_log(here, capsys):
    assert main(["run", "--bacth_size=8"]) == 2
    assert "did you mean --batch_size?" in capsys.readouterr().err
    log, = here.iterdir()
    assert "RESULT: failed: --bacth_size is not an option" in log.read_text(), "kpi.sh says why there is no KPI"


@pytest.mark.parametrize(("words", "named"), [
    (["--bacth_size=8"], "throughput_resnet50_a*_inference_dummy"),
    (["--mode=accuracy", "--dataset=/nowhere", "--weights=/nowhere"], "accuracy_resnet50_a*_inference_real"),
    (["--mode=latency", "--precision=amx_int9"], "latency_resnet50_amx_int9_inference_dummy")])
def test_a_refused_run_says_why_once_and_its_log_is_named_by_what_is_known(here, capsys, words, named):
    assert main(["run", *words]) == 2
    told = capsys.readouterr()
    log, = here.glob(f"benchmark_{named}_*.log")
    why = told.err.removeprefix("error: ").strip()
    assert (told.out, len(told.err.splitlines())) == ("", 1) and f"RESULT: failed: {why}\n" in log.read_text()


@pytest.mark.parametrize(("words", "status", "why"), [
    (["run", "--bacth_size=8"], 2, "did you mean --batch_size?"),
    (["run", "--precision=avx2_fp32"], 3, "/benchmark.log cannot be written: Not a directory; run in a folder that")])
def test_a_run_where_no_log_can_be_written_says_what_is_wrong(here, monkeypatch, capsys, words, status, why):
    (here / "file").touch()
    monkeypatch.setattr("resnet50_bench.result.logfile.file_name", lambda *_: "file/benchmark.log")
    monkeypatch.setattr(StackChoice, "worker_python", lambda choice, stack=None: Path(sys.executable))
    assert main(words) == status
    said = capsys.readouterr().err
    assert why in said and said.startswith("error: ") and len(said.splitlines()) == 1


@pytest.mark.parametrize("words", [["parameters"], ["--help"], ["ctest", "--help"], ["completion", "bash"], ["doctor"]])
def test_a_broken_pipe_is_silent(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "resnet50_bench", *words], stdout=writing, stderr=subprocess.PIPE,
                          env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, check=False, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_completion_knows_commands_options_and_values(here):
    ask = """eval "$("$0" completion bash)"
    complete_() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _resnet50_bench; echo "${COMPREPLY[*]}"; }
    complete_ resnet50-bench comp
    complete_ resnet50-bench list --rec
    complete_ resnet50-bench list --format cs
    complete_ ./ctest.sh --check-d
    complete_ ./ctest.sh --output-j
    """
    done = subprocess.run(["bash", "-c", ask, SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["compare completion", "--recent", "csv", "--check-docker-image",
                                        "--output-junit"]
    assert done.stderr == ""
    assert all(parser_of(name) for name in SHOWN)


def test_programs_read_json(here, capsys):
    def said(*words: str):
        main([*words])
        return json.loads(capsys.readouterr().out)

    first, second = (str(put(here / name, synthetic())) for name in "ab")
    assert {"verdict", "checks"} == set(said("doctor", "--json"))
    assert {"BATCH_SIZE", "PRECISION"} <= {row["name"] for row in said("parameters", "--json")}
    assert said("list", first, "--json")[0]["kpi"] == "Throughput"
    assert said("fleet", first, "--json")
    assert said("gate", first, "--json")["regressions"] == []
    assert said("status", "--json") == []
    compared, = said("compare", first, second, "--json")
    assert compared["ratio"] == 1.0 and compared["verdict"].startswith("no difference shown")


def test_a_background_run_is_told_as_json(tmp_path):
    folder = tmp_path / "background/x"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"pid": 1, "ticks": 0, "boot": "", "started": "2026", "log": "/l"}))
    (folder / "status").write_text("4\n")
    assert background.records(tmp_path) == [
        {"name": "x", "running": False, "status": 4, "pid": 1, "started": "2026", "log": "/l"}]


def test_a_run_names_what_is_missing_and_installs_nothing(monkeypatch, capsys):
    def install(*words, **_):
        pytest.fail("it installed something")

    for name in ("run", "Popen"):
        monkeypatch.setattr(subprocess, name, install)
    monkeypatch.setattr(environment, "missing_libraries", lambda: {"jemalloc": "slower"})
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", "/nowhere/python")
    monkeypatch.setenv("BACKEND", "native")
    assert main(["prepare"]) == 0
    said = capsys.readouterr().err
    assert "jemalloc is not installed: slower" in said and "scripts/setup.sh installs it" in said
    assert "RESNET50_BENCH_PYTHON=/nowhere/python is not an executable" in said
    monkeypatch.setattr(environment, "missing_libraries", dict)
    monkeypatch.setenv("RESNET50_BENCH_PYTHON", sys.executable)
    assert StackChoice.of(os.environ).lacking() == []


@pytest.mark.parametrize(("words", "most_s"), [(["ctest", "--help"], 0.3), (["--help"], 0.3), (["list", "--help"], 0.3),
                                               (["run", "--help"], 0.3), (["ctest", "-N"], 0.5)])
def test_a_look_costs_little(words, most_s, tmp_path_factory):
    """Processor time, the best of three: other load on this machine says nothing about it."""
    if words[-1] == "-N" and not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.getbasetemp() / "listed"
    took = []
    for _ in range(3):
        process = subprocess.Popen([SCRIPT, *words], stdout=subprocess.DEVNULL,
                                   env=os.environ | {"RESNET50_BENCH_BUILD": str(build)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        took.append(usage.ru_utime + usage.ru_stime)
    assert min(took) < most_s


def test_before_the_set_up_what_needs_nothing_works_and_the_rest_says_what_to_run(tmp_path):
    """A Python with its own library only."""
    (tmp_path / "msgspec.py").write_text("raise ModuleNotFoundError(\"No module named 'msgspec'\", name='msgspec')\n")
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from resnet50_bench.cli.tree import main; "
            "print([main(words.split()) for words in sys.argv[2:]])")
    free = ["--help", "--version", "ctest --help", "parameters", "detect-platform", "setup --help", "list --help",
            "wsf-settings inference_latency_avx_fp32_gated", "run --version"]
    bound = ["list", "run", "ctest --testset x.yaml"]
    done = subprocess.run([sys.executable, "-c", code, tmp_path, *free, *bound], capture_output=True, text=True,
                          cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}, check=True)
    assert done.stdout.splitlines()[-1] == str([0] * len(free) + [3] * len(bound)), done.stderr
    assert done.stderr.count("Run scripts/setup.sh once") == len(bound)


def test_what_the_machine_refuses_is_said_in_a_line_and_defects_are_not_hidden(here, monkeypatch, capsys):
    def fail(code: int):
        def main(words):
            raise OSError(code, os.strerror(code), "/folder/file")
        monkeypatch.setattr(list_command, "main", main)

    for code, what in ((errno.EROFS, "Read-only file system; use a folder"), (errno.ENOSPC, "free some space")):
        fail(code)
        assert main(["list"]) == 3
        said = capsys.readouterr().err
        assert said.startswith("error: /folder/file: ") and what in said and len(said.splitlines()) == 1
    fail(errno.EBADF)
    with pytest.raises(OSError, match="Bad file descriptor"):
        main(["list"])


def test_a_current_folder_that_is_gone_is_said(here, capsys):
    (here / "gone").mkdir()
    os.chdir(here / "gone")
    (here / "gone").rmdir()
    assert main(["list", "."]) == 3
    assert capsys.readouterr().err == "error: the current folder was removed: change to another folder\n"
