"""A Case + a Process -> how its worker is started: command, memory binding, environment; equal ones can be shared."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..case.case import Case
from ..machine.topology import format_cpulist
from ..result.placement import PlacedProcess
from .worker_environment import worker_environment


@dataclass(frozen=True)
class Setup:
    """What a worker process is made of and cannot change. ``unbound``: why its memory is not bound, or None."""

    command: list[str]
    environment: dict[str, str]
    cpus: list[tuple[int, ...]]
    unbound: str | None


def setup(case: Case, process: PlacedProcess, python: Path, libraries: Mapping[str, str], memory_nodes: int,
          outer_environment: Mapping[str, str]) -> Setup:
    """How the process is started; its command wants the spec file and the channel's number behind it."""
    binding, unbound = memory_binding(process, memory_nodes)
    cpus = [instance.cpus for instance in process.instances]
    return Setup([*binding, str(python), "-m", "resnet50_bench.worker.main"],
                 worker_environment(case, cpus, libraries, outer_environment), cpus, unbound)


def memory_binding(process: PlacedProcess, memory_nodes: int) -> tuple[list[str], str | None]:
    """(``numactl --membind`` words, None), or ([], why memory is not bound), or ([], None) where
    there is nothing to bind: the instances' nodes are all that have memory, or one of them has none.
    """
    nodes = {node for instance in process.instances for node in instance.memory_nodes}
    if len(nodes) >= memory_nodes or not all(instance.memory_nodes for instance in process.instances):
        return [], None
    numactl = shutil.which("numactl")
    if not numactl:
        return [], "memory is not bound to its NUMA nodes: numactl is not installed"
    words = [numactl, f"--membind={format_cpulist(nodes)}"]
    allowed = subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if allowed.returncode != 0:
        return [], ("memory is not bound to its NUMA nodes: the kernel refused numactl (in a container add "
                    "--cap-add SYS_NICE)")
    return words, None
