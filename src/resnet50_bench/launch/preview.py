"""A case + the machine's topology -> lines that say beforehand which instance would run where; pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..case.case import AnyCase
from ..machine.topology import Topology, format_cpulist
from ..tables import aligned
from .placement import place


def lines(case: AnyCase, topology: Topology) -> Iterator[str]:
    """A row for each instance in the order in which their processes start, then the notices.

    The processes start one after another without waiting; all instances warm up and measure together.
    """
    if case.cores_per_instance is None:
        yield "CORES_PER_INSTANCE=auto: a search decides it, and with it the placement"
        return
    placement, notices = place(topology, case.cores_per_instance, case.instance_mode, case.weight_sharing)
    yield (f"{len(placement.instances)} x {case.cores_per_instance} cores in {len(placement.processes)} "
           "process(es), which start in this order:")
    yield from aligned([("process", "instance", "cpus", "memory node"), *(
        (str(process.index), str(instance.index), format_cpulist(instance.cpus),
         format_cpulist(instance.memory_nodes) or "any")
        for process in placement.processes for instance in process.instances)], left=(2, 3))
    yield from (f"NOTICE: {notice}" for notice in (*case.notices, *notices))
