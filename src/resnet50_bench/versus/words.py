"""The words of ``versus`` -> the sides to compare, each a valid Case with its own Python; nothing is run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..case import inputs
from ..case.case import AnyCase, Case, Layer, resolve
from ..case.defaults import Machine
from ..case.flags import SWITCHES
from ..case.inputs import Inputs
from ..case.parameters import CATALOGUE
from ..errors import BadInput, BenchError
from ..launch.placement import place
from ..spelling import nearest
from ..stack import environment
from ..stack.stacks import FOLDER, PYTHON, STACK
from ..sweep.known_engines import known

#: What a side may set apart from its parameters: the environment that measures.
SURROUNDINGS = (PYTHON, STACK, FOLDER)
NAMES = "ABCDEFGH"
_QUOTED = 'CUSTOMER_ENV="A=1 B=2"'


@dataclass(frozen=True)
class Given:
    """What was typed: each side's text by its name, and what all have in common."""

    sides: Mapping[str, str]
    flags: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class AskedSide:
    """One configuration as it was asked for, valid. ``surroundings`` are the variables that choose its environment."""

    name: str
    text: str
    case: AnyCase
    surroundings: Mapping[str, str]
    python: Path
    inputs: Inputs

    @property
    def shown(self) -> str:
        """Its own words."""
        return self.text.strip() or "(as given for all)"

    def ready(self, case: Case) -> Side:
        """The side with its case decided."""
        return Side(self.name, self.text, case, self.surroundings, self.python, self.inputs)


@dataclass(frozen=True)
class Side(AskedSide):
    """One configuration, ready to run."""

    case: Case


def read_side(name: str, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """``BATCH_SIZE=8 CUSTOMER_ENV="A=1 B=2"`` -> (parameter texts, surroundings), quoted as in a shell.

    Raises BadInput with a line for each word that is not understood.
    """
    option = f"--{name.lower()} {text!r}"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}; a value with spaces stands in quotes: {_QUOTED}") from error
    texts: dict[str, str] = {}
    bad = []
    for word in words:
        left, equals, value = word.partition("=")
        key = left.removeprefix("--").upper().replace("-", "_")
        if key not in CATALOGUE and key not in SURROUNDINGS:
            bad.append(f"{option}: {word!r} is no parameter{nearest(key, (*CATALOGUE, *SURROUNDINGS))}; allowed are "
                       f"NAME=VALUE of `parameters` and {', '.join(SURROUNDINGS)}; variables for the instances "
                       f"stand in quotes: {_QUOTED}")
        elif key in texts:
            bad.append(f"{option}: {key} is given twice; give it once")
        elif not equals and key not in SWITCHES:
            bad.append(f"{option}: {word} needs a value: {key}=VALUE")
        texts[key] = value if equals else "True"
    if PYTHON in texts and (STACK in texts or FOLDER in texts):
        bad.append(f"{option}: {PYTHON} beats {STACK} and {FOLDER}; give one of them")
    if bad:
        raise BadInput(*bad)
    return ({key: value for key, value in texts.items() if key in CATALOGUE},
            {key: value for key, value in texts.items() if key in SURROUNDINGS})


def sides(given: Given, machine: Machine) -> list[AskedSide]:
    """Every side, valid. Raises BadInput with what is wrong with any of them, or with comparing them."""
    asked: list[AskedSide] = []
    bad: list[str] = []
    for name, text in given.sides.items():
        try:
            asked.append(_side(name, text, given, machine))
        except BadInput as error:
            bad += [line if line.startswith(f"--{name.lower()} ") else f"{name}: {line}" for line in error.violations]
        except BenchError as error:
            error.args = (f"{name}: {error}",)
            raise
    bad += _objections([side.case for side in asked])
    if bad:
        raise BadInput(*dict.fromkeys(bad))
    return asked


def _side(name: str, text: str, given: Given, machine: Machine) -> AskedSide:
    own, apart = read_side(name, text)
    # An empty value means the default, not what all have in common.
    common = [{key: value for key, value in layer.items() if key not in own}
              for layer in (given.flags, given.environment)]
    layers = [Layer(f"--{name.lower()}", own), Layer("flag", common[0]), Layer("environment", common[1])]
    with surrounded(apart):
        case = resolve(layers, replace(machine, engines=known(machine.cpu.name)))
        python = _python(apart, case.stack)
        if case.accuracy:
            raise BadInput("MODE=accuracy gives the same answers each time: there is nothing to measure by turns; use "
                           "compare, or MODE=throughput or latency")
        if case.checkpoint:
            raise BadInput("CHECKPOINT makes a turn go on where the last one ended; leave it out")
        case_inputs = inputs.find(case)
    if case.cores_per_instance is not None:
        place(machine.topology, case.cores_per_instance, case.instance_mode, case.weight_sharing)
    return AskedSide(name, text, case, apart, python, case_inputs)


def _python(apart: Mapping[str, str], stack: str | None) -> Path:
    """Never another environment than the one that a side names. ``stack``: of an engine that nobody named."""
    python = environment.worker_python(stack)
    if FOLDER in apart and environment.folder() not in python.parents:
        named = f"{FOLDER}={apart[FOLDER]}"
        raise BadInput(f"{named}: {environment.folder()} is not set up: run {named} scripts/setup.sh once")
    return python


def _objections(cases: list[AnyCase]) -> Iterator[str]:
    for name in ("MODE", "FUNCTION"):
        values = sorted({case.texts()[name] for case in cases})
        if len(values) > 1:
            yield f"{name} is {' and '.join(values)}: values of different kinds have no ratio; give all sides the same"


@contextmanager
def surrounded(apart: Mapping[str, str]) -> Iterator[None]:
    """A side's environment for as long as the block lasts."""
    outer = dict(os.environ)
    if apart:
        os.environ.pop(PYTHON, None)  # it would beat the stack that the side names
        if PYTHON not in apart and FOLDER not in apart:
            os.environ.pop(FOLDER, None)
    os.environ.update(apart)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(outer)


def identical(sides: Sequence[Side]) -> list[str]:
    """Names of later sides that are just as an earlier one."""
    seen: dict[object, str] = {}
    notes = []
    for side in sides:
        what = (*side.case.texts().values(), side.python)
        if what in seen:
            notes.append(f"{side.name} is the same as {seen[what]}: what differs between them is what restarts change")
        seen.setdefault(what, side.name)
    return notes
