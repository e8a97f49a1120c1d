"""The catalogue of parameters: text from anywhere -> typed values, defaults and help texts.

Every parameter that a user can set is defined here once. Validation, ``--help``, ``--describe-params``, the table of
docs/reference/parameters.md and the log header are made from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto

from .. import WORKLOAD
from ..files import readable
from ..spelling import nearest
from . import engines
from .platforms import PLATFORMS, REFUSED
from .precision import PRECISIONS

#: A parameter's value.
Value = str | int | float | bool | tuple[tuple[str, str], ...]
#: Defaults that depend on the machine. ``case.defaults`` resolves them.
AUTO = "auto"
BEST = "best"
SOCKET = "socket"
ALL = "all"
_SYMBOLS = {
    BEST: "the platform's best",
    SOCKET: "one socket",
    ALL: "the whole data set",
}


class Role(Flag):
    """The role of a parameter for searches, comparisons, lists and references."""

    NONE = 0
    NAME = auto()  # part of the case name
    CONFIGURATION = auto()  # decides a case's speed, so a reference applies only to results with the same value
    SEARCHED = auto()  # a sweep or ``auto`` may search for the best value
    COMPARED = auto()  # results that differ only in this are compared
    SHOWN = auto()  # identifies the configuration of a case in short lists
    EFFORT = auto()  # how long and how strictly to measure; does not change which configuration is the best


@dataclass(frozen=True)
class Rule:
    """A default that applies if every parameter of ``when`` has the named value."""

    value: object
    when: Mapping[str, str]


@dataclass(frozen=True)
class Parameter:
    """One parameter: how its text is read (``parse`` raises ValueError) and what it defaults to."""

    name: str
    meaning: str
    allowed: str
    parse: Callable[[str], Value]
    rules: tuple[Rule, ...]
    roles: Role = Role.NONE
    applies_to: str = "every case"

    def default(self, chosen: Mapping[str, object]) -> object:
        """The default of the first rule that applies. It may be AUTO, BEST, SOCKET or ALL."""
        return next(rule.value for rule in self.rules
                    if all(chosen.get(name) == value for name, value in rule.when.items()))

    def default_text(self) -> str:
        """The rules in words: ``latency 1; accuracy 100; else 32``."""
        words = []
        for rule in self.rules:
            shown = _SYMBOLS.get(str(rule.value), text_of(rule.value)) or "empty"
            condition = " ".join(rule.when.values()) or ("else" if len(self.rules) > 1 else "")
            words.append(f"{condition} {shown}".strip())
        return "; ".join(words)


def _one_of(*choices: str) -> Callable[[str], Value]:
    by_lower = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> str:
        if text.lower() in by_lower:
            return by_lower[text.lower()]
        raise ValueError(f"is not one of {', '.join(choices)}{nearest(text, choices)}")

    return parse


def _integer(least: int, most: int = 10**18) -> Callable[[str], Value]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError(f"is not a whole number of {least} or more")
        value = int(text)
        if value < least:
            raise ValueError(f"is too small: {least} or more is allowed (nearest: {least})")
        if value > most:
            raise ValueError(f"is too large: {most} or less is allowed (nearest: {most})")
        return value

    return parse


def _platform(text: str) -> Value:
    if why := REFUSED.get(text.upper()):
        raise ValueError(f"is not supported: {why}; supported are {', '.join(PLATFORMS)}, {AUTO}")
    return _one_of(*PLATFORMS, AUTO)(text)


def _or_auto(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    return lambda text: AUTO if text.lower() == AUTO else parse(text)


def _boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("is not one of True, False")
    return words[text.lower()]


def _number(least: float, most: float) -> Callable[[str], Value]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,12})?", text) or not least <= float(text) <= most:
            raise ValueError(f"is not a number from {least:g} to {most:g}")
        return float(text)

    return parse


def _path(text: str) -> str:
    # A relative path would mean another folder in a container and in the runner's logs folder.
    if not text.startswith("/"):
        raise ValueError("is not an absolute path: begin it with /, such as "
                         f"{readable(os.path.abspath(os.path.expanduser(text)))}")  # noqa: PTH100, PTH111 - pure text
    if not readable(text).isprintable():  # a name that is not UTF-8 may be any bytes
        raise ValueError("contains a control character, which would break the log's lines: rename the file or folder")
    return text


def _environment(text: str) -> tuple[tuple[str, str], ...]:
    """``A=1 B=x`` -> (("A", "1"), ("B", "x")). Pure data: no quoting, no expansion."""
    pairs: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"contains {word!r}, which is not NAME=VALUE; separate several by spaces")
        pairs[name] = value
    return tuple(pairs.items())


def _when(value: object, **when: str) -> Rule:
    return Rule(value, when)


def _choice(name: str, meaning: str, choices: tuple[str, ...], *rules: Rule, roles: Role = Role.NONE) -> Parameter:
    return Parameter(name, meaning, " ".join(choice or "empty" for choice in choices), _one_of(*choices), rules, roles)


#: LoadGen and the pipe transfer about 50,000 queries/s (benchmarks/server_handoff.py).
MOST_QPS = 100_000
_TUNED = Role.CONFIGURATION | Role.COMPARED
_CATALOGUE = (
    _choice("WORKLOAD", "the workload", (WORKLOAD,), _when(WORKLOAD)),
    Parameter("PLATFORM", "the CPU generation; auto: from the CPU's model and flags", " ".join((*PLATFORMS, AUTO)),
              _platform, (_when(AUTO),)),
    _choice("FUNCTION", "what the model does", ("inference", "training"), _when("inference"),
            roles=Role.NAME),
    _choice("MODE", "what is measured", ("latency", "throughput", "accuracy", "server"), _when("throughput"),
            roles=Role.NAME),
    _choice("CASE_TYPE", "a variant of the case: gated is short, for CI; pkm is for trace tools",
            ("", "gated", "pkm"), _when(""), roles=Role.NAME),
    _choice("PRECISION", "the arithmetic and the instruction set", tuple(PRECISIONS), _when(BEST),
            roles=Role.NAME | Role.COMPARED | Role.SHOWN),
    _choice("TOPOLOGY", "the model", ("resnet50",), _when("resnet50")),
    _choice("DATA_TYPE", "generated or decoded images", ("dummy", "real"),
            _when("real", MODE="accuracy"), _when("dummy"), roles=Role.CONFIGURATION),
    Parameter("DATASET", "the folder with [val/]<class>/<image>. Empty: /dataset of the image, if it exists", "a path",
              _path, (_when(""),), applies_to="DATA_TYPE=real"),
    Parameter("WEIGHTS", "the checkpoint. Empty: for real data /weights or torch's cache, otherwise seeded random "
              "numbers",
              "a path", _path, (_when(""),)),
    Parameter("QCONF", "a quantisation recipe (qconf_summary.json of IPEX) to use instead of a calibration", "a path",
              _path, (_when(""),), applies_to="int8 with IPEX"),
    Parameter("ACCURACY_TARGET", "the lowest top-1 that passes (else status 4). The default is 99 % of MLPerf's 76.46, "
              "for 1000 classes only", "0 ... 100 %", _number(0, 100), (_when(75.6954),),
              Role.EFFORT, "MODE=accuracy"),
    Parameter("CHECKPOINT", "a file that training writes as it runs. If the file exists, training continues from it",
              "a path",
              _path, (_when(""),), applies_to="FUNCTION=training"),
    Parameter("BATCH_SIZE", "images in one step (server: the largest number). auto: the best known value, or that of a "
              "short search",
              "1, 2, 3 ... auto", _or_auto(_integer(1)), (
        _when(1, CASE_TYPE="gated"), _when(1, MODE="latency"), _when(4, MODE="server"),
        _when(100, MODE="accuracy"),
        _when(64, PRECISION="amx_int8"), _when(128, PRECISION="avx_fp32"), _when(32)),
              _TUNED | Role.SEARCHED | Role.SHOWN),
    Parameter("CORES_PER_INSTANCE", "physical cores of one instance. auto: as for BATCH_SIZE",
              "1, 2, 3 ... cores auto", _or_auto(_integer(1)), (
                  _when(SOCKET, CASE_TYPE="gated"), _when(4, MODE="latency"), _when(4, MODE="server"),
                  _when(SOCKET)),
              _TUNED | Role.SEARCHED | Role.SHOWN),
    _choice("INSTANCE_MODE", "flex: as many instances as fit. single: one instance",
            ("flex", "single"), _when("flex"), roles=_TUNED),
    Parameter("STEPS", "the smallest number of measured steps of each instance (MODE=server: of queries)",
              "1, 2, 3 ...",
              _integer(1), (_when(10, CASE_TYPE="gated"), _when(ALL, MODE="accuracy"), _when(100)), Role.EFFORT),
    Parameter("WARMUP_STEPS", "the smallest number of steps before the measurement. More follow until step times "
              "are steady, except in a burst. 0: none",
              "0, 1, 2 ...", _integer(0), (_when(5, CASE_TYPE="gated"), _when(20)), Role.EFFORT),
    Parameter("MIN_DURATION", "the shortest time in seconds that each instance measures", "0, 1, 2 ... 86400",
              _integer(0, 86400), (_when(5, MODE="server", CASE_TYPE="gated"), _when(60, MODE="server"),
                                   _when(0, CASE_TYPE="gated"), _when(0, MODE="accuracy"), _when(10)), Role.EFFORT),
    Parameter("TARGET_QPS", "queries per second. auto: the highest rate within the bound, found by a search. gated: a "
              "safe rate, from the step times of the warm-up",
              f"0.01 ... {MOST_QPS} auto", _or_auto(_number(0.01, MOST_QPS)),
              (_when(AUTO, MODE="server"), _when(None)), Role.CONFIGURATION, "MODE=server"),
    Parameter("LATENCY_BOUND_MS", "the longest time in ms from a query's arrival to its answer, for LATENCY_PERCENTILE "
              "of the queries",
              "0.001 ... 100000", _number(0.001, 100_000), (
                  _when(10_000.0, MODE="server", CASE_TYPE="gated"), _when(15.0, MODE="server"), _when(None)),
              Role.CONFIGURATION, "MODE=server"),
    Parameter("LATENCY_PERCENTILE", "the percentage of the queries that must meet the bound", "50 ... 99.99",
              _number(50, 99.99), (
                  _when(90.0, MODE="server", CASE_TYPE="gated"), _when(99.0, MODE="server"), _when(None)),
              Role.CONFIGURATION, "MODE=server"),
    Parameter("FAIL_ON_NOISY", "whether a noisy result fails the case", "True False", _boolean, (_when(False),),
              Role.EFFORT),
    Parameter("WEIGHT_SHARING", "instances share one copy of the weights", "True False", _boolean,
              (_when(False),), _TUNED, "every precision but " + " ".join(
                  p.name for p in PRECISIONS.values() if not p.weight_sharing)),
    _choice("TORCH_TYPE", "the engine that runs the model. auto: the fastest one with proven kernels, as the command "
            "`engines` found it",
            (*engines.ENGINES, AUTO), _when(engines.DEFAULT), roles=_TUNED | Role.SHOWN),
    Parameter("VERBOSE", "write more into the log", "True False 1 0", _boolean, (_when(False),), Role.EFFORT),
    Parameter("CUSTOMER_ENV", "environment variables for every instance",
              "NAME=VALUE NAME=VALUE ...", _environment, (_when(()),), _TUNED),
)

#: By name, in the order in which defaults are resolved (PRECISION before BATCH_SIZE, say).
CATALOGUE: dict[str, Parameter] = {parameter.name: parameter for parameter in _CATALOGUE}


def having(roles: Role) -> tuple[str, ...]:
    """The names of the parameters that have any of the roles, in the catalogue's order."""
    return tuple(name for name, parameter in CATALOGUE.items() if parameter.roles & roles)


#: The parameters that a sweep or ``auto`` searches.
SEARCHED = having(Role.SEARCHED)
#: Parameters whose flag needs no value and then means True.
SWITCHES = tuple(name for name, parameter in CATALOGUE.items() if parameter.parse is _boolean)
#: Parameters of WSF's own ResNet50 workload without an equivalent here, and what to use instead.
FOREIGN = {
    "TRAIN_EPOCH": "training is measured in steps: STEPS=N",
    "DISTRIBUTED": 'training over several machines is BACKEND=slurm with --options="--nodes=N"',
    "CCL_WORKER": "oneCCL reads its own variable: CUSTOMER_ENV=CCL_WORKER_COUNT=N",
}


def refusal(name: str, text: str, origin: str = "") -> str:
    """The error for an unknown parameter name, with the right name or an alternative. ``origin``: its source."""
    place = f" ({origin})" if origin else ""
    if name in FOREIGN:
        return f"{name}={text}{place} is not supported; {FOREIGN[name]}"
    return f"{name}{place} is not a parameter{nearest(name, CATALOGUE)}; the parameters are {', '.join(CATALOGUE)}"


def read(texts: Mapping[str, str], origins: Mapping[str, str] | None = None) -> tuple[dict[str, Value], list[str]]:
    """Return the typed values, and an error line with its origin for each name or value that is invalid in any case."""
    values: dict[str, Value] = {}
    wrong = []
    for name, text in texts.items():
        origin = (origins or {}).get(name, "")
        if name not in CATALOGUE:
            wrong.append(refusal(name, text, origin))
            continue
        try:
            values[name] = CATALOGUE[name].parse(text)
        except ValueError as error:
            wrong.append(f"{name}={text!r}{f' ({origin})' if origin else ''} {error}")
    return values, wrong


def wrong_values(texts: Mapping[str, str]) -> list[str]:
    """The errors that no case could accept. Empty text means the default. Resolving a case finds the others."""
    return read({name: text.strip() for name, text in texts.items() if text.strip() or name not in CATALOGUE})[1]


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters set by environment variables. Keeps WSF's other parameters for ``case.resolve`` to refuse by name.

    DISTRIBUTED=False changes nothing and is accepted.
    """
    foreign = {name: environment[name].strip() for name in FOREIGN if environment.get(name, "").strip()}
    if foreign.get("DISTRIBUTED", "").lower() in ("false", "0"):
        del foreign["DISTRIBUTED"]
    return {name: environment[name] for name in CATALOGUE if name in environment} | foreign


def text_of(value: object) -> str:
    """A typed value as text, in the form that its parameter's ``parse`` reads."""
    if isinstance(value, tuple):
        return " ".join(f"{name}={text}" for name, text in value)
    return "" if value is None else str(value).removesuffix(".0")
