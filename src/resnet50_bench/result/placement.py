"""Where the instances of a case run: made by ``launch.placement``, kept in the result."""

from __future__ import annotations

import msgspec


class PlacedInstance(msgspec.Struct, frozen=True):
    """One instance: a cpu of each of its cores. ``memory_node`` is None where no single node is right.

    ``memory_nodes`` are all nodes of its cores, where each has memory that it may use; empty: there is nothing to bind
    it to.
    """

    index: int = msgspec.field(name="instance")
    cpus: tuple[int, ...] = ()
    sockets: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    memory_node: int | None = None
    memory_nodes: tuple[int, ...] = ()


class PlacedProcess(msgspec.Struct, frozen=True):
    """One operating-system process and the instances that it hosts as threads."""

    index: int = msgspec.field(name="process")
    instances: tuple[PlacedInstance, ...] = ()


class Placement(msgspec.Struct, omit_defaults=True):
    """All processes. ``idle_cpus`` are first threads of cores that no instance uses.

    ``burst``: how many runs shared the cores, where they did; ``workers``: of a sweep's runs, by workers that stay for
    the next point (``warm``) or by fresh ones; ``loadgen_cpu``: LoadGen's own (MODE=server), None where it has none.
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
        """The idle cpus dealt out to the instances, by instance; those that get none are left out."""
        dealt: dict[int, list[int]] = {}
        for number, cpu in enumerate(self.idle_cpus):
            dealt.setdefault(self.instances[number % len(self.instances)].index, []).append(cpu)
        return dealt
