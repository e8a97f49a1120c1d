"""Two results -> the facts that must be equal to compare them, and their differences; pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..case.engines import PACKAGES
from ..case.parameters import CATALOGUE, text_of
from ..result.result import ResultSummary

#: The identity of a CPU among the facts of ``system``.
_CPU_FACTS = ("cpu", "cpu_family", "cpu_model", "cpu_stepping")
CPU, VERSIONS, PLACEMENT = "the CPU", "software versions", "placement"
_THING = {**dict.fromkeys(_CPU_FACTS, CPU), **dict.fromkeys(PACKAGES, VERSIONS),
          "instances": PLACEMENT, "cpus_per_instance": PLACEMENT}
_DECIDE_PLACEMENT = {"CORES_PER_INSTANCE", "INSTANCE_MODE", "core_count", CPU}
#: A fact as a JSON value. None if missing.
Fact = object
Difference = tuple[str, str, Fact, Fact]


def placement(result: ResultSummary) -> dict[str, Fact]:
    """Usable cores, instances, cpus of each instance, and the number of runs that shared them if there were several."""
    sizes = [len(instance.cpus) for instance in result.placement.instances]
    burst = {} if result.placement.burst is None else {"burst": result.placement.burst}
    return {"core_count": result.topology.core_count, "instances": len(sizes),
            "cpus_per_instance": ",".join(map(str, sorted(set(sizes)))), **burst}


def parameters(result: ResultSummary) -> dict[str, str]:
    """The parameters as text. A parameter newer than the result has its default, as when it was measured."""
    given = result.parameters()
    later = {name: text_of(parameter.default(given)) for name, parameter in CATALOGUE.items() if name not in given}
    return given | later if given else given


def key(result: ResultSummary) -> dict[str, Fact]:
    """The facts, by name, that must be equal to compare two results."""
    return {**parameters(result), **placement(result),
            **{name: getattr(result.system, name) for name in _CPU_FACTS},
            **{name: result.software.get(name) for name in PACKAGES}}


def things(a: ResultSummary, b: ResultSummary) -> set[str]:
    """The differences of the keys, without those that follow from another."""
    mine, others = key(a), key(b)
    differing = {_THING.get(name, name) for name in {**mine, **others} if mine.get(name) != others.get(name)}
    if CPU in differing:
        differing -= {"PLATFORM", "core_count"}
        if a.is_default("CORES_PER_INSTANCE") and b.is_default("CORES_PER_INSTANCE"):
            differing.discard("CORES_PER_INSTANCE")  # a whole socket of either
    if differing & _DECIDE_PLACEMENT:
        differing.discard(PLACEMENT)
    return differing


def differences(a: ResultSummary, b: ResultSummary) -> list[Difference]:
    """(group, name, a's value, b's value) of every difference between two results. None for a missing value."""
    groups: tuple[tuple[str, Mapping[str, Fact], Mapping[str, Fact]], ...] = (
        ("parameter", parameters(a), parameters(b)), ("software", a.software, b.software),
        ("system", system_facts(a), system_facts(b)), ("placement", placement(a), placement(b)))
    return [(group, name, mine.get(name), other.get(name)) for group, mine, other in groups
            for name in {**mine, **other} if mine.get(name) != other.get(name)]


def system_facts(result: ResultSummary) -> dict[str, Fact]:
    """All known facts of the machine, with names such as ``firmware.bios_date``."""
    return _flat(msgspec.to_builtins(result.system))


def _flat(values: Mapping[str, Fact], prefix: str = "") -> dict[str, Fact]:
    flat: dict[str, Fact] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
