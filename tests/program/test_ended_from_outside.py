"""ctest, ctest.sh or the terminal ends: nothing of the case is left. What runs is FAKE."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from support.fake_checkout import HANGS, Checkout, until


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("ended") / "checkout")
    assert made.ctest("-N").returncode == 0
    return made


def running(checkout: Checkout, *words: str, folder: Path) -> subprocess.Popen[str]:
    """``words`` in a session of its own, once the runner is at work."""
    checkout.clear()
    started = subprocess.Popen(words, cwd=folder, env=checkout.environment | dict([HANGS.split("=")]), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    until(lambda: list(checkout.build.glob("workload/*/*/*/*/benchmark_*.log")))
    return started


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("verbose", ["-V", "-Q"])
def test_plain_ctest_that_is_ended_leaves_nothing(checkout, signum, verbose):
    with running(checkout, "ctest", verbose, "-R", f"{checkout.case}$", folder=checkout.build) as ctest:
        ctest.send_signal(signum)
        ctest.stdout.close()
    until(lambda: not checkout.left(), 20)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_ctest_sh_that_is_ended_leaves_nothing(checkout, signum):
    with running(checkout, "./ctest.sh", "-V", "--testcase", checkout.case, folder=checkout.folder) as ours:
        ours.send_signal(signum)
        ours.stdout.close()
    until(lambda: not checkout.left(), 20)
