"""ctest's own options: their names, as ``ctest --help`` of the version there lists them, and what follows each."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path


class Takes(Enum):
    """What follows an option."""

    NOTHING = "nothing"
    VALUE = "a value: --x y or --x=y"
    #: ``--x`` or ``--x=y``.
    JOINED = "a value after = only, or none"
    #: As VALUE, but it may stand alone.
    MAYBE = "a value or none"


_REGEXES = ("-R", "--tests-regex", "-E", "--exclude-regex", "-L", "--label-regex", "-LE", "--label-exclude",
            "-FA", "--fixture-exclude-any", "-FS", "--fixture-exclude-setup", "-FC", "--fixture-exclude-cleanup")
_NUMBERS = ("-j", "--parallel", "--max-width", "--test-output-size-passed", "--test-output-size-failed",
            "--repeat-until-fail", "--test-load")
_VALUES = (*_REGEXES, *_NUMBERS, "-C", "--build-config", "-O", "--output-log", "--output-junit", "-I",
           "--tests-information", "--repeat", "--interactive-debug-mode", "--resource-spec-file", "--test-dir",
           "--preset", "--stop-time", "--test-output-truncation", "-D", "--dashboard", "-M", "--test-model", "-T",
           "--test-action", "--group", "-S", "--script", "-SP", "--script-new-process", "-A", "--add-notes",
           "--extra-submit", "--submit-index", "--overwrite")
_JOINED = ("-N", "--show-only", "--no-tests")
_ALONE = ("-V", "--verbose", "-VV", "--extra-verbose", "--debug", "--progress", "--output-on-failure",
          "--stop-on-failure", "-F", "-Q", "--quiet", "-U", "--union", "--rerun-failed", "--no-label-summary",
          "--no-subproject-summary", "--schedule-random", "--print-labels", "--list-presets",
          "--force-new-ctest-process", "--no-compress-output", "--http1.0", "--tomorrow-tag")
#: For a machine without ctest, and where its help does not say what follows.
_TABLE = {**dict.fromkeys(_ALONE, Takes.NOTHING), **dict.fromkeys(_VALUES, Takes.VALUE),
          **dict.fromkeys(_JOINED, Takes.JOINED)}

_JOBS = ("-j", "--parallel")
#: ctest's help pages, its building of other projects, and words that mean something else here.
_OTHER_TOOLS = re.compile(r"--?(help|h|H|usage|version|timeout|build-(?!config$)|test-command|test-timeout)")

#: Those that choose cases, which a named case (--testcase) and a testset do already.
CHOOSING = ("-R", "--tests-regex", "-E", "--exclude-regex", "-L", "--label-regex", "-LE", "--label-exclude", "-I",
            "--tests-information", "--rerun-failed")
#: Those that leave some of the chosen out.
NARROWING = ("-U", "--union", "-FA", "--fixture-exclude-any", "-FS", "--fixture-exclude-setup", "-FC",
             "--fixture-exclude-cleanup")
#: Of CHOOSING, those that would take the place of a testset's own choice instead of narrowing it.
REPLACING = ("-R", "--tests-regex", "-I", "--tests-information", "--rerun-failed")
VERBOSE = ("-V", "--verbose")
EXTRA_VERBOSE = ("-VV", "--extra-verbose", "--debug")
QUIET = ("-Q", "--quiet")
LISTING = ("-N", "--show-only", "--print-labels")


@lru_cache
def known() -> Mapping[str, Takes]:
    """Every option of the ctest that is installed; where there is none, of the one that this was written for."""
    ctest = shutil.which("ctest")
    if not ctest:
        return _TABLE
    try:
        shown = subprocess.run([ctest, "--help"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return _TABLE
    return options_in(shown) or _TABLE


def options_in(help_text: str) -> dict[str, Takes]:
    """The options that a text laid out as ``ctest --help`` describes."""
    options: dict[str, Takes] = {}
    for line in help_text.splitlines():
        if not re.match(r" {1,4}-", line):
            continue
        head = re.split(r"(?:\s+|(?<=>))= ", f" {line.strip()} ")[0]
        for name, after in re.findall(r"(?<=[ ,])(--?[A-Za-z][\w.-]*)(.?)", head):
            guessed = Takes.JOINED if after in "=[" and after else Takes.VALUE if "<" in head else Takes.NOTHING
            if not _OTHER_TOOLS.match(name):
                options[name] = _TABLE.get(name, guessed)
            if name in _JOBS and "[" in head:  # since CMake 3.29
                options[name] = Takes.MAYBE
    return options


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _one_of(*names: str) -> Callable[[str], str | None]:
    return lambda text: None if text in names else f"is not one of {', '.join(names)}"


def _repeat(text: str) -> str | None:
    if re.fullmatch(r"(until-fail|until-pass|after-timeout):[1-9][0-9]{0,8}", text):
        return None
    return "is not until-fail:N, until-pass:N or after-timeout:N"


def _format(text: str) -> str | None:
    return None if text in ("", "human", "json-v1") else "is not one of human, json-v1"


def _information(text: str) -> str | None:
    """ctest takes any other text for the name of a file, and one that is not there for no choice at all."""
    if re.fullmatch(r"[0-9]*(,[0-9]*){1,2}(,[0-9]+)*", text) or Path(text).is_file():
        return None
    return "is neither Start,End,Stride,test#,... nor a file that holds this"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "-I": _information, "--tests-information": _information,
    "-N": _format, "--show-only": _format, "--no-tests": _one_of("error", "ignore"), "--repeat": _repeat,
    "--test-output-truncation": _one_of("tail", "middle", "head"), "--interactive-debug-mode": _one_of("0", "1")}


def _no_regex(text: str) -> str | None:
    """CMake refuses what Python does, but for escapes; ctest says so, runs nothing and ends with status 0."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(re.sub(r"\\.", "x", text))
    except re.error as error:
        return f"is no regular expression: {error}"
    return None


def problem(name: str, value: str) -> str | None:
    """What is wrong with the value of ctest's option ``name``; None where nothing is, or only ctest knows."""
    if name in _NUMBERS and not _is_number(value):
        return "is not a whole number"
    if name in _REGEXES and not value:
        return "is empty: it would choose every case"
    if name in _REGEXES:
        return _no_regex(value)
    return _CHECKS[name](value) if name in _CHECKS else None
