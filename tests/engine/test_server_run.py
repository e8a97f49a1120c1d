"""MODE=server with the real model: every prepared size is proven, LoadGen's own logs and verdict are there."""

from __future__ import annotations

import pytest

from support import digits
from support.engine import FP32, kpi, result_of, run_test
from support.schema import violations

#: A machine that others share keeps to no bound of milliseconds: here it is only to be seen that all is there.
LAX = ("--min_duration=2", "--target_qps=20", "--latency_bound_ms=60000", "--latency_percentile=80", "--steps=5")


@pytest.mark.parametrize("torch_type", ["IPEX", *(pytest.param(name, marks=pytest.mark.slow)
                                                 for name in ("EAGER", "COMPILE-INDUCTOR"))])
def test_queries_are_answered_by_proven_kernels_at_each_size(folder, torch_type):
    done = run_test(folder, "--mode=server", f"--precision={FP32}", "--case_type=gated", "--batch_size=3",
                    f"--torch_type={torch_type}", *LAX)
    assert done.returncode == 0, done.stdout + done.stderr
    result = result_of(folder)
    server, report = result["statistics"]["server"], result["processes"][0]
    assert server["valid"] and server["queries"] >= 20 and sum(report["kernels"].values()) == 53
    assert violations(result) == [], "docs/reference/result-schema.json"
    assert (folder / "mlperf_log_summary.txt").exists() and "*Server Rate (queries/sec): " in kpi(folder).stdout
    assert not list(folder.glob(".*")), "nothing of the exchange is left"


def test_real_images_are_what_the_queries_are_answered_with(folder, tmp_path):
    pictures = digits.write(tmp_path / "digits", train=1, val=10)
    weights = digits.untrained_weights(tmp_path)
    done = run_test(folder, "--mode=server", f"--precision={FP32}", "--case_type=gated", "--torch_type=EAGER",
                    "--data_type=real", f"--dataset={pictures}", f"--weights={weights}", *LAX)
    assert done.returncode == 0, done.stdout + done.stderr
    record = next(iter(result_of(folder)["processes"][0]["facts"]["data"].values()))
    assert record["pool_batches"] and record["served"]["batches"]
