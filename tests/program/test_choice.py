"""Which cases a call of ctest.sh runs, known before anything runs, and the status that it ends with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resnet50_bench import WORKLOAD
from resnet50_bench.ctest.handover import CaseRecord, status_of_all
from resnet50_bench.errors import Infrastructure, RunFailed
from support.fake_checkout import FAILS, FAILS_ONCE, Checkout

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
#: FAKE: this machine's cpuinfo as an EPYC 7003 has it.
MILAN = ((r" (amx|avx512)\w*", ""), (r"(?m)^(model\t.*: ).*", r"\g<1>1"), (r"(?m)^(cpu family.*: ).*", r"\g<1>25"),
         ("GenuineIntel", "AuthenticAMD"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("choice") / "checkout")


@pytest.fixture
def checkout(shared) -> Checkout:
    shared.clear()
    return shared


@pytest.fixture
def on_milan(checkout, tmp_path):
    """A call of ctest.sh on a FAKE CPU without AVX-512: in a mount namespace of its own."""
    text = Path("/proc/cpuinfo").read_text()
    for pattern, instead in MILAN:
        text = re.sub(pattern, instead, text)
    (tmp_path / "cpuinfo").write_text(text)
    mount = ["unshare", "-m", "sh", "-c", f'mount --bind {tmp_path}/cpuinfo /proc/cpuinfo && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        return checkout.run(*mount, checkout.folder / "ctest.sh", *words,
                            RESNET50_BENCH_BUILD=str(tmp_path / "build"))
    return call


def test_readmes_case_with_amx_is_skipped_with_its_reason_where_there_is_no_amx(on_milan):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    word, = re.findall(r"--testcase (\S+amx_int8\S*) --batch_size=8", readme)
    done = on_milan("--testcase", word, "--batch_size=8")
    assert done.returncode == 77 and "***Skipped" in done.stdout, done.stdout + done.stderr
    assert "skipped: PRECISION=amx_int8 needs the CPU flags" in done.stdout


def test_skipped_cases_beside_one_that_passed_are_no_failure(on_milan, tmp_path):
    (tmp_path / "t.yaml").write_text("cases: '*throughput_amx_int8_gated'\n---\ncases: '*throughput_avx2_int8_gated'\n")
    done = on_milan("--testset", tmp_path / "t.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "document 1: 0 passed, 0 failed, 1 skipped, status 77" in done.stdout
    assert "document 2: 1 passed, 0 failed, 0 skipped, status 0" in done.stdout


def test_another_platforms_case_runs_where_the_cpu_can(checkout):
    done = checkout.ctest("--testcase", "inference_throughput_avx2_int8_gated")
    assert done.returncode == 0, done.stdout + done.stderr
    logs, = checkout.logs()
    assert logs.name.endswith("avx2_int8_gated")


@pytest.mark.parametrize(("words", "said"), [
    (["-R", "troughput"], "did you mean throughput"), (["-R", "nothing_at_all"], "-R nothing_at_all"),
    (["-R", "avx2_int8_gated|avx_bfloat16_gated"], "Other platforms have"),
    (["-L", "gatde"], "-L gatde"), (["-E", "."], "-E ."), (["-I", "900,901"], "-I 900,901"),
    (["-R", "gated", "-E", "gated"], "-E gated"), (["--rerun-failed"], "no case has failed"),
    (["--testcase", "inference_latncy_avx_fp32"], "did you mean"),
    (["--testcase", "resnet50_inference_latency_avx_fp32"], "no such case")])
def test_words_that_choose_no_case_are_bad_input(checkout, words, said):
    shutil.rmtree(checkout.build / "Testing", ignore_errors=True)
    done = checkout.ctest(*words)
    assert done.returncode == 2 and said in done.stderr and not checkout.logs(), done.stdout + done.stderr


def test_rerun_failed_runs_what_failed(checkout):
    assert checkout.ctest("--testcase", checkout.case, "--set", FAILS).returncode == 1
    assert checkout.ctest("--rerun-failed").returncode == 0
    assert len(checkout.logs()) == 2


def test_a_case_that_passes_in_its_second_try_has_passed(checkout):
    done = checkout.ctest("--testcase", checkout.case, "--repeat", "until-pass:2", "--set", FAILS_ONCE)
    assert done.returncode == 0 and len(checkout.logs()) == 2, done.stdout + done.stderr


def test_cleared_results_are_no_reason_to_fail(checkout):
    shutil.rmtree(checkout.build / "workload", ignore_errors=True)
    assert checkout.ctest("--testcase", checkout.case).returncode == 0


def test_a_case_that_was_killed_failed_and_one_that_cannot_start_is_the_infrastructures(checkout, tmp_path):
    script = checkout.folder / "run_test.sh"
    before = script.read_text()
    script.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    try:
        done = checkout.ctest("--testcase", checkout.case)
    finally:
        script.write_text(before)
    assert done.returncode == 1 and "killed" in done.stderr, done.stdout + done.stderr
    log = tmp_path / "Testing/Temporary/LastTest.log"
    log.parent.mkdir(parents=True)
    log.write_text("Failed to change working directory to /x : No such file or directory\n")
    with pytest.raises(Infrastructure, match="/x"):
        status_of_all([], 8, tmp_path)


@pytest.mark.parametrize(("cases", "of_ctest", "status"), [
    ([0, 77], 0, 0), ([77, 77], 0, 77), ([], 0, 0), ([0, 4, 1], 8, 4), ([0], 141, 141), ([3], 8, 3)])
def test_the_status_is_that_of_the_first_case_that_failed(tmp_path, cases, of_ctest, status):
    records = [CaseRecord(f"case_{number}", case) for number, case in enumerate(cases)]
    assert status_of_all(records, of_ctest, tmp_path) == status


@pytest.mark.parametrize(("of_ctest", "kind"), [(8, RunFailed), (255, Infrastructure), (1, Infrastructure)])
def test_ctests_own_status_is_never_passed_on(tmp_path, of_ctest, kind):
    with pytest.raises(kind):
        status_of_all([CaseRecord(f"{WORKLOAD}_x", 0)], of_ctest, tmp_path)
