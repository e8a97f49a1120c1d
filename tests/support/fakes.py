"""FAKE machines: /sys, /proc and cgroup trees in a folder, for topologies that no machine here has."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from resnet50_bench.case.defaults import Machine
from resnet50_bench.engines import memory
from resnet50_bench.launch.surroundings import Surroundings
from resnet50_bench.machine.cpu import Cpu
from resnet50_bench.machine.topology import Topology, format_cpulist, read_topology
from resnet50_bench.stack.environment import StackChoice
from resnet50_bench.versus.words import Host

AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"}
SPR_CPU = Cpu("GenuineIntel", 6, 0x8F, 8, "Intel Xeon Platinum 8480+ (fake)", "0x2b", frozenset(
    AVX512 | {"avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"}))
ICX_CPU = Cpu("GenuineIntel", 6, 0x6A, 6, "Intel Xeon Platinum 8380 (fake)", "0xd", frozenset(
    AVX512 | {"avx512_vnni"}))
GENOA_CPU = Cpu("AuthenticAMD", 25, 0x11, 1, "AMD EPYC 9654 (fake)", "0xa", frozenset(
    AVX512 | {"avx512_vnni", "avx512_bf16"}))
MILAN_CPU = Cpu("AuthenticAMD", 25, 1, 1, "AMD EPYC 7763 (fake)", "0xa", frozenset({"avx2", "fma"}))


@dataclass
class FakeMachine:
    """A machine as sockets x NUMA nodes x cores; with SMT the second threads follow all first ones."""

    sockets: int = 1
    nodes_per_socket: int = 1
    cores_per_node: int = 2
    smt: bool = False
    offline: set[int] = field(default_factory=set)
    memoryless: set[int] = field(default_factory=set)

    def build(self, root: Path) -> Path:
        """Write the trees below ``root`` and return it."""
        per_socket = self.nodes_per_socket * self.cores_per_node
        cores = self.sockets * per_socket
        cpus = root / "sys/devices/system/cpu"
        online = [cpu for cpu in range(cores * (2 if self.smt else 1)) if cpu not in self.offline]
        for cpu in online:
            core = cpu % cores
            siblings = [c for c in ((core, core + cores) if self.smt else (core,)) if c in online]
            put(cpus / f"cpu{cpu}/topology/physical_package_id", core // per_socket)
            put(cpus / f"cpu{cpu}/topology/core_id", core % per_socket)
            put(cpus / f"cpu{cpu}/topology/core_cpus_list", format_cpulist(siblings))
        put(cpus / "online", format_cpulist(online))
        nodes = self.sockets * self.nodes_per_socket
        for node in range(nodes):
            mine = [cpu for cpu in online if cpu % cores // self.cores_per_node == node]
            put(root / f"sys/devices/system/node/node{node}/cpulist", format_cpulist(mine))
        put(root / "sys/devices/system/node/has_memory",
            format_cpulist(set(range(nodes)) - self.memoryless))
        return root


def put(path: Path, text: object) -> None:
    """Write a file and the folders above it."""
    try:
        path.write_text(f"{text}\n")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def cgroup_v2(root: Path, path: str = "/", **files: str) -> None:
    """A unified hierarchy; ``cpu_max="150000 100000"`` becomes cpu.max in the folder of ``path``."""
    put(root / "proc/self/cgroup", f"0::{path}")
    put(root / "sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory")
    for name, text in files.items():
        put(root / "sys/fs/cgroup" / path.lstrip("/") / name.replace("_", ".", 1).replace("_", "."), text)


def cgroup_v1(root: Path, path: str, controller: str, **files: str) -> None:
    """A v1 hierarchy of one controller; the names of ``files`` follow the controller's name."""
    put(root / "proc/self/cgroup", f"4:{controller}:{path}")
    for name, text in files.items():
        put(root / "sys/fs/cgroup" / controller / path.lstrip("/") / f"{controller}.{name}", text)


_KNOWN: dict[str, Topology] = {}


def topology(tmp_path: Path, **machine: object) -> Topology:
    """The Topology of a fake machine. Its tree of thousands of files is written for the first test of each shape."""
    shape = FakeMachine(**machine)  # type: ignore[arg-type]
    if repr(shape) not in _KNOWN:
        _KNOWN[repr(shape)] = read_topology(shape.build(tmp_path))
    return _KNOWN[repr(shape)]


def machine(tmp_path: Path, cpu: Cpu = SPR_CPU, **shape: object) -> Machine:
    """A fake CPU with a fake topology: by default 2 sockets of 56 cores with SMT."""
    given = shape or {"sockets": 2, "cores_per_node": 56, "smt": True}
    return Machine(cpu, topology(tmp_path, **given))


def host(where: Machine) -> Host:
    """A comparison's, with what this process's variables choose and what is remembered of engines."""
    return Host(where, StackChoice.of(os.environ), lambda choice: memory.known(where.cpu.name, choice),
                Surroundings.of(os.environ))
