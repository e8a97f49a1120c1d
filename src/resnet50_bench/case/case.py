"""Layers of text (flags, config, environment, case name) + the machine -> one frozen, valid Case.

The only validator: it reports every violation together, before anything expensive happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from .. import WORKLOAD
from ..errors import BadInput, UnsupportedCpu
from ..machine.cpu import Cpu
from ..machine.topology import Topology
from . import platforms
from .parameters import ALL, AUTO, BEST, CATALOGUE, SOCKET, refusal, text_of
from .precision import PRECISIONS, Precision

#: TORCH_TYPE -> the arithmetic that it can do, where that is not all.
_DATA_TYPES = {"EAGER": ("float32", "bfloat16"), "COMPILE-INDUCTOR": ("float32", "bfloat16", "int8")}


@dataclass(frozen=True)
class Layer:
    """One source of parameter texts. ``origin`` is what a message calls it (``--set``)."""

    origin: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Machine:
    """What the resolution of defaults needs to know of the machine."""

    cpu: Cpu
    topology: Topology


@dataclass(frozen=True)
class Case:
    """One valid case. ``steps`` is None where the whole data set is one run (accuracy); ``batch_size`` and
    ``cores_per_instance`` may be AUTO until ``sweep.auto`` has found numbers.

    ``origins`` names for each parameter where its value came from; ``notices`` are lines
    that the log must show (a lowered default, an environment that beat the case name).
    """

    workload: str
    platform: str
    function: str
    mode: str
    case_type: str
    precision: str
    topology: str
    data_type: str
    dataset: str
    weights: str
    qconf: str
    accuracy_target: float
    checkpoint: str
    batch_size: int
    cores_per_instance: int
    instance_mode: str
    steps: int | None
    warmup_steps: int
    min_duration: int
    fail_on_noisy: bool
    weight_sharing: bool
    torch_type: str
    verbose: bool
    customer_env: tuple[tuple[str, str], ...]
    origins: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def arithmetic(self) -> Precision:
        """The precision's facts."""
        return PRECISIONS[self.precision]

    @property
    def accuracy(self) -> bool:
        """Whether this case counts right answers instead of time."""
        return self.mode == "accuracy"

    @property
    def training(self) -> bool:
        """Whether weights are learnt."""
        return self.function == "training"

    def is_default(self, name: str) -> bool:
        """Whether nobody gave the parameter."""
        return dict(self.origins).get(name, "default") == "default"

    def texts(self) -> dict[str, str]:
        """Every parameter as text, in the catalogue's order, for logs and child processes."""
        return {name: ALL if name == "STEPS" and self.steps is None
                else text_of(getattr(self, name.lower())) for name in CATALOGUE}


def option_of(case: Case) -> str:
    """``inference_throughput_amx_int8_gated``: the case's part of a ctest name."""
    parts = (case.function, case.mode, case.precision, case.case_type)
    return "_".join(part for part in parts if part)


def parse_option(option: str) -> dict[str, str]:
    """``[test_][<WORKLOAD>_]<FUNCTION>_<MODE>_<PRECISION>[_<CASE_TYPE>]`` -> parameter texts.

    Raises BadInput where the name does not follow that form.
    """
    rest = option.removeprefix("test_").removeprefix(WORKLOAD + "_")
    function, _, rest = rest.partition("_")
    mode, _, rest = rest.partition("_")
    precision = next((name for name in PRECISIONS if rest == name or rest.startswith(name + "_")), rest)
    case_type = rest[len(precision):].removeprefix("_")
    values = {"FUNCTION": function, "MODE": mode, "PRECISION": precision, "CASE_TYPE": case_type}
    bad = [f"case name {option!r}: {name} {message}"
           for name, message in _violations(values).items()]
    if bad:
        raise BadInput(*bad)
    return values


def _violations(values: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, text in values.items():
        try:
            if text or name in ("FUNCTION", "MODE"):
                CATALOGUE[name].parse(text)
        except ValueError as error:
            found[name] = f"{text!r} {error}"
    return found


def resolve(layers: Sequence[Layer], machine: Machine) -> Case:
    """The Case that the layers (first beats later) and the machine give.

    Raises BadInput with one line for each violation, UnsupportedCpu where all is well but
    this CPU lacks instructions that the precision needs.
    """
    texts, origins, bad = _merge(layers)
    given: dict[str, object] = {}
    for name, text in texts.items():
        try:
            given[name] = CATALOGUE[name].parse(text)
        except ValueError as error:
            bad.append(f"{name}={text!r} ({origins[name]}) {error}")
    chosen, notices = _complete(given, machine)
    bad += _cross_checks(chosen, given, machine.topology)
    if bad:
        raise BadInput(*bad)
    _require_cpu(PRECISIONS[str(chosen["PRECISION"])], machine.cpu)
    notices += _overridden_name(layers, texts, origins)
    known = {field.name for field in fields(Case)}
    values = {name.lower(): value for name, value in chosen.items() if name.lower() in known}
    all_origins = tuple((name, origins.get(name, "default")) for name in CATALOGUE)
    return Case(**values, origins=all_origins, notices=tuple(notices))  # type: ignore[arg-type]


def _merge(layers: Sequence[Layer]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The first non-empty text of each parameter, where it came from, and unknown names."""
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    bad: list[str] = []
    for layer in layers:
        for name, text in layer.values.items():
            if name not in CATALOGUE:
                bad.append(refusal(name, text, layer.origin))
            elif text.strip() and name not in texts:
                texts[name], origins[name] = text.strip(), layer.origin
    return texts, origins, bad


def _complete(given: Mapping[str, object], machine: Machine) -> tuple[dict[str, object], list[str]]:
    """Fill in every default; the machine decides those that the catalogue leaves to it."""
    chosen = dict(given)
    notices: list[str] = []
    cpu = machine.cpu
    detected, why = platforms.detect(cpu.vendor, cpu.family, cpu.model, cpu.flags)
    for name, parameter in CATALOGUE.items():
        value = chosen.get(name, parameter.default(chosen))
        if name == "PLATFORM" and value == AUTO:
            value = detected
            if why.startswith("unknown"):
                notices.append(f"PLATFORM: {detected} ({why})")
        elif name == "PRECISION" and value == BEST:
            value = _best_precision(str(chosen["PLATFORM"]), cpu)
        elif name == "CORES_PER_INSTANCE" and name not in given:
            value, lowered = _default_cores(value, machine.topology)
            notices += lowered
        elif name == "STEPS" and value == ALL:
            value = None
        chosen[name] = value
    return chosen, notices


def _best_precision(platform: str, cpu: Cpu) -> str:
    mine = platforms.PLATFORMS[platform].precisions
    runnable = [name for name, precision in PRECISIONS.items()
                if name in mine and not precision.missing_flags(cpu.flags)]
    return runnable[0] if runnable else next(name for name in PRECISIONS if name in mine)


def _default_cores(value: object, topology: Topology) -> tuple[int, list[str]]:
    wanted = topology.cores_per_socket if value == SOCKET else int(str(value))
    if wanted <= topology.core_count:
        return wanted, []
    return topology.core_count, [
        f"CORES_PER_INSTANCE: default {wanted} lowered to the {topology.core_count} cores there are"]


def _cross_checks(chosen: Mapping[str, object], given: Mapping[str, object],
                  topology: Topology) -> list[str]:
    """What is wrong between parameters, or between a given value and the machine."""
    bad = []
    cores = given.get("CORES_PER_INSTANCE")
    if isinstance(cores, int) and cores > topology.core_count:
        bad.append(f"CORES_PER_INSTANCE={cores} does not fit: this machine gives {topology.core_count} "
                   f"cores (nearest: {topology.core_count}){topology.why_fewer()}")
    precision = str(chosen["PRECISION"])
    if chosen["WEIGHT_SHARING"] and not PRECISIONS[precision].weight_sharing:
        bad.append(f"WEIGHT_SHARING=True is not supported with {precision}; it is with "
                   + ", ".join(p.name for p in PRECISIONS.values() if p.weight_sharing))
    if chosen["MODE"] == "accuracy" and chosen["DATA_TYPE"] == "dummy":
        bad.append("DATA_TYPE=dummy with MODE=accuracy: random labels have no accuracy; use DATA_TYPE=real")
    if chosen["FUNCTION"] == "training":
        bad += _training_checks(chosen)
    elif chosen["CHECKPOINT"]:
        bad.append("CHECKPOINT is written by FUNCTION=training only; inference reads WEIGHTS")
    if chosen["QCONF"] and (PRECISIONS[precision].data_type != "int8" or chosen["TORCH_TYPE"] != "IPEX"):
        bad.append(f"QCONF is a recipe for int8 with TORCH_TYPE=IPEX, not for {precision} with {chosen['TORCH_TYPE']}")
    if chosen["DATASET"] and chosen["DATA_TYPE"] == "dummy":
        bad.append("DATASET is read with DATA_TYPE=real only; give that too, or leave DATASET empty")
    possible = _DATA_TYPES.get(str(chosen["TORCH_TYPE"]))
    if possible and PRECISIONS[precision].data_type not in possible:
        bad.append(f"TORCH_TYPE={chosen['TORCH_TYPE']} is not supported with {precision}; it is with "
                   + ", ".join(p.name for p in PRECISIONS.values() if p.data_type in possible))
    return bad


def _training_checks(chosen: Mapping[str, object]) -> list[str]:
    bad = []
    precision = PRECISIONS[str(chosen["PRECISION"])]
    if chosen["MODE"] != "throughput":
        bad.append(f"MODE={chosen['MODE']} is not supported with FUNCTION=training; MODE=throughput is")
    if not precision.training:
        bad.append(f"FUNCTION=training is not supported with {precision.name}; it is with "
                   + ", ".join(p.name for p in PRECISIONS.values() if p.training))
    if chosen["WEIGHT_SHARING"]:
        bad.append("WEIGHT_SHARING=True is not supported with FUNCTION=training: instances are processes that "
                   "exchange gradients")
    if chosen["TORCH_TYPE"] == "COMPILE-INDUCTOR":
        bad.append("FUNCTION=training is not supported with TORCH_TYPE=COMPILE-INDUCTOR; it is with IPEX, EAGER")
    return bad


def _require_cpu(precision: Precision, cpu: Cpu) -> None:
    missing = precision.missing_flags(cpu.flags)
    if missing:
        raise UnsupportedCpu(f"PRECISION={precision.name} needs the CPU flags {' '.join(missing)}, "
                             f"which this CPU ({cpu.name}) lacks")


def _overridden_name(layers: Sequence[Layer], texts: Mapping[str, str],
                     origins: Mapping[str, str]) -> list[str]:
    """Notices for what the case's name says but a stronger layer overrode."""
    named = next((layer for layer in layers if layer.origin == CASE_NAME), None)
    return [f"{name}: {texts[name]} ({origins[name]}) instead of the case name's {text}"
            for name, text in (named.values if named else {}).items()
            if text and texts.get(name, text) != text]


#: The origin of the layer made by ``parse_option``.
CASE_NAME = "case name"
