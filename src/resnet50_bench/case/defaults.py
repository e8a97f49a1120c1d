"""The given values + the machine -> a value for every parameter, and the conflicts between them.

One resolver for each parameter that needs more than the catalogue's default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..machine.cpu import Cpu
from ..machine.topology import Topology
from . import engines, platforms
from .engines import ENGINES, KnownEngines
from .parameters import ALL, AUTO, BEST, CATALOGUE, SOCKET
from .precision import INT8, PRECISIONS, Precision

#: The ids of a batch's queries must go back in one piece: 512 fit into PIPE_BUF (4096 bytes).
_MOST_SERVED = 512


@dataclass(frozen=True)
class Machine:
    """The facts of the machine that resolving a case needs. ``engines`` is for TORCH_TYPE=auto."""

    cpu: Cpu
    topology: Topology
    engines: KnownEngines = KnownEngines()


@dataclass
class Draft:
    """An unfinished case: the given values, the values chosen so far, and the notices for the log.

    ``refusals`` name requests that cannot be met. ``stack`` is the stack of the engine that ``auto`` chose.
    """

    given: Mapping[str, object]
    machine: Machine
    chosen: dict[str, object] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    stack: str | None = None


def complete(given: Mapping[str, object], machine: Machine) -> Draft:
    """Choose a value for every parameter, in catalogue order. A later default may depend on an earlier value."""
    draft = Draft(given, machine)
    for name, parameter in CATALOGUE.items():
        value = given[name] if name in given else parameter.default({**given, **draft.chosen})
        draft.chosen[name] = _RESOLVERS[name](value, draft) if name in _RESOLVERS else value
    return draft


def _platform(value: object, draft: Draft) -> object:
    if value != AUTO:
        return value
    name, doubt = platforms.detect(draft.machine.cpu)
    draft.notices += [f"PLATFORM: {name} ({doubt})"] if doubt else []
    return name


def _precision(value: object, draft: Draft) -> object:
    """The platform's best that this CPU can run, else its best."""
    if value != BEST:
        return value
    names = platforms.precisions_of(str(draft.chosen["PLATFORM"]))
    return next((name for name in names if not PRECISIONS[name].missing_flags(draft.machine.cpu.flags)), names[0])


def _cores(value: object, draft: Draft) -> object:
    """A default is lowered to the available cores. A given number is kept, and refused if it does not fit."""
    if "CORES_PER_INSTANCE" in draft.given:
        return value
    topology = draft.machine.topology
    wanted = topology.cores_per_socket if value == SOCKET else int(str(value))
    if value == SOCKET and wanted == 1 < topology.core_count:
        draft.notices.append(f"CORES_PER_INSTANCE: no socket has more than 1 of {topology.core_count} usable cores; "
                             f"give {topology.core_count} for one instance on all of them")
    if wanted > topology.core_count:
        draft.notices.append(
            f"CORES_PER_INSTANCE: default {wanted} lowered to the {topology.core_count} usable cores")
    return min(wanted, topology.core_count)


def _torch_type(value: object, draft: Draft) -> object:
    """For ``auto``, the engine that ``engines`` measured as the fastest. A refusal if none was measured."""
    if value != AUTO:
        return value
    precision = str(draft.chosen["PRECISION"])
    known = draft.machine.engines.fastest.get(precision)
    if known is None:
        # If the CPU cannot run the precision at all, only that is reported.
        if not PRECISIONS[precision].missing_flags(draft.machine.cpu.flags):
            draft.refusals.append(f"TORCH_TYPE=auto: {draft.machine.engines.missing(precision)}")
        return engines.DEFAULT
    draft.stack = known.stack
    draft.notices.append(known.notice(precision))
    return known.engine


_RESOLVERS: Mapping[str, Callable[[object, Draft], object]] = {
    "PLATFORM": _platform, "PRECISION": _precision, "CORES_PER_INSTANCE": _cores, "TORCH_TYPE": _torch_type,
    "STEPS": lambda value, draft: None if value == ALL else value}


def cross_checks(draft: Draft) -> Iterator[str]:
    """The conflicts between parameters, and between given values and the machine."""
    chosen, cores, topology = draft.chosen, draft.given.get("CORES_PER_INSTANCE"), draft.machine.topology
    precision, engine = PRECISIONS[str(chosen["PRECISION"])], ENGINES[str(chosen["TORCH_TYPE"])]
    if isinstance(cores, int) and cores > topology.core_count:
        yield (f"CORES_PER_INSTANCE={cores} does not fit: this run may use {topology.core_count} "
               f"cores (nearest: {topology.core_count}){topology.why_fewer()}")
    if chosen["WEIGHT_SHARING"] and not precision.weight_sharing:
        yield (f"WEIGHT_SHARING=True is not supported with {precision.name}; use "
               + ", ".join(other.name for other in PRECISIONS.values() if other.weight_sharing))
    if chosen["WEIGHT_SHARING"] and not engine.shares_weights:
        yield (f"WEIGHT_SHARING=True is not supported with TORCH_TYPE={engine.name}, whose threads cannot be bound "
               "to one instance's cores; use "
               + ", ".join(other.name for other in ENGINES.values() if other.shares_weights))
    if chosen["MODE"] == "accuracy" and chosen["DATA_TYPE"] == "dummy":
        yield "DATA_TYPE=dummy with MODE=accuracy: random labels have no accuracy; use DATA_TYPE=real"
    yield from _server_checks(draft)
    if chosen["FUNCTION"] == "training":
        yield from _training_checks(chosen, precision)
    elif chosen["CHECKPOINT"]:
        yield "CHECKPOINT is written by FUNCTION=training only; inference reads WEIGHTS"
    if chosen["QCONF"] and (precision.dtype is not INT8 or not engine.takes_qconf):
        yield f"QCONF is only for int8 with TORCH_TYPE=IPEX, not for {precision.name} with {engine.name}: leave it out"
    if chosen["DATASET"] and chosen["DATA_TYPE"] == "dummy":
        yield "DATASET needs DATA_TYPE=real; set that too, or leave DATASET empty"
    if why := engine.why_not(precision):
        yield (f"TORCH_TYPE={engine.name} is not supported with {precision.name} ({why}); use "
               + ", ".join(engine.precisions()))


def _server_checks(draft: Draft) -> Iterator[str]:
    mode, batch = draft.chosen["MODE"], draft.chosen["BATCH_SIZE"]
    if mode == "server" and isinstance(batch, int) and batch > _MOST_SERVED:
        yield (f"BATCH_SIZE={batch} is too large with MODE=server: {_MOST_SERVED} or less is allowed "
               f"(nearest: {_MOST_SERVED})")
    for name in draft.given:
        if mode != "server" and CATALOGUE[name].applies_to == "MODE=server":
            yield f"{name} is for MODE=server only, not for MODE={mode}: leave it out"


def _training_checks(chosen: Mapping[str, object], precision: Precision) -> Iterator[str]:
    if chosen["MODE"] != "throughput":
        yield f"MODE={chosen['MODE']} is not supported with FUNCTION=training; MODE=throughput is"
    if not precision.training:
        yield (f"FUNCTION=training is not supported with {precision.name}; use "
               + ", ".join(other.name for other in PRECISIONS.values() if other.training))
    if chosen["WEIGHT_SHARING"]:
        yield ("WEIGHT_SHARING=True is not supported with FUNCTION=training: instances are processes that "
               "exchange gradients")
    if not ENGINES[str(chosen["TORCH_TYPE"])].trains:
        yield (f"FUNCTION=training is not supported with TORCH_TYPE={chosen['TORCH_TYPE']}; use "
               + ", ".join(other.name for other in ENGINES.values() if other.trains))
