"""Every word that a user types is understood or refused, before anything runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from resnet50_bench.backends import BACKENDS
from resnet50_bench.cli import ctest_command
from resnet50_bench.cli.tree import main
from resnet50_bench.ctest import ctest_words, options, settings
from resnet50_bench.ctest.ctest_call import cases_environment
from resnet50_bench.ctest.options import Mode
from resnet50_bench.errors import BadInput
from support import wrong_words

SEED = 17


@pytest.fixture
def nothing_starts(monkeypatch, tmp_path):
    """A start of anything fails the test; relative files do not exist."""
    ctest_words.known()

    def start(*words, **_):
        pytest.fail(f"it started {words}")

    for module, name in ((subprocess, "Popen"), (subprocess, "run"), (os, "fork"), (os, "execve"), (os, "kill")):
        monkeypatch.setattr(module, name, start)
    for name in (*settings.NAMES, "MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path / "build"))


def refused(lines: list[wrong_words.Line], capsys) -> list[str]:
    """What was said of each. Fails where one was not refused, or the word was not named."""
    said, bad = [], []
    for words, named, _ in lines:
        status = main(words)
        text = capsys.readouterr().err
        if status != 2 or named not in text or not text.startswith("error: "):
            bad.append(f"{words}: status {status}: {text}")
        said.append(text)
    assert bad == []
    return said


def test_mistyped_words_are_refused_with_the_nearest_right_one(nothing_starts, capsys):
    lines = wrong_words.mistyped(SEED, 160)
    said = refused(lines, capsys)
    hinted = [f"did you mean {word}?" in text for (_, _, word), text in zip(lines, said, strict=True)]
    assert sum(hinted) > 0.85 * len(lines), [line for line, hint in zip(lines, hinted, strict=True) if not hint]


def test_values_that_nothing_takes_are_refused(nothing_starts, capsys):
    refused(wrong_words.wrong_values(SEED), capsys)


def test_options_that_exclude_each_other_are_refused_together(nothing_starts, capsys):
    refused(wrong_words.contradictions(), capsys)


@pytest.mark.parametrize(("words", "for_ctest"), [
    (["-R", "re", "-j2", "-E", "a|b"], ["-R", "re", "-j", "2", "-E", "a|b"]), (["-j", "2"], ["-j", "2"]),
    (["--output-junit=f"], ["--output-junit", "f"]), (["--output_junit", "f"], ["--output-junit", "f"]),
    (["-L", "gated", "-LE", "pkm", "-VV"], ["-L", "gated", "-LE", "pkm", "-VV"]), (["--verbose"], ["--verbose"]),
    (["-N", "--show-only=json-v1"], ["-N", "--show-only=json-v1"]), (["-R", "-x"], ["-R", "-x"]),
    (["--repeat", "until-pass:3", "--stop-on-failure"], ["--repeat", "until-pass:3", "--stop-on-failure"]),
    (["--no-tests=error"], ["--no-tests=error"]), (["--tests-regex=a=b"], ["--tests-regex", "a=b"]),
])
def test_ctests_words_reach_ctest_as_it_takes_them(words, for_ctest):
    parsed = options.parse(words, {})
    assert (parsed.for_ctest, parsed.flags) == (for_ctest, {})


@pytest.mark.parametrize(("words", "flags"), [
    (["--batch_size=8"], {"BATCH_SIZE": "8"}), (["--batch-size", "8"], {"BATCH_SIZE": "8"}),
    (["--BATCH_SIZE=8"], {"BATCH_SIZE": "8"}), (["--VERBOSE"], {"VERBOSE": "True"}),
    (["--weight-sharing", "--mode=latency"], {"WEIGHT_SHARING": "True", "MODE": "latency"}),
    (["--customer_env", "A=-1 B=2"], {"CUSTOMER_ENV": "A=-1 B=2"}),
])
def test_parameters_are_flags_with_dashes_or_underscores(words, flags):
    assert options.parse(words, {}).flags == flags


def test_our_options_with_dashes_or_underscores_and_their_values():
    parsed = options.parse(["--dry_run", "--loop", "3", "--set=STEPS=1 2", "--options", "--cpus 2"], {})
    assert (parsed.dry_run, parsed.loop, parsed.set, parsed.backend_options) == (True, 3, ("STEPS=1 2",), "--cpus 2")
    assert options.parse(["--status", "0"], {}).mode is Mode.STATUS


def test_settings_are_flags_and_variables_and_survive_daemon_and_noenv():
    cmakes = (Path(__file__).parents[1] / "cmake/standalone.cmake").read_text()
    assert f"set(backends {' '.join(BACKENDS)})" in cmakes
    environment = {"BACKEND": "slurm", "REGISTRY": "host/", "RELEASE": ":v1", "TIMEOUT": "60", "STEPS": "3",
                   "PATH": "/x"}
    for words in (["--daemon"], ["--noenv"]):
        kept = cases_environment(options.parse(words, environment), environment)
        assert kept == {name: text for name, text in environment.items() if name != "STEPS"}
    parsed = options.parse(["--noenv", "--backend", "native", "--timeout=5"], environment)
    assert parsed.settings == {"BACKEND": "native", "REGISTRY": "host/", "RELEASE": ":v1", "TIMEOUT": "5"}
    assert cases_environment(options.parse([], environment), environment) == environment


@pytest.mark.parametrize("environment", [{"TIMEOUT": "abc"}, {"BACKEND": "dokcer"}, {"RELEASE": "v1"},
                                         {"BATCH_SIZE": "abc"}, {"TRAIN_EPOCH": "3"}, {"PLATFORM": "SPX"},
                                         {"PLATFORM": "SRF"}, {"PLATFORM": "ARMv8"}])
def test_variables_that_nothing_takes_are_refused(nothing_starts, monkeypatch, capsys, environment):
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert main(["ctest", "-N"]) == 2
    said = capsys.readouterr().err
    assert all(name in said and text in said for name, text in environment.items())


def test_variables_that_are_dropped_are_not_refused():
    assert options.parse(["-N", "--noenv"], {"BATCH_SIZE": "abc"}).noenv
    assert options.parse(["-N"], {"BACKEND": "native", "RELEASE": "of-somebody-else"}).settings["BACKEND"] == "native"


def test_a_newer_ctests_options_are_known_by_its_help():
    shown = """Options
  -j [<level>], --parallel [<level>]
                               = Run the tests in parallel.
  --brand-new <value>          = Something.
  --brand-newer                = Something.
  --fresh=<x>                  = Something.
  --test-command               = The test to run.
"""
    takes = {name: how.name for name, how in ctest_words.options_in(shown).items()}
    assert takes == {"-j": "MAYBE", "--parallel": "MAYBE", "--brand-new": "VALUE", "--brand-newer": "NOTHING",
                     "--fresh": "JOINED"}


def test_the_image_is_looked_for_by_the_settings(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("resnet50_bench.backends.check_docker_image", lambda chosen: asked.append(dict(chosen)) or 0)
    monkeypatch.setenv("RESNET50_BENCH_BUILD", str(tmp_path))
    (tmp_path / "CMakeCache.txt").write_text("REGISTRY:STRING=built/\nRELEASE:STRING=:v0\nBACKEND:STRING=auto\n")
    assert ctest_command.main(["--check-docker-image", "--release=:v2"], {"REGISTRY": "host/"}) == 0
    assert asked == [{"BACKEND": "auto", "REGISTRY": "host/", "RELEASE": ":v2"}]


@pytest.mark.parametrize(("words", "why"), [
    (["ctest", "--run=2", "--run=3"], "--run is given twice, '2' and '3': give it once"),
    (["ctest", "-N", "--backend=native", "--backend", "docker"], "--backend is given twice"),
    (["ctest", "--config=a.yaml", "--config=b.yaml"], "--config is given twice"),
    (["ctest", "--batch_size=8", "--batch-size=9"], "--batch_size is given twice, '8' and '9'"),
    (["ctest", "--set=BATCH_SIZE=8", "--set", "BATCH_SIZE=8 9"], "BATCH_SIZE is given twice, '8' and '8 9'"),
    (["ctest", "--set=STEPS=8/BATCH_SIZE=1", "--batch_size=2"], "BATCH_SIZE is given twice, '2' and '1'"),
    (["ctest", "-N", "-R", "latency", "--tests-regex=gated"], "combine both in one expression: -R '(latency)|(gated)'"),
    (["ctest", "-N", "-R", "(latency"], "is not a regular expression: missing )"),
    (["ctest", "-N", "-E", "*gated"], "is not a regular expression: nothing to repeat"),
    (["ctest", "-N", "-I", "foo"], "is not Start,End,Stride"),
    (["ctest", "--options", "--nodes=2"], "--options=VALUE where it begins with a dash"),
    (["ctest", "--config="], "--config: the name of the file or folder is empty"),
    (["run", "--steps=8", "--steps", "9"], "--steps is given twice"),
    (["list", "--format=csv", "--json"], "--json is given twice, 'csv' and 'json'"),
    (["list", ""], "FOLDER: the name of the file or folder is empty"),
    (["list", "--json=1"], "--json: it takes no value, not '1'"),
    (["doctor", ""], "unrecognized arguments: ''"),
])
def test_no_word_is_passed_over(nothing_starts, capsys, words, why):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert why in said and len(said.splitlines()) == 1, said


@pytest.mark.parametrize("words", [
    ["--run=2", "--run=2"], ["--set=STEPS=1 2", "--set=BATCH_SIZE=8"], ["--batch_size=8", "--set=BATCH_SIZE=8"],
    ["-R", r"\d[[:alpha:]]+\8(a|b)$", "-I", "1,3"], ["-I", "3,3,,4,7"], ["-I", ",5"],
    ["-L", "gated", "-L", "latency"], ["--verbose", "--VERBOSE"]])
def test_what_says_the_same_twice_or_two_things_is_taken(words):
    options.parse(words, {})


def test_the_command_lines_words_beat_a_testsets():
    made = options.parse(["--run=3", "--batch_size=2"], {}, below=["--run=2", "--batch_size=1", "--attach=" + __file__])
    assert made.run == 3 and made.flags == {"BATCH_SIZE": "2"} and made.attach == (__file__,)
    with pytest.raises(BadInput, match="--config is given twice"):
        options.parse([], {}, below=["--config=a", "--config=b"])
