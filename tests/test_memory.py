"""What is free of memory, below FAKE /proc and /sys trees."""

from __future__ import annotations

import pytest

from resnet50_bench.machine import memory
from resnet50_bench.machine.memory import free_bytes
from support import fakes

MIB = 2**20


def test_the_kernels_figure_counts_where_there_is_no_cgroup(tmp_path):
    assert free_bytes(tmp_path) is None
    fakes.put(tmp_path / "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4096 kB\n")
    assert free_bytes(tmp_path) == 4 * MIB


@pytest.mark.parametrize(("own", "parent", "expected_mib"), [
    (("max", 0, 0), ("max", 0, 0), 900),
    (("500", 100, 0), ("max", 100, 0), 400),
    (("500", 100, 40), ("max", 100, 0), 440),
    (("max", 10, 0), ("200", 150, 20), 70),
    (("100", 120, 0), ("max", 120, 0), 0)])
def test_what_the_tightest_group_on_the_way_up_leaves_counts(tmp_path, own, parent, expected_mib):
    fakes.put(tmp_path / "proc/meminfo", f"MemAvailable: {900 * 1024} kB\n")
    fakes.put(tmp_path / "proc/self/cgroup", "0::/job/step\n")
    fakes.put(tmp_path / "sys/fs/cgroup/cgroup.controllers", "memory\n")
    for folder, (limit, used, cached) in (("job/step", own), ("job", parent)):
        where = tmp_path / "sys/fs/cgroup" / folder
        fakes.put(where / "memory.max", (limit if limit == "max" else str(int(limit) * MIB)) + "\n")
        fakes.put(where / "memory.current", f"{used * MIB}\n")
        fakes.put(where / "memory.stat", f"anon 1\ninactive_file {cached * MIB}\n")
    assert free_bytes(tmp_path) == expected_mib * MIB


def test_arrays_for_the_bandwidth_are_not_made_where_nothing_is_free(tmp_path):
    assert memory.affordable(1000, 1, tmp_path) == 1000, "nothing is known"
    fakes.put(tmp_path / "proc/meminfo", "MemAvailable: 1024 kB\n")
    assert memory.affordable(1000, 1, tmp_path) == 1000 and memory.affordable(100_000, 1, tmp_path) == 0
    fakes.put(tmp_path / "proc/meminfo", "MemAvailable: 0 kB\n")
    assert memory.affordable(1000, 1, tmp_path) == 0
