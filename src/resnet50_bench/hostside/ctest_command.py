"""``ctest.sh``: our options are taken out, the rest goes to ctest, which starts a ``case`` for each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import describe_command, doctor_command
from ..errors import Interrupted
from ..run_command import interruptible
from . import backends
from .build_folder import configure, exactly
from .options import OVERRIDES_VARIABLE, parse, parser

#: What --noenv leaves: what programs need to start, and what says where our own things lie.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "TERM")
_KEPT_PREFIXES = ("RESNET50_BENCH_", "XDG_", "DOCKER_", "PIP_", "SSL_")
#: Time for cases to clean up after a signal: reaping workers takes up to 12 s.
_GRACE_S = 20.0


def main(argv: list[str]) -> int:
    """Run ctest; the exit status is the first failed case's, in the contract's meaning."""
    if {"--help", "-h", "-H"} & set(argv):
        parser().print_help()
        return 0
    ours, overrides, for_ctest = parse(argv)
    if ours.describe_params:
        return describe_command.main([])
    if ours.doctor:
        return doctor_command.main([])
    if ours.check_docker_image:
        return backends.check_docker_image()
    build = configure(overrides.flags.get("PLATFORM") or os.environ.get("PLATFORM"))
    words = [*(exactly(ours.testcase, build) if ours.testcase else []), *for_ctest]
    environment = _without_callers(os.environ) if ours.noenv else dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="resnet50-bench-") as scratch:
        statuses = Path(scratch) / "statuses"
        file = Path(scratch) / "overrides.json"
        replace(overrides, statuses=str(statuses)).write(file)
        status = _run_ctest(words, build, environment | {OVERRIDES_VARIABLE: str(file)})
        return _overall(status, statuses)


def _without_callers(environment: os._Environ[str]) -> dict[str, str]:
    return {name: text for name, text in environment.items()
            if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def _run_ctest(words: Sequence[str], build: Path, environment: dict[str, str]) -> int:
    """ctest's exit status. A signal goes to all of ctest's process group, and nothing is left of it."""
    with interruptible():
        ctest = subprocess.Popen([shutil.which("ctest") or "ctest", *words], cwd=build, env=environment,
                                 start_new_session=True)
        try:
            return ctest.wait()
        except Interrupted as interrupted:
            _end(ctest, interrupted.exit_status - 128)
            raise


def _end(ctest: subprocess.Popen[bytes], signum: int) -> None:
    os.killpg(ctest.pid, signum)
    # ctest itself may end before its cases do: wait for the whole group.
    for wait_s, last in ((_GRACE_S, signal.SIGKILL), (5.0, None)):
        if _group_ended(ctest, wait_s):
            return
        if last:
            os.killpg(ctest.pid, last)


def _group_ended(ctest: subprocess.Popen[bytes], wait_s: float) -> bool:
    import time

    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        ctest.poll()
        try:
            os.killpg(ctest.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def _overall(ctest_status: int, statuses: Path) -> int:
    """The first status of a case that neither passed nor was skipped; else ctest's own."""
    lines = statuses.read_text().split() if statuses.exists() else []
    return next((int(line) for line in lines if line not in ("0", "77")), ctest_status)


