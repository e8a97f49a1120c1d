"""The words of ``versus`` -> the sides to compare, each a valid Case with its own Python; nothing is run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..case import inputs
from ..case.case import AnyCase, Case, Layer, resolve
from ..case.defaults import Machine
from ..case.engines import KnownEngines
from ..case.inputs import Inputs
from ..case.parameters import CATALOGUE, SWITCHES
from ..errors import BadInput, BenchError, DoesNotFit
from ..launch.placement import place
from ..launch.surroundings import Surroundings
from ..machine.cpu import require_real
from ..spelling import nearest
from ..stack.environment import StackChoice
from ..stack.stacks import FOLDER, PYTHON, STACK

#: What a side may set beside its parameters: the environment that measures.
CHOOSING = (PYTHON, STACK, FOLDER)
NAMES = "ABCDEFGH"
_QUOTED = 'CUSTOMER_ENV="A=1 B=2"'


@dataclass(frozen=True)
class Given:
    """What was typed: each side's text by its name, and what all have in common."""

    sides: Mapping[str, str]
    flags: Mapping[str, str]
    environment: Mapping[str, str]


def typed(sides: Mapping[str, str | None], flags: Mapping[str, str], environment: Mapping[str, str]) -> Given:
    """The words of the sides that were named, with the parameters of all. Raises BadInput for a share as PRECISION."""
    share = flags.get("PRECISION", "").strip()
    if share.endswith("%"):  # of the comparison, which has another name
        raise BadInput(f"--precision {share} is no PRECISION; did you mean --within {share}?")
    return Given({name: words for name, words in sides.items() if words is not None}, flags,
                 {name: environment[name] for name in CATALOGUE if environment.get(name, "").strip()})


@dataclass(frozen=True)
class Host:
    """What all sides have in common without words: the machine, the user's ``choice`` of an environment, and what is
    known of engines by such a choice."""

    machine: Machine
    choice: StackChoice
    known: Callable[[StackChoice], KnownEngines]
    surroundings: Surroundings


@dataclass(frozen=True)
class AskedSide:
    """One configuration as it was asked for, valid. ``own`` are its variables that choose its environment."""

    name: str
    text: str
    case: AnyCase
    own: Mapping[str, str]
    python: Path
    inputs: Inputs

    @property
    def shown(self) -> str:
        """Its own words."""
        return self.text.strip() or "(no settings of its own)"

    @property
    def label(self) -> str:
        """Its own name in a sentence: ``IPEX (ipex)`` where an engine and a stack are all that is set, else ``B``."""
        words = dict(word.partition("=")[::2] for word in self.text.split())
        if list(words) == ["TORCH_TYPE", STACK]:
            return f"{words['TORCH_TYPE']} ({words[STACK]})"
        return self.name

    def ready(self, case: Case) -> Side:
        """The side with its case decided."""
        return Side(self.name, self.text, case, self.own, self.python, self.inputs)


@dataclass(frozen=True)
class Side(AskedSide):
    """One configuration, ready to run."""

    case: Case


def read_side(name: str, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """``BATCH_SIZE=8 CUSTOMER_ENV="A=1 B=2"`` -> (parameter texts, variables of CHOOSING), quoted as in a shell.

    Raises BadInput with a line for each word that is not understood.
    """
    option = f"--{name.lower()} {text!r}"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}; put a value with spaces in quotes: {_QUOTED}") from error
    texts: dict[str, str] = {}
    bad = []
    for word in words:
        left, equals, value = word.partition("=")
        key = left.removeprefix("--").upper().replace("-", "_")
        if key not in CATALOGUE and key not in CHOOSING:
            bad.append(f"{option}: {word!r} is no parameter{nearest(key, (*CATALOGUE, *CHOOSING))}; allowed are "
                       f"NAME=VALUE of `parameters` and {', '.join(CHOOSING)}; put variables for the instances in "
                       f"quotes: {_QUOTED}")
        elif key in texts:
            bad.append(f"{option}: {key} is given twice; give it once")
        elif not equals and key not in SWITCHES:
            bad.append(f"{option}: {word} needs a value: {key}=VALUE")
        texts[key] = value if equals else "True"
    if PYTHON in texts and (STACK in texts or FOLDER in texts):
        bad.append(f"{option}: {PYTHON} excludes {STACK} and {FOLDER}; give one of them")
    if bad:
        raise BadInput(*bad)
    return ({key: value for key, value in texts.items() if key in CATALOGUE},
            {key: value for key, value in texts.items() if key in CHOOSING})


def sides(given: Given, host: Host) -> list[AskedSide]:
    """Every side, valid.

    Raises BadInput with what is wrong with any of them, or with comparing them, and on a CPU whose AMX is emulated.
    """
    require_real(host.machine.cpu)
    asked: list[AskedSide] = []
    bad: list[str] = []
    for name, text in given.sides.items():
        try:
            own, choosing = read_side(name, text)
        except BadInput as error:
            bad += error.violations
            continue
        try:
            asked.append(_side(name, text, own, choosing, given, host))
        except BadInput as error:
            bad += [f"{name}: {line}" for line in error.violations]
        except BenchError as error:
            error.args = (f"{name}: {error}",)
            raise
    bad += _objections([side.case for side in asked])
    if bad:
        raise BadInput(*dict.fromkeys(bad))
    return asked


def one_side(text: str, given: Given, host: Host) -> AskedSide:
    """A side alone, of which no message says the name. Raises BadInput, and what the environment lacks."""
    own, choosing = read_side("A", text)
    return _side("A", text, own, choosing, given, host)


def _side(name: str, text: str, own: Mapping[str, str], choosing: Mapping[str, str], given: Given,
          host: Host) -> AskedSide:
    # An empty value means the default, not what all have in common.
    common = [{key: value for key, value in layer.items() if key not in own}
              for layer in (given.flags, given.environment)]
    layers = [Layer(f"--{name.lower()}", own), Layer("flag", common[0]), Layer("environment", common[1])]
    choice, machine = host.choice.overridden(choosing), host.machine
    case = resolve(layers, replace(machine, engines=host.known(choice)))
    python = choice.worker_python(case.stack)
    # Never another environment than the one that a side names.
    if FOLDER in choosing and choice.folder() not in python.parents:
        typed = f"{FOLDER}={choosing[FOLDER]}"
        raise BadInput(f"{typed}: {choice.folder()} is not set up: run {typed} scripts/setup.sh once")
    if case.accuracy:
        raise BadInput("MODE=accuracy gives the same answers in each run, so versus cannot help; use compare, or "
                       "MODE=throughput or latency")
    if case.checkpoint:
        raise BadInput("with CHECKPOINT each run continues the run before; leave it out")
    if isinstance(case, Case) and case.unprovable:
        raise DoesNotFit(case.unprovable)
    case_inputs = inputs.find(case)
    if case.cores_per_instance is not None:
        place(machine.topology, case.cores_per_instance, case.instance_mode, case.weight_sharing)
    return AskedSide(name, text, case, choosing, python, case_inputs)


def _objections(cases: list[AnyCase]) -> Iterator[str]:
    for name in ("MODE", "FUNCTION"):
        values = sorted({case.texts()[name] for case in cases})
        if len(values) > 1:
            yield f"{name} is {' and '.join(values)}: values of different kinds have no ratio; give all sides the same"


def identical(sides: Sequence[Side]) -> list[str]:
    """Names of later sides that are just as an earlier one."""
    seen: dict[object, str] = {}
    notes = []
    for side in sides:
        what = (*side.case.texts().values(), side.python)
        if what in seen:
            notes.append(f"{side.name} is the same as {seen[what]}: any difference between them is noise")
        seen.setdefault(what, side.name)
    return notes
