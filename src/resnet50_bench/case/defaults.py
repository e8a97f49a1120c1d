"""The values that were given + the machine -> a value for every parameter; one resolver for each that needs more than
the catalogue's default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..machine.cpu import Cpu
from ..machine.topology import Topology
from . import engines, platforms
from .engines import KnownEngines
from .parameters import ALL, AUTO, BEST, CATALOGUE, SOCKET
from .precision import PRECISIONS


@dataclass(frozen=True)
class Machine:
    """What the resolution of a case needs to know of the machine; ``engines``: for TORCH_TYPE=auto."""

    cpu: Cpu
    topology: Topology
    engines: KnownEngines = KnownEngines()


@dataclass
class Draft:
    """A case on its way: what was given, what is chosen so far, and the lines that the log must show of it.

    ``refusals`` say what was asked for and cannot be chosen; ``stack`` is the one of the engine that ``auto`` took.
    """

    given: Mapping[str, object]
    machine: Machine
    chosen: dict[str, object] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    stack: str | None = None


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
    detected = platforms.detect(cpu)
    if not detected.known:
        flag = f": taken for its {detected.flag}" if detected.flag else " without AVX2"
        draft.notices.append(f"PLATFORM: {detected.name} (unknown CPU {cpu.vendor} family {cpu.family} model "
                             f"{cpu.model}{flag})")
    return detected.name


def _precision(value: object, draft: Draft) -> object:
    """The platform's best that this CPU can run, else its best."""
    if value != BEST:
        return value
    names = platforms.precisions_of(str(draft.chosen["PLATFORM"]))
    runnable = [name for name in names if not PRECISIONS[name].missing_flags(draft.machine.cpu.flags)]
    return [*runnable, *names][0]


def _cores(value: object, draft: Draft) -> object:
    """A default fits the cores that there are; a number that was given stands, and is refused where it does not fit."""
    if "CORES_PER_INSTANCE" in draft.given:
        return value
    topology = draft.machine.topology
    wanted = topology.cores_per_socket if value == SOCKET else int(str(value))
    if value == SOCKET and wanted == 1 < topology.core_count:
        draft.notices.append(f"CORES_PER_INSTANCE: no socket has more than 1 of {topology.core_count} usable cores; "
                             f"give {topology.core_count} for one instance on all of them")
    if wanted > topology.core_count:
        draft.notices.append(
            f"CORES_PER_INSTANCE: default {wanted} lowered to the {topology.core_count} cores there are")
    return min(wanted, topology.core_count)


def _steps(value: object, draft: Draft) -> object:
    return None if value == ALL else value


def _torch_type(value: object, draft: Draft) -> object:
    """For ``auto`` the engine that ``engines`` found to be the fastest, else a refusal."""
    if value != AUTO:
        return value
    precision = str(draft.chosen["PRECISION"])
    known = draft.machine.engines.fastest.get(precision)
    if known is None:
        # Where the CPU cannot run the precision at all, that is what is said.
        if not PRECISIONS[precision].missing_flags(draft.machine.cpu.flags):
            draft.refusals.append(f"TORCH_TYPE=auto: {draft.machine.engines.missing(precision)}")
        return engines.DEFAULT
    draft.stack = known.stack
    draft.notices.append(known.notice(precision))
    return known.engine


_RESOLVERS: Mapping[str, Callable[[object, Draft], object]] = {
    "PLATFORM": _platform, "PRECISION": _precision, "CORES_PER_INSTANCE": _cores, "STEPS": _steps,
    "TORCH_TYPE": _torch_type}
