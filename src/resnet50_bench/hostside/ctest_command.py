"""``ctest.sh``: our options are taken out, the rest goes to ctest, which starts a ``case`` for each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .. import describe_command, doctor_command, progress
from ..errors import Interrupted
from ..run_command import interruptible
from . import backends
from .build_folder import configure, exactly
from .options import OVERRIDES_VARIABLE, Overrides, parse, parser

#: What --noenv leaves: what programs need to start, and what says where our own things lie.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "TERM")
_KEPT_PREFIXES = ("RESNET50_BENCH_", "XDG_", "DOCKER_", "PIP_", "SSL_")
#: Time for cases to clean up after a signal: reaping workers takes up to 12 s.
_GRACE_S = 20.0
#: ctest cuts what it stores of a test's output at 1 KB where it passed; a log with its KPIs is longer.
_OUTPUT_BYTES = "1000000"


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
    if ours.sweep is not None:
        from . import sweep_command

        if ours.noenv:
            kept = _without_callers(os.environ)
            os.environ.clear()
            os.environ.update(kept)
        return sweep_command.main(ours, overrides, for_ctest)
    build = configure(overrides.flags.get("PLATFORM") or os.environ.get("PLATFORM"))
    sizes = [word for name in ("passed", "failed") for word in (f"--test-output-size-{name}", _OUTPUT_BYTES)]
    words = [*sizes, *(exactly(ours.testcase, build) if ours.testcase else []), *for_ctest]
    environment = _without_callers(os.environ) if ours.noenv else dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="resnet50-bench-") as scratch:
        if sys.stdout.isatty():
            environment[progress.TERMINAL_VARIABLE] = os.ttyname(sys.stdout.fileno())
        file = Path(scratch) / "overrides.json"
        overrides = replace(overrides, statuses=f"{scratch}/statuses", stop_file=f"{scratch}/stop")
        overrides.write(file)
        status = _run_ctest(words, build, environment | {OVERRIDES_VARIABLE: str(file)}, overrides)
        return _overall(status, Path(overrides.statuses))


def _without_callers(environment: os._Environ[str]) -> dict[str, str]:
    return {name: text for name, text in environment.items()
            if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def _run_ctest(words: Sequence[str], build: Path, environment: dict[str, str], overrides: Overrides) -> int:
    """ctest's exit status. At a signal the running case ends itself and nothing is left."""
    with interruptible():
        ctest = subprocess.Popen([shutil.which("ctest") or "ctest", *words], cwd=build, env=environment,
                                 start_new_session=True)
        try:
            return ctest.wait()
        except Interrupted as interrupted:
            # ctest itself goes on a little, so that what the ending case says is still read.
            Path(overrides.stop_file).touch()
            _signal(_others(ctest.pid), interrupted.exit_status - 128)
            _wait_until(lambda: not _others(ctest.pid), _GRACE_S)
            _wait_until(lambda: ctest.poll() is not None, 0.5)
            _signal([ctest.pid, *_others(ctest.pid)], signal.SIGKILL)
            ctest.wait()
            raise


def _others(group: int) -> list[int]:
    """The members of a process group besides its leader, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        if int(pgrp) == group and state != "Z" and int(stat.parent.name) != group:
            found.append(int(stat.parent.name))
    return found


def _signal(pids: Sequence[int], signum: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def _wait_until(done: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def _overall(ctest_status: int, statuses: Path) -> int:
    """The first status of a case that neither passed nor was skipped; else ctest's own."""
    lines = statuses.read_text().split() if statuses.exists() else []
    return next((int(line) for line in lines if line not in ("0", "77")), ctest_status)


