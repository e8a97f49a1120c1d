"""How close to the limit: operations, bytes and shares of a FAKE result."""

from __future__ import annotations

import pytest

from resnet50_bench.machine import host, memory, theory
from resnet50_bench.result import limits, logfile
from resnet50_bench.result.processes import Convolution
from support.documents import decoded, document
from support.fakes import put

FIRST = "mb4_ic3oc64_ih224oh112kh7sh2dh0ph3_iw224ow112kw7sw2dw0pw3"


def test_a_convolutions_operations_come_from_onednns_problem_string():
    shape = limits.parse_shape(FIRST)
    source, weights, output = limits.sizes(shape)
    assert (source, weights, output) == (4 * 3 * 224 * 224, 64 * 3 * 7 * 7, 4 * 64 * 112 * 112)
    table = limits.layer_table([Convolution("brgconv:avx512_core", "u8", FIRST, 2.0)])
    # 2 x 4 x 64 x 112 x 112 x 3 x 7 x 7 operations in 2 ms
    assert "472.1" in table[1] and "100.0 %" in table[1]


def test_utilization_is_measured_against_the_same_cores_peak():
    made = document()
    made["system"] |= {"cpu_mhz": 2000.0, "cpu_vendor": "GenuineIntel", "cpu_family": 6, "cpu_model": 0x8F}
    for report in made["processes"]:
        for run in report["runs"]:
            run["peak"] = {"operations_per_s": 1e13, "bytes_per_s": 1e12}
    made["processes"][0]["facts"]["layers"] = [{"shape": FIRST, "time_ms": 2.0, "kernel": "k", "source_type": "u8"}]
    found = limits.limits(decoded(made))
    rate = made["statistics"]["throughput_images_per_s"]
    assert found["compute_utilization"] == pytest.approx(rate * 8.2e9 / 2e13)  # two instances of 1e13 each
    assert found["theoretical_operations_per_s"] == 2 * 2000e6 * 2048
    moved = (4 * 3 * 224 * 224 + 64 * 147 + 4 * 64 * 112 * 112) / 4
    assert found["memory_utilization"] == pytest.approx(rate * moved / 2e12)


def test_what_was_not_measured_is_absent():
    made = document()
    for report in made["processes"]:
        for run in report["runs"]:
            run["peak"] = {}
    assert set(limits.limits(decoded(made))) == {"operations_per_s"}


@pytest.mark.parametrize(("vendor", "family", "model", "name", "precision", "operations"), [
    ("GenuineIntel", 6, 0x8F, "", "amx_int8", 2048), ("GenuineIntel", 6, 0x6A, "", "avx_int8", 256),
    ("GenuineIntel", 6, 0x55, "Intel(R) Xeon(R) Silver 4110 CPU @ 2.10GHz", "avx_fp32", 32),
    ("AuthenticAMD", 25, 0x11, "AMD EPYC 9654", "avx_fp32", 32), ("AuthenticAMD", 25, 0xA0, "", "avx_int8", 128),
    ("GenuineIntel", 6, 0x4F, "", "avx2_int8", 32), ("AuthenticAMD", 25, 0x11, "", "avx_bfloat16", 64),
    ("GenuineIntel", 6, 0x8F, "", "avx_bfloat16", None), ("AuthenticAMD", 26, 0x02, "", "avx2_int8", 96),
    ("AuthenticAMD", 25, 0x01, "", "avx2_fp32", 32), ("AuthenticAMD", 26, 0x02, "", "avx_fp32", 64),
    ("AuthenticAMD", 26, 0x24, "", "avx_fp32", None), ("GenuineIntel", 6, 0xAF, "", "avx2_fp32", None),
    ("GenuineIntel", 6, 0x6A, "", "amx_int8", None)])
def test_the_theoretical_peak_follows_the_cpu(vendor, family, model, name, precision, operations):
    system = host.SystemRecord(cpu_vendor=vendor, cpu_family=family, cpu_model=model, cpu=name)
    assert theory.operations_per_cycle(system, precision) == operations


def test_a_run_faster_than_its_peak_is_its_peak_and_that_is_said():
    made = document()
    for report in made["processes"]:
        for run in report["runs"]:
            run["peak"] = {"operations_per_s": 1e9}
    found = limits.limits(decoded(made))
    assert found["compute_utilization"] == 1.0 and found["measured_peak_operations_per_s"] == 2e9
    assert any("So the rate of the run is used as the peak" in line for line in logfile._limits(found, "nominal"))


def test_the_clock_says_where_it_is_from(tmp_path):
    put(tmp_path / "proc/cpuinfo", "vendor_id: AuthenticAMD\nmodel name: FAKE\ncpu MHz\t\t: 1500.000")
    assert host._mhz(tmp_path) == (1500.0, "as /proc/cpuinfo showed it")
    put(tmp_path / "sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq", "0")
    assert host._mhz(tmp_path)[0] == 1500.0
    put(tmp_path / "sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq", "2400")
    assert host._mhz(tmp_path) == (2400.0, "nominal, of acpi_cppc")


def test_arrays_of_all_instances_outgrow_each_cache_four_times(tmp_path):
    for cpu in range(4):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cache/index3"
        for name, text in (("level", 3), ("size", "32768K"), ("shared_cpu_list", "0-1" if cpu < 2 else "2-3")):
            put(folder / name, text)
    parts = [memory.stream_floats(cpus, [0, 1, 2, 3], tmp_path) for cpus in ([0], [1], [2, 3])]
    assert [part * 4 for part in parts] == [64 * 2**20, 64 * 2**20, 128 * 2**20]
    assert memory.stream_floats([0], [0], tmp_path / "none") is None
