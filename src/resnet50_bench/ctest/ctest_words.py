"""ctest's own options: their names, as ``ctest --help`` of the version there lists them, and what follows each."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path

from ..errors import Infrastructure


class Takes(Enum):
    """What follows an option."""

    NOTHING = "nothing"
    VALUE = "a value: --x y or --x=y"
    #: ``--x`` or ``--x=y``.
    JOINED = "no value, or a value after ="
    #: As VALUE, but it may stand alone.
    MAYBE = "a value or none"


#: ctest's help pages, its building of other projects, and words that mean something else here.
_OTHER_TOOLS = re.compile(r"--?(help|h|H|usage|version|timeout|build-(?!config$)|test-command|test-timeout)")
#: The help does not say that a value follows.
_UNSAID = dict.fromkeys(("--test-load", "--overwrite", "--submit-index"), Takes.VALUE)

_INFORMATION = ("-I", "--tests-information")
_FIXTURES = ("-FA", "--fixture-exclude-any", "-FS", "--fixture-exclude-setup", "-FC", "--fixture-exclude-cleanup")
#: Of those that choose cases, the ones that would take the place of a testset's own choice instead of narrowing it.
REPLACING = ("-R", "--tests-regex", *_INFORMATION, "--rerun-failed")
#: Those that choose cases, which a named case (--testcase) and a testset do already.
CHOOSING = (*REPLACING, "-E", "--exclude-regex", "-L", "--label-regex", "-LE", "--label-exclude")
#: Those that leave some of the chosen out.
NARROWING = ("-U", "--union", *_FIXTURES)
VERBOSE = ("-V", "--verbose")
EXTRA_VERBOSE = ("-VV", "--extra-verbose", "--debug")
QUIET = ("-Q", "--quiet")
LISTING = ("-N", "--show-only", "--print-labels")

_REGEXES = {*CHOOSING, *_FIXTURES} - {*_INFORMATION, "--rerun-failed"}
_NUMBERS = ("-j", "--parallel", "--max-width", "--test-output-size-passed", "--test-output-size-failed",
            "--repeat-until-fail", "--test-load")
#: (pattern of the values that ctest takes, what these are)
_ALLOWED = {
    **dict.fromkeys(_NUMBERS, ("[0-9]{1,9}", "a whole number")),
    **dict.fromkeys(_INFORMATION, ("[0-9]*(,[0-9]*){1,2}(,[0-9]+)*",
                                   "Start,End,Stride,test#,... or a file that contains this")),
    **dict.fromkeys(("-N", "--show-only"), ("(human|json-v1)?", "one of human, json-v1")),
    "--repeat": ("(until-fail|until-pass|after-timeout):[1-9][0-9]{0,8}",
                 "until-fail:N, until-pass:N or after-timeout:N"),
    "--no-tests": ("error|ignore", "one of error, ignore"),
    "--test-output-truncation": ("tail|middle|head", "one of tail, middle, head"),
    "--interactive-debug-mode": ("0|1", "one of 0, 1")}


@lru_cache
def known() -> Mapping[str, Takes]:
    """Every option of the ctest that is installed. Raises Infrastructure where there is none."""
    try:
        done = subprocess.run(["ctest", "--help"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise Infrastructure(f"ctest does not answer ({error}): apt-get install cmake") from error
    return options_in(done.stdout)


def options_in(help_text: str) -> dict[str, Takes]:
    """The options that a text laid out as ``ctest --help`` describes."""
    options: dict[str, Takes] = {}
    for line in help_text.splitlines():
        if not re.match(r" {1,4}-", line):
            continue
        head = re.split(r"(?:\s+|(?<=>))= ", f" {line.strip()} ")[0]
        for name, after in re.findall(r"(?<=[ ,])(--?[A-Za-z][\w.-]*)(.?)", head):
            if not _OTHER_TOOLS.match(name):
                options.setdefault(name, _UNSAID.get(name) or _takes(head, after == "="))
    return options


def _takes(head: str, is_joined: bool) -> Takes:
    """What follows an option of a line such as ``-j [<level>], --parallel [<level>]``."""
    if is_joined or "[=" in head:
        return Takes.JOINED
    if "[<" in head:  # of -j since CMake 3.29
        return Takes.MAYBE
    return Takes.VALUE if re.search("[<[]", head) else Takes.NOTHING


def problem(name: str, value: str) -> str | None:
    """What is wrong with the value of ctest's option ``name``; None where nothing is, or only ctest knows."""
    if name in _REGEXES:
        return _no_regex(value) if value else "is empty: it would choose every case"
    pattern, allowed = _ALLOWED.get(name, ("(?s:.*)", ""))
    # ctest takes any other -I for the name of a file, and one that is not there for no choice at all.
    is_file = name in _INFORMATION and Path(value).is_file()
    return None if is_file or re.fullmatch(pattern, value) else f"is not {allowed}"


def _no_regex(text: str) -> str | None:
    """CMake refuses what Python does, but for escapes; ctest says so, runs nothing and ends with status 0."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(re.sub(r"\\.", "x", text))
    except re.error as error:
        return f"is not a regular expression: {error}"
    return None
