"""How close to the limit: operations, bytes and shares of a FAKE result."""

from __future__ import annotations

import pytest

from documents import document
from resnet50_bench import limits

FIRST = "mb4_ic3oc64_ih224oh112kh7sh2dh0ph3_iw224ow112kw7sw2dw0pw3"


def test_a_convolutions_operations_come_from_onednns_problem_string():
    shape = limits.parse_shape(FIRST)
    source, weights, output = limits.sizes(shape)
    assert (source, weights, output) == (4 * 3 * 224 * 224, 64 * 3 * 7 * 7, 4 * 64 * 112 * 112)
    table = limits.layer_table([{"shape": FIRST, "time_ms": 2.0, "kernel": "brgconv:avx512_core"}])
    # 2 x 4 x 64 x 112 x 112 x 3 x 7 x 7 operations in 2 ms
    assert "472.1" in table[1] and "100.0 %" in table[1]


def test_utilization_is_measured_against_the_same_cores_peak():
    made = document()
    made["system"]["cpu_mhz"] = 2000.0
    made["processes"][0]["facts"]["layers"] = [{"shape": FIRST, "time_ms": 2.0, "kernel": "k", "source_type": "u8"}]
    found = limits.limits(made)
    rate = made["statistics"]["throughput_images_per_s"]
    assert found["compute_utilization"] == pytest.approx(rate * 8.2e9 / 2e12)  # two instances of 1e12 each
    assert found["theoretical_operations_per_s"] == 2 * 2000e6 * 2048
    moved = (4 * 3 * 224 * 224 + 64 * 147 + 4 * 64 * 112 * 112) / 4
    assert found["memory_utilization"] == pytest.approx(rate * moved / 2e10)


def test_what_was_not_measured_is_absent():
    made = document()
    for report in made["processes"]:
        for run in report["runs"]:
            run["peak"] = {}
    assert set(limits.limits(made)) == {"operations_per_s"}
