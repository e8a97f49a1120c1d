"""Two results enter; what must be equal to compare them, and what sets them apart, leave; pure."""

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
#: A fact as JSON has it; None where there is none.
Fact = object
Difference = tuple[str, str, Fact, Fact]


def placement(result: ResultSummary) -> dict[str, Fact]:
    """Usable cores, instances, how many cpus each of them has, and how many runs shared them where there were more."""
    sizes = [len(instance.cpus) for instance in result.placement.instances]
    burst = {} if result.placement.burst is None else {"burst": result.placement.burst}
    return {"core_count": result.topology.core_count, "instances": len(sizes),
            "cpus_per_instance": ",".join(map(str, sorted(set(sizes)))), **burst}


def parameters(result: ResultSummary) -> dict[str, str]:
    """The parameters as text. One that came after the result has its default: that is how the result was measured."""
    given = result.parameters()
    later = {name: text_of(parameter.default(given)) for name, parameter in CATALOGUE.items() if name not in given}
    return given | later if given else given


def key(result: ResultSummary) -> dict[str, Fact]:
    """What must be equal for two results to be compared like for like, by name."""
    return {**parameters(result), **placement(result),
            **{name: getattr(result.system, name) for name in _CPU_FACTS},
            **{name: result.software.get(name) for name in PACKAGES}}


def things(a: ResultSummary, b: ResultSummary) -> set[str]:
    """What differs in the key, each thing once, without what follows from another."""
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
    """(group, name, a's value, b's value) of all that sets two results apart; None for what one does not have."""
    groups: tuple[tuple[str, Mapping[str, Fact], Mapping[str, Fact]], ...] = (
        ("parameter", parameters(a), parameters(b)), ("software", a.software, b.software),
        ("system", system_facts(a), system_facts(b)), ("placement", placement(a), placement(b)))
    return [(group, name, mine.get(name), other.get(name)) for group, mine, other in groups
            for name in {**mine, **other} if mine.get(name) != other.get(name)]


def system_facts(result: ResultSummary) -> dict[str, Fact]:
    """All that is known of the machine, with ``firmware.bios_date`` for names."""
    return _flat(msgspec.to_builtins(result.system))


def _flat(values: Mapping[str, Fact], prefix: str = "") -> dict[str, Fact]:
    flat: dict[str, Fact] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
