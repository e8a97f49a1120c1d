"""Which instance gets which cores, on FAKE topologies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resnet50_bench.launch import placement, plan
from resnet50_bench.machine.topology import format_cpulist, read_topology
from support.fakes import FakeMachine, cgroup_v2, put, topology


def place(*words: object) -> SimpleNamespace:
    """The placement with its notices."""
    placed, notices = placement.place(*words)
    return SimpleNamespace(processes=placed.processes, instances=placed.instances, idle_cpus=placed.idle_cpus,
                           notices=tuple(notices))


SPR = {"sockets": 2, "cores_per_node": 56, "smt": True}
SNC4 = {"sockets": 2, "nodes_per_socket": 4, "cores_per_node": 14, "smt": True}


def test_one_instance_a_socket(tmp_path):
    placed = place(topology(tmp_path, **SPR), 56, "flex", False)
    assert [i.cpus for i in placed.instances] == [tuple(range(56)), tuple(range(56, 112))]
    assert [i.memory_node for i in placed.instances] == [0, 1]
    assert (placed.idle_cpus, placed.notices) == ((), ())


def test_latency_instances_of_four_cores_use_no_second_thread(tmp_path):
    placed = place(topology(tmp_path, **SPR), 4, "flex", False)
    assert len(placed.instances) == 28
    assert max(cpu for i in placed.instances for cpu in i.cpus) == 111


def test_sub_numa_clusters_are_filled_first_and_what_must_cross_is_named(tmp_path):
    placed = place(topology(tmp_path, **SNC4), 4, "flex", False)
    assert len(placed.instances) == 28, "flex fills every core"
    crossing = [i for i in placed.instances if len(i.nodes) > 1]
    assert len(crossing) == 4
    assert all(len(i.sockets) == 1 and i.memory_node is None for i in crossing)
    assert f"instance {crossing[0].index} spans NUMA nodes 0, 1" in placed.notices
    assert all(len(i.nodes) == 1 for i in place(topology(tmp_path, **SNC4), 14, "flex", False).instances)


def test_twelve_nodes(tmp_path):
    shape = {"nodes_per_socket": 12, "cores_per_node": 8}
    assert {i.nodes for i in place(topology(tmp_path, **shape), 4, "flex", False).instances} == {
        (node,) for node in range(12)}
    whole = place(topology(tmp_path, **shape), 96, "flex", False)
    assert whole.instances[0].nodes == tuple(range(12))
    assert "spans NUMA nodes" in whole.notices[0]


def test_memory_is_bound_to_the_nodes_of_an_instance(tmp_path, monkeypatch):
    monkeypatch.setattr(plan.shutil, "which", lambda name: "true")
    halves = place(topology(tmp_path, **SNC4), 56, "flex", False)
    assert [i.memory_nodes for i in halves.instances] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert plan.memory_binding(halves.processes[1], 8) == (["true", "--membind=4-7"], None)
    whole = place(topology(tmp_path, **SNC4), 112, "flex", False)
    assert plan.memory_binding(whole.processes[0], 8) == ([], None), "all nodes: nothing to bind"


def test_left_over_cores_are_named(tmp_path):
    placed = place(topology(tmp_path, **SPR), 50, "flex", False)
    assert len(placed.instances) == 2
    assert placed.notices == ("12 cores stay idle (cpus 50-55,106-111): they are too few for one more instance",)


def test_single_is_one_instance(tmp_path):
    placed = place(topology(tmp_path, **SPR), 56, "single", False)
    assert len(placed.instances) == 1 and len(placed.idle_cpus) == 56
    assert "INSTANCE_MODE=single" in placed.notices[0]


def test_weight_sharing_is_one_process_a_numa_node(tmp_path):
    placed = place(topology(tmp_path, **SNC4), 7, "flex", True)
    assert len(placed.processes) == 8 and len(placed.instances) == 16
    assert all(len({i.nodes for i in p.instances}) == 1 for p in placed.processes)
    alone = place(topology(tmp_path, **SNC4), 7, "flex", False)
    assert len(alone.processes) == 16 and alone.instances == placed.instances


def test_a_node_without_memory_is_said(tmp_path):
    placed = place(topology(tmp_path, sockets=2, cores_per_node=2, memoryless={1}), 2, "flex", False)
    assert [i.memory_node for i in placed.instances] == [0, None]
    assert "NUMA node 1 has no memory" in placed.notices[0]


def test_quota_and_cpuset_are_said(tmp_path):
    root = FakeMachine(cores_per_node=8).build(tmp_path)
    cgroup_v2(root, "/box", cpu_max="150000 100000", cpuset_cpus_effective="1,3,5,7")
    placed = place(read_topology(root), 1, "flex", False)
    assert [i.cpus for i in placed.instances] == [(1,)]
    assert any("quota is 1.5 CPUs" in notice for notice in placed.notices)
    assert any("4 of 8 cpus (1,3,5,7)" in notice for notice in placed.notices)


def test_more_cores_than_there_are(tmp_path):
    with pytest.raises(ValueError, match="113 cores wanted, 112 usable"):
        place(topology(tmp_path, **SPR), 113, "flex", False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(sockets=st.integers(1, 3), nodes=st.integers(1, 4), cores=st.integers(1, 7), smt=st.booleans(),
       size=st.integers(1, 84), sharing=st.booleans())
def test_any_machine(tmp_path_factory, sockets, nodes, cores, smt, size, sharing):
    found = topology(tmp_path_factory.mktemp("m"), sockets=sockets, nodes_per_socket=nodes,
                     cores_per_node=cores, smt=smt)
    size = min(size, found.core_count)
    placed = place(found, size, "flex", sharing)
    used = [cpu for i in placed.instances for cpu in i.cpus]
    assert len(placed.instances) == found.core_count // size, "as many as fit"
    assert all(len(i.cpus) == size for i in placed.instances)
    assert len(used) == len(set(used))
    assert sorted([*used, *placed.idle_cpus]) == [core.cpus[0] for core in sorted(
        found.cores, key=lambda core: core.cpus[0])]
    assert [i.index for i in placed.instances] == list(range(len(placed.instances)))


def test_a_hypervisors_sockets_are_no_border_and_are_said(tmp_path):
    root = FakeMachine(sockets=4, cores_per_node=1).build(tmp_path)
    put(root / "sys/devices/system/node/node0/cpulist", "0-3")
    for node in (1, 2, 3):
        put(root / f"sys/devices/system/node/node{node}/cpulist", "")
    put(root / "proc/cpuinfo", "flags\t: avx2 hypervisor")
    found = read_topology(root)
    placed = place(found, found.cores_per_socket, "flex", False)
    assert [i.cpus for i in placed.instances] == [(0, 1, 2, 3)] and placed.instances[0].memory_node == 0
    assert len(placed.notices) == 1 and "4 sockets of one core each" in placed.notices[0]


def test_unlike_cores_are_named(tmp_path):
    root = FakeMachine(cores_per_node=6).build(tmp_path)
    put(root / "sys/devices/cpu_core/cpus", "0-1")
    put(root / "sys/devices/cpu_atom/cpus", "2-5")
    mixed, apart = (place(read_topology(root), size, "flex", False).notices for size in (3, 2))
    assert "performance cores (cpus 0-1) and efficiency cores (cpus 2-5); 1 of 2 instances have both" in mixed[0]
    assert "0 of 3 instances" in apart[0] and "taskset -c 0-1 " in apart[0]
    assert not place(read_topology(root, affinity=[0, 1]), 2, "flex", False).notices[0].startswith("the cores")


SHAPES = {"SMT off": {"cores_per_node": 56}, "SMT on": {"cores_per_node": 56, "smt": True},
          "four NUMA nodes a socket": {"cores_per_node": 14, "nodes_per_socket": 4, "smt": True}}
#: The best points that this workload's authors report for two sockets of 56 cores.
BEST_POINTS = (("amx_int8", 64, 14), ("amx_bfloat16", 32, 14), ("avx_int8", 32, 7), ("avx_fp32", 128, 4))


def rows_of_the_docs(folder: Path) -> Iterator[str]:
    for number, (shape, facts) in enumerate(SHAPES.items()):
        made = topology(folder / str(number), sockets=2, **facts)
        for precision, batch_size, cores in BEST_POINTS:
            placed = place(made, cores, "flex", False)
            first, *_, last = placed.instances
            crossing = sum(len(instance.nodes) > 1 for instance in placed.instances)
            yield (f"| {shape} | {precision}, batch {batch_size} | {len(placed.instances)} x {cores} | "
                   f"{format_cpulist(first.cpus)} | {format_cpulist(last.cpus)} | "
                   f"{format_cpulist(first.memory_nodes)} and {format_cpulist(last.memory_nodes)} | "
                   f"{crossing or 'none'} | {len(placed.idle_cpus) or 'none'} |")


def test_the_docs_show_the_best_points_of_a_large_xeon(tmp_path):
    text = (Path(__file__).parents[1] / "docs/explanation/placement.md").read_text()
    missing = [row for row in rows_of_the_docs(tmp_path) if row not in text]
    assert not missing, "\n".join(missing)
