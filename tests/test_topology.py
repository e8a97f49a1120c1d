"""What may be used of a machine, read from FAKE /sys, /proc and cgroup trees."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet50_bench.errors import Infrastructure
from resnet50_bench.machine import counters
from resnet50_bench.machine.topology import Topology, format_cpulist, parse_cpulist, read_topology
from support.fakes import FakeMachine, cgroup_v1, cgroup_v2, put, topology


def sockets(found: Topology) -> tuple[int, ...]:
    return tuple(sorted({core.socket for core in found.cores}))


def test_two_sockets_with_smt(tmp_path):
    found = topology(tmp_path, sockets=2, cores_per_node=56, smt=True)
    assert (found.core_count, found.cores_per_socket, sockets(found), found.smt) == (112, 56, (0, 1), True)
    assert found.cores[0].cpus == (0, 112)
    assert found.why_fewer() == ""


def test_twelve_numa_nodes_on_one_socket(tmp_path):
    found = topology(tmp_path, nodes_per_socket=12, cores_per_node=8)
    assert (len(found.nodes), found.core_count, found.cores_per_socket) == (12, 96, 96)


def test_offline_cpus_and_lone_siblings(tmp_path):
    found = topology(tmp_path, cores_per_node=4, smt=True, offline={1, 5, 6})
    assert found.online_cpus == "0,2-4,7"
    assert [core.cpus for core in found.cores] == [(0, 4), (2,), (3, 7)]


def test_affinity_leaves_odd_cores(tmp_path):
    root = FakeMachine(cores_per_node=8).build(tmp_path)
    found = read_topology(root, affinity=[1, 3, 5, 7])
    assert [core.cpus[0] for core in found.cores] == [1, 3, 5, 7]
    assert "allows 4 of 8 cpus (1,3,5,7)" in found.why_fewer()


def test_cpuset_of_cgroup_v2_and_of_v1(tmp_path):
    two = FakeMachine(cores_per_node=8).build(tmp_path / "two")
    cgroup_v2(two, "/box", cpuset_cpus_effective="1,3,5,7")
    one = FakeMachine(cores_per_node=8).build(tmp_path / "one")
    cgroup_v1(one, "/box", "cpuset", effective_cpus="1,3,5,7")
    assert read_topology(two).allowed_cpus == read_topology(one).allowed_cpus == "1,3,5,7"


@pytest.mark.parametrize(("quota", "cpus", "cores"), [
    ("150000 100000", 1.5, 1), ("50000 100000", 0.5, 1), ("200000 100000", 2.0, 2), ("max 100000", None, 4)])
def test_quota_of_cgroup_v2_rounds_down_to_whole_cores(tmp_path, quota, cpus, cores):
    root = FakeMachine(cores_per_node=4).build(tmp_path)
    cgroup_v2(root, "/box", cpu_max=quota)
    found = read_topology(root)
    assert (found.quota_cpus, found.core_count) == (cpus, cores)


def test_the_tightest_quota_of_the_ancestors_counts(tmp_path):
    root = FakeMachine(cores_per_node=8).build(tmp_path)
    cgroup_v2(root, "/pod/box", cpu_max="max 100000")
    put(root / "sys/fs/cgroup/pod/cpu.max", "300000 100000")
    assert read_topology(root).core_count == 3


def test_quota_of_cgroup_v1(tmp_path):
    root = FakeMachine(cores_per_node=4).build(tmp_path)
    cgroup_v1(root, "/box", "cpu", cfs_quota_us="150000", cfs_period_us="100000")
    found = read_topology(root)
    assert (found.quota_cpus, found.core_count) == (1.5, 1)
    assert "quota is 1.5 CPUs" in found.why_fewer()


def test_a_cgroup_namespace_shows_its_own_files_at_the_mount(tmp_path):
    root = FakeMachine(cores_per_node=4).build(tmp_path)
    cgroup_v1(root, "/", "cpu", cfs_quota_us="200000", cfs_period_us="100000")
    put(root / "proc/self/cgroup", "4:cpu,cpuacct:/docker/0123")
    assert read_topology(root).core_count == 2


def test_memory_only_where_node_and_cpuset_have_it(tmp_path):
    root = FakeMachine(sockets=4, cores_per_node=2, memoryless={3}).build(tmp_path)
    put(root / "proc/self/status", "Name:\tx\nMems_allowed_list:\t1-3")
    assert read_topology(root).memory_nodes == (1, 2)


def test_a_kernel_without_topology_files_gives_a_core_a_cpu(tmp_path):
    put(tmp_path / "sys/devices/system/cpu/online", "0-1")
    assert read_topology(tmp_path).core_count == 2


@given(st.lists(st.booleans(), max_size=300))
def test_cpulists_come_back_as_they_went(there):
    cpus = {cpu for cpu, is_there in enumerate(there) if is_there}
    assert set(parse_cpulist(format_cpulist(cpus))) == cpus


def test_files_that_are_not_in_the_kernels_form_are_as_if_they_were_not_there(tmp_path):
    root = FakeMachine(cores_per_node=2).build(tmp_path)
    for name in ("online", "cpu0/topology/core_id", "cpu0/topology/physical_package_id"):
        put(root / "sys/devices/system/cpu" / name, "garbage")
    found = read_topology(root)
    assert (found.online_cpus, found.core_count, sockets(found)) == ("0-1", 2, (0,))


def test_where_no_cpu_may_be_used_that_is_said(tmp_path):
    root = FakeMachine(cores_per_node=4).build(tmp_path)
    cgroup_v2(root, "/box", cpuset_cpus_effective="2-3")
    with pytest.raises(Infrastructure, match=r"no cpu may be used: the affinity mask is 0-1, .*cpuset"):
        read_topology(root, affinity=[0, 1])


@pytest.mark.parametrize("online", ["0", "0-23"])
def test_the_mask_counts_where_a_container_shows_other_cpus_as_online(tmp_path, online):
    root = FakeMachine(cores_per_node=32, smt=True).build(tmp_path)
    put(root / "sys/devices/system/cpu/online", online)
    found = read_topology(root, affinity=range(8, 32))
    assert (found.allowed_cpus, found.core_count, found.quota_cpus) == ("8-31", 24, None)
    assert set(parse_cpulist(found.allowed_cpus)) <= set(parse_cpulist(found.online_cpus))


def test_counters_leave_out_what_they_cannot_read(tmp_path):
    for name, text in (("proc/stat", "cpu  1 2 x\n\ncpu0 100 0 0 0"), ("proc/vmstat", "pgmajfault 3\noom_kill\nx y z"),
                       ("proc/pressure/cpu", "some avg10=0 total=?"), ("proc/7/task/7/schedstat", "a b c"),
                       ("proc/7/task/7/status", "voluntary_ctxt_switches:\n"), ("proc/7/task/7/children", "x"),
                       ("proc/7/stat", "7 (x) S" + " ?" * 20),
                       ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", ""),
                       ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "<unknown>")):
        put(tmp_path / name, text)
    found = counters.snapshot([7], tmp_path)
    assert set(found.cpu_s) == {"0"} and found.vmstat == {"pgmajfault": 3}
    assert set(msgspec.structs.astuple(found.processes["7"])) == {0}
    assert (found.pressure_s, found.throttle_count, found.cpu_mhz) == ({}, {}, {})
    assert counters.oom_kills(tmp_path) == 0


def as_virtual(root, sockets_of_one: bool = True):
    """The machine's cores, each as a socket of its own, under a hypervisor."""
    for cpu in parse_cpulist(read_topology(root).allowed_cpus):
        if sockets_of_one:
            put(root / f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id", cpu)
    put(root / "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu avx2 hypervisor lahf_lm\n")
    return root


def test_a_hypervisors_sockets_of_one_core_in_one_node_are_one(tmp_path):
    found = read_topology(as_virtual(FakeMachine(cores_per_node=8).build(tmp_path)))
    assert (found.merged_sockets, sockets(found), found.cores_per_socket, found.core_count) == (8, (0,), 8, 8)


@pytest.mark.parametrize("shape", [{"sockets": 2, "cores_per_node": 1}, {"sockets": 2, "cores_per_node": 4}])
def test_a_virtual_machines_sockets_with_nodes_or_cores_of_their_own_stay(tmp_path, shape):
    found = read_topology(as_virtual(FakeMachine(**shape).build(tmp_path), sockets_of_one=False))
    assert (found.merged_sockets, sockets(found)) == (0, (0, 1))


def test_without_a_hypervisor_a_socket_is_a_socket(tmp_path):
    root = as_virtual(FakeMachine(cores_per_node=2).build(tmp_path))
    put(root / "proc/cpuinfo", "flags\t\t: fpu avx2\n")
    assert read_topology(root).cores_per_socket == 1


KINDS = ["performance"] * 2 + ["efficiency"] * 4


@pytest.mark.parametrize("files", [
    {"cpu_core/cpus": "0-1", "cpu_atom/cpus": "2-5"},
    {f"system/cpu/cpu{cpu}/cpu_capacity": 1024 if cpu < 2 else 620 for cpu in range(6)},
    {f"system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq": 5100000 if cpu < 2 else 3500000 for cpu in range(6)}])
def test_unlike_cores_are_told_apart(tmp_path, files):
    root = FakeMachine(cores_per_node=6).build(tmp_path)
    for name, text in files.items():
        put(root / "sys/devices" / name, text)
    assert [core.kind for core in read_topology(root).cores] == KINDS
    assert {core.kind for core in read_topology(root, affinity=[0, 1]).cores} == {""}, "these are alike"


def test_favoured_cores_are_of_one_kind(tmp_path):
    root = FakeMachine(cores_per_node=2).build(tmp_path)
    for cpu, khz in enumerate((4800000, 4600000)):
        put(root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq", khz)
    assert {core.kind for core in read_topology(root).cores} == {""}
