"""The placement of a case's instances on cpus. ``launch.placement`` makes it, the result keeps it."""

from __future__ import annotations

import msgspec


class PlacedInstance(msgspec.Struct, frozen=True):
    """One instance, with one cpu of each of its cores. ``memory_node`` is None if no single node fits.

    ``memory_nodes`` are all nodes of its cores, if each has memory that it may use. Empty: its memory cannot be
    bound.
    """

    index: int = msgspec.field(name="instance")
    cpus: tuple[int, ...] = ()
    sockets: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    memory_node: int | None = None
    memory_nodes: tuple[int, ...] = ()


class PlacedProcess(msgspec.Struct, frozen=True):
    """One operating-system process and its instances, which are threads."""

    index: int = msgspec.field(name="process")
    instances: tuple[PlacedInstance, ...] = ()


class Placement(msgspec.Struct, omit_defaults=True):
    """All processes. ``idle_cpus`` are the first threads of cores without an instance.

    ``burst``: how many runs shared the cores, if several did. ``workers``: whether a sweep's run used ``warm`` workers,
    kept from the point before, or ``fresh`` ones. ``loadgen_cpu``: the cpu of LoadGen alone (MODE=server), or None.
    """

    processes: tuple[PlacedProcess, ...] = ()
    idle_cpus: tuple[int, ...] = ()
    burst: int | None = None
    workers: str | None = None
    loadgen_cpu: int | None = None

    @property
    def instances(self) -> tuple[PlacedInstance, ...]:
        """Every instance, by its number."""
        return tuple(sorted((instance for process in self.processes for instance in process.instances),
                            key=lambda instance: instance.index))

    def idle_share(self) -> dict[int, list[int]]:
        """The idle cpus distributed over the instances, by instance. Leaves out instances that get none."""
        dealt: dict[int, list[int]] = {}
        for number, cpu in enumerate(self.idle_cpus):
            dealt.setdefault(self.instances[number % len(self.instances)].index, []).append(cpu)
        return dealt
