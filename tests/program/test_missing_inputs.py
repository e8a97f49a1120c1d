"""Accuracy cases without images or weights: skipped among many, refused where the case was named. No torch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from resnet50_bench.case import inputs
from support.fake_checkout import ROOT, Checkout

pytestmark = pytest.mark.skipif(not shutil.which("cmake") or Path("/dataset").exists(),
                                reason="needs cmake and no /dataset")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    """With the real run_test.sh: it is asked for what it refuses only."""
    made = Checkout(tmp_path_factory.mktemp("checkout") / "main")
    shutil.copy(ROOT / "run_test.sh", made.folder)
    return made


def test_among_many_it_is_skipped_with_its_reason_and_leaves_no_logs(checkout):
    precision = checkout.case.partition("throughput_")[2]
    done = checkout.ctest("-V", "-R", f"inference_accuracy_{precision}$")
    assert done.returncode == 77 and "***Skipped" in done.stdout
    assert "MODE=accuracy needs images" in done.stdout and "scripts/resnet50-bench.sh dataset" in done.stdout
    assert "   Verdict     skipped: MODE=accuracy needs images" in done.stdout
    assert checkout.logs() == []


def test_named_or_given_a_wrong_set_it_is_refused(checkout, tmp_path):
    case = checkout.case.replace("throughput", "accuracy")
    for words in (["--testcase", case], ["-R", f"^{case}$", f"--dataset={tmp_path}/none"],
                  ["-R", f"^{case}$", "--weights=/none"]):
        done = checkout.ctest("-V", *words)
        assert done.returncode == 2 and "Skipped" not in done.stdout, words
    checkout.clear()


def test_what_runs_the_case_elsewhere_is_told_that_it_may_be_skipped(checkout):
    """A container may hold a data set: only what runs inside can tell."""
    runner = checkout.folder / "run_test.sh"
    before = runner.read_text()
    runner.write_text(f"#!/bin/sh\necho may=${inputs.SKIP_VARIABLE}\nexit 77\n")
    case = checkout.case.replace("throughput", "accuracy")
    try:
        done = checkout.ctest("-V", "-R", f"^{case}$", "--dataset=/x")
        assert f"may={inputs.SKIP}\n" in done.stdout and "***Skipped" in done.stdout and done.returncode == 77
        assert "may=\n" in checkout.ctest("-V", "--testcase", case, "--dataset=/x").stdout
        config = (checkout.logs()[0] / "workload-config.yaml").read_text()
        assert inputs.SKIP_VARIABLE not in config, "it is no parameter"
    finally:
        runner.write_text(before)
        checkout.clear()
