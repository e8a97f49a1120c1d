"""Topology + the cores of an instance -> which instance runs on which cpus, in which process; pure.

Takes instances from single NUMA nodes first, then from the rest of each socket, then across sockets. An instance
crosses a border only if it must. A notice names every crossing and every idle core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from ..case.case import AnyCase
from ..machine.topology import PERFORMANCE, Core, Topology, format_cpulist
from ..result.placement import PlacedInstance, PlacedProcess, Placement
from ..tables import aligned

#: If no core is idle and this many instances fit, one gives its core to LoadGen. It costs at most 1/8 of the rate.
LEAST_FOR_OWN_CORE = 8


def place(topology: Topology, cores_per_instance: int, instance_mode: str, weight_sharing: bool,
          serving: bool = False) -> tuple[Placement, list[str]]:
    """Place instances of ``cores_per_instance`` cores: as many as fit (``flex``) or one (``single``).

    ``serving``: LoadGen gets a core of its own if one is idle or LEAST_FOR_OWN_CORE instances fit. Otherwise it shares.

    Returns the placement and a notice for each border that an instance crosses and for cores that stay idle.

    Raises ValueError if not even one fits. A valid Case always fits.
    """
    if cores_per_instance > topology.core_count:
        raise ValueError(f"{cores_per_instance} cores wanted, {topology.core_count} usable")
    groups, idle = _cut(topology.usable_cores, cores_per_instance)
    if instance_mode == "single":
        idle = [*(core for group in groups[1:] for core in group), *idle]
        groups = groups[:1]
    if serving and not idle and len(groups) >= LEAST_FOR_OWN_CORE:
        *groups, idle = groups
    own = idle.pop(0).cpus[0] if serving and idle else None
    instances = [_instance(index, group, topology) for index, group in enumerate(groups)]
    idle_cpus = tuple(sorted(core.cpus[0] for core in idle))
    return Placement(_processes(instances, weight_sharing), idle_cpus, loadgen_cpu=own), [
        *_crossings(instances), *_unlike(groups), *_idle(idle_cpus, instance_mode, topology), *_merged(topology),
        *[_loadgen(own)] * serving]


def _loadgen(own: int | None) -> str:
    if own is not None:
        return f"LoadGen has cpu {own} for itself"
    return (f"LoadGen shares the instances' cores. No core is idle, and LoadGen gets its own core only if "
            f"{LEAST_FOR_OWN_CORE} instances or more fit")


def _cut(cores: Iterable[Core], size: int) -> tuple[list[list[Core]], list[Core]]:
    """Return (groups of ``size`` cores, the cores left over). Groups within a node come first, then within a socket."""
    borders: tuple[Callable[[Core], object], ...] = (
        lambda core: (core.socket, core.node), lambda core: core.socket, lambda core: None)
    groups: list[list[Core]] = []
    left = list(cores)
    for border in borders:
        remaining: list[Core] = []
        for _, members in groupby(left, key=border):
            inside = list(members)
            whole = len(inside) - len(inside) % size
            groups += [inside[i:i + size] for i in range(0, whole, size)]
            remaining += inside[whole:]
        left = remaining
    return sorted(groups, key=lambda group: (group[0].socket, group[0].node, group[0].cpus)), left


def _instance(index: int, group: list[Core], topology: Topology) -> PlacedInstance:
    nodes = tuple(sorted({core.node for core in group}))
    bindable = nodes if set(nodes) <= set(topology.memory_nodes) else ()
    sockets = tuple(sorted({core.socket for core in group}))
    return PlacedInstance(index, tuple(core.cpus[0] for core in group), sockets, nodes,
                    bindable[0] if len(bindable) == 1 else None, bindable)


def _processes(instances: list[PlacedInstance], weight_sharing: bool) -> tuple[PlacedProcess, ...]:
    """One process for each instance, or with shared weights one for each NUMA node (or set of nodes)."""
    if not weight_sharing:
        return tuple(PlacedProcess(i.index, (i,)) for i in instances)
    by_nodes: dict[tuple[int, ...], list[PlacedInstance]] = {}
    for instance in instances:
        by_nodes.setdefault(instance.nodes, []).append(instance)
    return tuple(PlacedProcess(number, tuple(members)) for number, members in enumerate(by_nodes.values()))


def _crossings(instances: list[PlacedInstance]) -> list[str]:
    notices = []
    for instance in instances:
        if len(instance.sockets) > 1:
            notices.append(f"instance {instance.index} spans sockets {_list(instance.sockets)}")
        elif len(instance.nodes) > 1:
            notices.append(f"instance {instance.index} spans NUMA nodes {_list(instance.nodes)}")
        elif instance.memory_node is None:
            notices.append(f"instance {instance.index}: NUMA node {instance.nodes[0]} has no memory that this "
                           "process may use, so its memory is not bound")
    return notices


def _unlike(groups: list[list[Core]]) -> list[str]:
    """A notice if the instances' cores are of more than one kind."""
    by_kind: dict[str, list[int]] = {}
    for core in (core for group in groups for core in group):
        by_kind.setdefault(core.kind, []).append(core.cpus[0])
    if len(by_kind) < 2:
        return []
    named = " and ".join(f"{kind or 'unknown'} cores (cpus {format_cpulist(cpus)})" for kind, cpus in by_kind.items())
    mixed = sum(len({core.kind for core in group}) > 1 for group in groups)
    return [f"the cores are of different kinds: {named}; {mixed} of {len(groups)} instances have both; taskset -c "
            f"{format_cpulist(by_kind.get(PERFORMANCE, ()))} measures on performance cores alone"]


def _merged(topology: Topology) -> list[str]:
    return [f"the {topology.merged_sockets} sockets of one core each that the hypervisor shows count as one: they "
            f"share NUMA node {topology.nodes[0]}"] if topology.merged_sockets else []


def _idle(idle: tuple[int, ...], instance_mode: str, topology: Topology) -> list[str]:
    notices = []
    if idle:
        why = "INSTANCE_MODE=single" if instance_mode == "single" else "they are too few for one more instance"
        notices.append(f"{len(idle)} cores stay idle (cpus {format_cpulist(idle)}): {why}")
    if topology.core_count < len(topology.cores):
        rest = [core.cpus[0] for core in topology.cores[topology.core_count:]]
        notices.append(f"{len(rest)} cores stay idle (cpus {format_cpulist(rest)}): the cgroup's quota is "
                       f"{topology.quota_cpus:g} CPUs")
    if allowed := topology.why_cpus_lack():
        notices.append(f"this process may use {allowed}")
    return notices


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def preview(case: AnyCase, topology: Topology) -> Iterator[str]:
    """One line for each instance in the start order of their processes, then the notices.

    The processes start one after another without waiting; all instances warm up and measure together.
    """
    if case.cores_per_instance is None:
        yield "CORES_PER_INSTANCE=auto: a search finds the number of cores and the placement"
        return
    placement, notices = place(topology, case.cores_per_instance, case.instance_mode, case.weight_sharing,
                               case.serving)
    yield (f"{len(placement.instances)} x {case.cores_per_instance} cores in {len(placement.processes)} "
           "process(es), which start in this order:")
    yield from aligned([("process", "instance", "cpus", "memory node"), *(
        (str(process.index), str(instance.index), format_cpulist(instance.cpus),
         format_cpulist(instance.memory_nodes) or "any")
        for process in placement.processes for instance in process.instances)], left=(2, 3))
    yield from (f"NOTICE: {notice}" for notice in (*case.notices, *notices))
