"""The values that were given + the machine -> a value for every parameter; one resolver for each that needs more than
the catalogue's default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..machine.cpu import Cpu
from ..machine.topology import Topology
from . import engines, platforms
from .known_engine import KnownEngine, KnownEngines
from .parameters import ALL, AUTO, BEST, CATALOGUE, KNOWN, SOCKET
from .precision import PRECISIONS


@dataclass(frozen=True)
class Machine:
    """What the resolution of defaults needs to know of the machine."""

    cpu: Cpu
    topology: Topology
    engines: KnownEngines = KnownEngines()


@dataclass
class Draft:
    """A case on its way: what was given, what is chosen so far, and the lines that the log must show of it.

    ``refusals`` say what was asked for and cannot be chosen; ``known`` is the engine that the machine knew.
    """

    given: Mapping[str, object]
    machine: Machine
    chosen: dict[str, object] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    known: KnownEngine | None = None


def complete(given: Mapping[str, object], machine: Machine) -> Draft:
    """Every parameter's value, in the catalogue's order: a later default may depend on an earlier value."""
    draft = Draft(given, machine)
    for name, parameter in CATALOGUE.items():
        value = given[name] if name in given else parameter.default({**given, **draft.chosen})
        draft.chosen[name] = _RESOLVERS[name](value, draft) if name in _RESOLVERS else value
    return draft


def _platform(value: object, draft: Draft) -> object:
    cpu = draft.machine.cpu
    if value != AUTO:
        return value
    detected, why = platforms.detect(cpu.vendor, cpu.family, cpu.model, cpu.flags)
    if why.startswith("unknown"):
        draft.notices.append(f"PLATFORM: {detected} ({why})")
    return detected


def _precision(value: object, draft: Draft) -> object:
    """The platform's best that this CPU can run, else its best."""
    if value != BEST:
        return value
    of_platform = platforms.PLATFORMS[str(draft.chosen["PLATFORM"])].precisions
    names = [name for name in PRECISIONS if name in of_platform]
    runnable = [name for name in names if not PRECISIONS[name].missing_flags(draft.machine.cpu.flags)]
    return [*runnable, *names][0]


def _cores(value: object, draft: Draft) -> object:
    """A default fits the cores that there are; a number that was given stands, and is refused where it does not fit."""
    if "CORES_PER_INSTANCE" in draft.given:
        return value
    topology = draft.machine.topology
    wanted = topology.cores_per_socket if value == SOCKET else int(str(value))
    if wanted > topology.core_count:
        draft.notices.append(
            f"CORES_PER_INSTANCE: default {wanted} lowered to the {topology.core_count} cores there are")
    return min(wanted, topology.core_count)


def _steps(value: object, draft: Draft) -> object:
    return None if value == ALL else value


def _torch_type(value: object, draft: Draft) -> object:
    """For ``auto`` the known engine, else a refusal; by default, where a platform has it so, if it can do the case."""
    if value not in (AUTO, KNOWN):
        return value
    precision = str(draft.chosen["PRECISION"])
    known = draft.machine.engines.fastest.get(precision)
    if known is None or (value == KNOWN and not _serves(known, draft.chosen)):
        # Where the CPU cannot run the precision at all, that is what is said.
        if value == AUTO and not PRECISIONS[precision].missing_flags(draft.machine.cpu.flags):
            draft.refusals.append(f"TORCH_TYPE=auto: {draft.machine.engines.missing(precision)}")
        return engines.DEFAULT
    how = AUTO if value == AUTO else f"{draft.chosen['PLATFORM']}'s default"
    draft.known = known
    draft.notices.append(f"TORCH_TYPE: {known.engine} of the stack {known.stack} ({how}: {known.shown(precision)})")
    return known.engine


def _serves(known: KnownEngine, chosen: Mapping[str, object]) -> bool:
    """Whether the engine can do what only some can; with one that was asked for, that is refused by name."""
    facts = engines.ENGINES[known.engine]
    return (facts.takes_qconf or not chosen["QCONF"]) and (facts.shares_weights or not chosen["WEIGHT_SHARING"])


_RESOLVERS: Mapping[str, Callable[[object, Draft], object]] = {
    "PLATFORM": _platform, "PRECISION": _precision, "CORES_PER_INSTANCE": _cores, "STEPS": _steps,
    "TORCH_TYPE": _torch_type}
