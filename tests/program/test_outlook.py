"""How long cases are likely to take, and the lines that say how far they are while nothing else is printed."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from resnet50_bench import WORKLOAD
from resnet50_bench.ctest import outlook
from resnet50_bench.ctest.config import config_notice
from resnet50_bench.ctest.handover import CaseRecord, Overrides
from support.fake_checkout import Checkout

FAST = "inference_throughput_avx_fp32_gated"
SLOW = "inference_throughput_avx_fp32"
CASES = [f"test_{WORKLOAD}_{option}" for option in (FAST, SLOW, "inference_latency_avx_fp32")]
#: As ctest.sh, but it tells each half second.
OFTEN = ("import sys; from resnet50_bench.ctest import outlook; outlook.EVERY_S = 0.5; "
         "from resnet50_bench.cli.tree import main; sys.exit(main(['ctest', *sys.argv[1:]]))")


def ran(results: Path, stamp: str, option: str, took_s: float, statuses: tuple[int, ...] = (0,)) -> None:
    """A logs folder of iterations that ended with these statuses after so many seconds."""
    logs = results / f"{stamp}-logs-{WORKLOAD}_{option}"
    for number, status in enumerate(statuses, start=1):
        worker = logs / f"itr-{number}/worker-0-c0"
        worker.mkdir(parents=True)
        (worker / "status").write_text(f"{status}\n")
    for name, at_s in (("workload-config.yaml", 0.0), ("kpi.txt", took_s)):
        (logs / name).touch()
        os.utime(logs / name, (1e9 + at_s, 1e9 + at_s))


def test_the_last_run_that_passed_says_how_long_an_iteration_takes(tmp_path):
    ran(tmp_path, "20261101-000000", FAST, 50)
    ran(tmp_path, "20261102-000000", FAST, 30, (0, 0, 0))
    ran(tmp_path, "20261103-000000", FAST, 1, (0, 1))
    (tmp_path / f"20261104-000000-logs-{WORKLOAD}_{FAST}").mkdir()
    assert outlook.last_durations(tmp_path) == {FAST: 10}


@pytest.mark.parametrize(("known", "said"), [
    ({}, "3 cases: .*unknown"), ({FAST: 10, SLOW: 600}, "about 20:20 min .* 1 that have not passed"),
    ({FAST: 10, SLOW: 600, "inference_latency_avx_fp32": 7200}, r"about 4:20:20 h if [^,]*$")])
def test_a_forecast_is_honest_about_what_is_unknown(known, said):
    assert re.search(said, outlook.forecast(CASES, known, rounds=2))


@pytest.fixture
def watch(tmp_path) -> outlook.Watch:
    files = [tmp_path / name for name in ("started", "state", "statuses")]
    return outlook.Watch(CASES, {FAST: 10, SLOW: 600}, 1, *files)


def test_a_line_says_how_far_the_running_case_is_and_what_is_left(watch):
    assert watch.line() == "", "no case runs yet"
    watch.started.write_text(SLOW)
    os.utime(watch.started, (time.time() - 90,) * 2)
    assert re.search("10:00 min .* 2 more: about 10 s and 1 of unknown", watch.line())
    watch.state.write_text("instance 0: 50 of 200 steps | 0:30 left")
    assert re.match(f"{SLOW} for 1:30 min .* 0:30 left", watch.line())
    Overrides(statuses=str(watch.statuses)).tell(CaseRecord(SLOW, 0))
    assert watch.line() == "", "it has ended"


def test_what_the_screen_shows_already_is_not_said_twice(watch):
    loud = outlook.Watch(CASES, {}, 1, watch.started, watch.state, watch.statuses, shown_elsewhere=True)
    watch.started.write_text(SLOW)
    assert loud.line()
    watch.state.write_text("Process 0: preparing the model")
    assert loud.line() == "" and watch.line()
    os.utime(watch.state, (time.time() - 40,) * 2)
    assert "preparing" in loud.line(), "nothing has come for a while"


def test_a_configuration_for_few_of_the_cases_is_told():
    rules = [("*_throughput_avx_fp32_gated", {"STEPS": "3"})]
    assert f"1 of the 3 cases that run; to run only those: --testcase {FAST}" in config_notice(Path("b"), rules, CASES)
    assert config_notice(Path("b"), rules, CASES[:1]) == config_notice(None, [], CASES) == ""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    made = Checkout(tmp_path_factory.mktemp("outlook") / "checkout")
    script = made.folder / "run_test.sh"
    script.write_text(script.read_text().replace('echo "Evaluating', (
        'echo "instance 0: 5 of 9 steps" > "$RESNET50_BENCH_PROGRESS"; sleep 2; rm "$RESNET50_BENCH_PROGRESS"\n'
        'echo "Evaluating'), 1))
    return made


@pytest.mark.parametrize(("words", "told"), [([], True), (["--output-on-failure"], True),
                                             (["-Q"], False)])
def test_without_v_a_plain_line_comes_while_a_case_measures(checkout, words, told):
    done = checkout.run(sys.executable, "-c", OFTEN, "--testcase", checkout.case, *words,
                        PYTHONPATH=str(checkout.folder / "src"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("instance 0: 5 of 9 steps" in done.stdout) == told, done.stdout
