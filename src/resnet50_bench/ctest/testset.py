"""A ``--testset`` file (YAML documents) enters; for each document its cases and the words of a ctest.sh call leave.

    testcase: test_resnet50_pytorch_xeon_public_inference_throughput_amx_int8
    BATCH_SIZE: 32 64
    loop: 3
    ---
    cases: ["*_latency_*_gated", "!/avx_fp32/"]
    set: {STEPS: 20, WARMUP_STEPS: 5}
    config: tuned.yaml
    TIMEOUT: 600

The keys and ``/regex/`` and ``!/regex/`` are WSF's (its ctest.md); globs, ``cases``, ``set``, ``attach``, ``gate`` and
``continue`` come on top.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import WORKLOAD
from ..case.parameters import CATALOGUE, nearest
from ..errors import BadInput
from ..stack.yaml_files import load_yaml
from .config import text_of

_CASES = ("testcase", "cases")
_NUMBERS = ("loop", "run", "burst")
_FILES = {"config": "--config", "test-config": "--config", "gate": "--gate", "attach": "--attach"}
#: CMake's settings that a case also takes from the environment.
_SETTINGS = ("BACKEND", "REGISTRY", "RELEASE", "TIMEOUT")
#: WSF's choice of a workload; here there is one.
_BENCHMARK = "BENCHMARK"
_KEYS = (*_CASES, "set", *_NUMBERS, *_FILES, "options", "continue", *_SETTINGS, _BENCHMARK)


@dataclass(frozen=True)
class Document:
    """One document: ``patterns`` of cases, ``words`` as if typed, ``settings`` for the cases' environment."""

    number: int
    patterns: Sequence[str]
    words: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def select(self, names: Sequence[str]) -> list[str]:
        """The cases of ``names`` that the patterns choose. Raises BadInput for a pattern that chooses none."""
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!/")]
        chosen = {name for pattern in wanted for name in _matching(pattern, names)} if wanted else set(names)
        for pattern in self.patterns:
            if pattern.startswith("!/"):
                chosen -= set(_matching(pattern[1:], names))
        if not chosen:
            raise BadInput("all its cases are excluded")
        return [name for name in names if name in chosen]


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    if _is_regex(pattern):
        regex = _regex(pattern)
        found = [name for name in names if regex.search(name)]
    else:
        found = [name for name in names if any(fnmatch.fnmatchcase(each, pattern) for each in (
            name, name.removeprefix("test_"), name.removeprefix(f"test_{WORKLOAD}_")))]
    if not found:
        raise BadInput(f"{pattern} is no case{nearest(pattern, tuple(names))}; ./ctest.sh -N lists them")
    return found


def read_testset(path: Path) -> list[Document]:
    """The documents in their order. Raises BadInput with a line for each thing that is wrong, and its document."""
    made = []
    problems: list[str] = []
    for number, given in enumerate(load_yaml(path), start=1):
        if given is None:
            continue
        place = f"{path}: document {number}"
        if not isinstance(given, dict):
            problems.append(f"{place}: NAME: VALUE lines are expected, not a {type(given).__name__}")
            continue
        try:
            made.append(_document(number, given, path.parent))
        except BadInput as error:
            problems += [f"{place}: {problem}" for problem in error.violations]
    if not made and not problems:
        problems.append(f"{path} holds no document")
    if problems:
        raise BadInput(*problems)
    return made


def _document(number: int, given: Mapping[object, object], beside: Path) -> Document:
    patterns: list[str] = []
    words: list[str] = []
    settings: dict[str, str] = {}
    bad: list[str] = []
    for key, value in given.items():
        try:
            if key in _CASES:
                patterns += _patterns(_texts(key, value))
            elif key in _SETTINGS:
                settings[str(key)] = _setting(str(key), value)
            else:
                words += _words(key, value, beside)
        except BadInput as error:
            bad += error.violations
    if not patterns and not bad:
        bad.append("it names no case: testcase or cases is needed, such as cases: '*_gated'")
    if bad:
        raise BadInput(*bad)
    return Document(number, patterns, words, settings)


def _setting(key: str, value: object) -> str:
    text = _text(key, value)
    if key == "TIMEOUT" and not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise BadInput(f"TIMEOUT: {text!r} is no number of seconds; 1, 2, 3 ... are allowed")
    return text


def _patterns(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        regex = text.removeprefix("!")
        if regex != text and not _is_regex(regex):
            raise BadInput(f"{text} is no pattern: only a regular expression can exclude, as !/avx_fp32/")
        if _is_regex(regex):
            _regex(regex)
        yield text


def _is_regex(pattern: str) -> bool:
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


def _regex(pattern: str) -> re.Pattern[str]:
    """``/.../`` compiled. Raises BadInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a syntax that may once mean something else
            return re.compile(pattern[1:-1])
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"{pattern} is not a regular expression: {error}") from error


def _words(key: object, value: object, beside: Path) -> Iterator[str]:
    """The words that say what one line says."""
    if key == "PLATFORM":
        yield f"--platform={_text(key, value)}"
    elif key in CATALOGUE:
        yield f"--set={key}={' '.join(_texts(key, value))}"
    elif key == "set":
        pairs = [f"{name}={' '.join(_texts(name, each))}" for name, each in value.items()] if isinstance(
            value, dict) else _texts(key, value)
        yield from (f"--set={pair}" for pair in pairs)
    elif key in _NUMBERS:
        if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", _text(key, value)):
            raise BadInput(f"{key}: {_text(key, value)!r} is not a number; 1, 2, 3 ... are allowed")
        yield f"--{key}={_text(key, value)}"
    elif key in _FILES:
        for name in _texts(key, value):
            yield f"{_FILES[str(key)]}={_file(name, beside)}"
    elif key == "options":
        yield f"--options={' '.join(_texts(key, value))}"
    elif key == "continue":
        if not isinstance(value, bool):
            raise BadInput(f"continue: {_text(key, value)!r} is neither true nor false")
        yield from ["--continue"] if value else []
    elif key == _BENCHMARK:
        if WORKLOAD not in _text(key, value).lower().replace("-", "_"):
            raise BadInput(f"BENCHMARK: {value} is another workload; this one is {WORKLOAD}")
    else:
        name = _text("a key", key)
        raise BadInput(f"{name} is neither a key nor a parameter{nearest(name, (*_KEYS, *CATALOGUE))}; the keys are "
                       f"{', '.join(_KEYS)}")


def _file(name: str, beside: Path) -> Path:
    """As WSF, from the current folder; as people lay them, beside the testset. Raises BadInput."""
    for path in (Path(name), beside / name):
        try:
            if name and path.is_file():
                return path
        except OSError:  # the name is too long
            break
    raise BadInput(f"{name}: there is no such file, neither here nor beside the testset")


def _texts(key: object, value: object) -> list[str]:
    """A value or a list of values."""
    return [_text(key, each) for each in value] if isinstance(value, list) else [_text(key, value)]


def _text(key: object, value: object) -> str:
    if isinstance(value, list | dict | set | tuple):
        raise BadInput(f"{key}: a value is expected, not a {type(value).__name__}")
    text = text_of(value, str(key)).strip()
    if not text.isprintable():
        raise BadInput(f"{key}: {text!r} holds characters that cannot be printed, which no value has")
    return text
