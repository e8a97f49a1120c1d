"""The types of what a result says of the machine, the placement and the inputs of its case.

What could not be read on the machine is None here and absent in the file. A key that these types do not know is passed
over when a result is read.
"""

from __future__ import annotations

import msgspec


class CoreRecord(msgspec.Struct):
    """One physical core: its cpus that may be used, and ``siblings``, those that others may.

    ``kind`` is ``performance`` or ``efficiency`` where a CPU's cores are unlike, else empty.
    """

    socket: int
    node: int
    core_id: int
    cpus: tuple[int, ...]
    siblings: tuple[int, ...] = ()
    kind: str = ""


class TopologyRecord(msgspec.Struct, kw_only=True):
    """What may be used of the machine; ``core_count`` cores at once. Cpus as the kernel's lists (``0-2,8``).

    ``merged_sockets``: so many sockets of one core each were a hypervisor's, and are one here.
    """

    cores: tuple[CoreRecord, ...] = ()
    online_cpus: str | None = None
    allowed_cpus: str | None = None
    nodes: tuple[int, ...] = ()
    memory_nodes: tuple[int, ...] = ()
    quota_cpus: float | None = None
    core_count: int | None = None
    smt: bool | None = None
    merged_sockets: int = 0


class PlacedInstance(msgspec.Struct, kw_only=True):
    """Where an instance was to run."""

    instance: int
    cpus: tuple[int, ...] = ()
    sockets: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    memory_node: int | None = None
    memory_nodes: tuple[int, ...] = ()


class PlacedProcess(msgspec.Struct):
    """A process and the instances that it hosts."""

    process: int
    instances: tuple[PlacedInstance, ...] = ()


class PlacementRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """All instances. ``burst``: how many runs shared the cores, where they did; ``workers``: of a sweep's runs, by
    workers that stay for the next point (``warm``) or by fresh ones."""

    processes: tuple[PlacedProcess, ...] = ()
    idle_cpus: tuple[int, ...] = ()
    burst: int | None = None
    workers: str | None = None

    def instances(self) -> list[PlacedInstance]:
        """Of all processes, by number."""
        return sorted((instance for process in self.processes for instance in process.instances),
                      key=lambda instance: instance.instance)


class InputsRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What was read: files with their digests, and how many classes and images the data set has."""

    weights: str | None = None
    weights_sha256: str | None = None
    dataset: str | None = None
    dataset_digest: str | None = None
    classes: int | None = None
    images: int | None = None
