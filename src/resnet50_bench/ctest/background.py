"""Background runs of ctest.sh: start, show and stop them. Files below the build folder have their state.

Each has a folder ``<build>/background/<name>/``: ``run.json`` (its identity), ``status`` (its exit status, after its
end), and ``log`` unless the user names another file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import BadInput, Infrastructure
from ..files import replacing, stamped_folder, write_json
from ..machine.process_facts import boot_id, start_ticks
from ..signals import interruptible
from .build_folder import same
from .options import Options

_START_S = 20.0
_START_END_S = 5.0
#: A case has 20 s to end, and some backends need more to clean up.
_STOP_S = 60.0
#: Bytes of a log's end that contain the running case and the last lines.
_TAIL_BYTES = 4_000_000
_MOST_ENDED = 10


@dataclass(frozen=True)
class BackgroundRun:
    """A background run. ``ticks`` is the process's start in clock ticks since the boot ``boot``, because a process id
    alone may be reused."""

    folder: Path
    pid: int
    ticks: int
    boot: str
    started: str
    log: Path

    @property
    def name(self) -> str:
        """The name that --stop's PREFIX selects."""
        return self.folder.name

    @property
    def status(self) -> int | None:
        """Its exit status, None if it has not written one."""
        try:
            return int((self.folder / "status").read_text())
        except (OSError, ValueError):
            return None

    @property
    def runs(self) -> bool:
        """Whether the started process still runs."""
        return self.status is None and self.boot == boot_id() and self.ticks == start_ticks(self.pid)


def launch(build: Path, options: Options) -> int:
    """Start ``ctest.sh`` with the same words in a session of its own. Returns as soon as it runs."""
    asked = options.background_log
    label = re.sub(r"[^A-Za-z0-9_.]+", "-", Path(asked or options.testcase or options.testset or "").stem).strip("-.")
    folder = stamped_folder(build / "background", f"{label or 'ctest'}-{{}}")
    log = Path(asked).absolute() if asked else folder / "log"
    for other in _running(build):
        print(f"NOTICE: {other.name} is running, too: while it measures, cases on the same cores are refused; "
              f"./ctest.sh --stop {other.name} ends it")
    words = [*options.words_without("--nohup", "--daemon"), *(["--noenv"] if options.daemon is not None else [])]
    try:
        with log.open("ab") as sink:  # as nohup: what an earlier run left there stays
            process = subprocess.Popen(
                [sys.executable, "-m", "resnet50_bench", "background", str(folder), str(log), *words],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"the log {log} cannot be written: {error.strerror}") from error
    deadline = time.monotonic() + _START_S
    while not (folder / "run.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            raise Infrastructure(f"the background run did not start within {_START_S:g} s and was ended; see {log}")
        time.sleep(0.02)
    print(f"{folder.name} runs in the background as process {process.pid}", f"log: {log}",
          "look at it: ./ctest.sh --status", f"end it:     ./ctest.sh --stop {folder.name}", sep="\n", flush=True)
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it has started: its session has one process group."""
    for signum, patience_s in ((signal.SIGTERM, _START_END_S), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)
            return


def run(folder: Path, log: str, words: Sequence[str], ctest_sh: Callable[[Sequence[str]], int]) -> int:
    """The body of the process of ``launch``: call ``ctest_sh``, and write its exit status into the run's folder."""
    if not folder.is_dir():
        raise BadInput(f"background {folder}: there is no such folder; ctest.sh --nohup makes one and calls this")
    status = 1
    try:
        with interruptible():
            write_json(folder / "run.json", {
                "pid": os.getpid(), "ticks": start_ticks(os.getpid()), "boot": boot_id(), "log": log,
                "folder": str(folder.resolve()), "words": words, "started": datetime.now().isoformat(" ", "seconds")})
            status = ctest_sh(words)
    except BaseException as error:
        status = getattr(error, "exit_status", status)
        raise
    finally:
        with replacing(folder / "status") as temporary:
            temporary.write_text(f"{status}\n")
    return status


def show(build: Path, lines: int) -> int:
    """Print the active runs of the build folder, the newest ended one, and the last ``lines`` of their logs."""
    runs = _runs(build)
    running = [run for run in runs if run.runs]
    ended = [run for run in runs if run not in running]
    for run in [*running, *ended[:_MOST_ENDED]]:
        tail = _tail(run.log)
        print(f"{run.name}: {_state(run)}, started {run.started}{_case(run, tail)}", f"  log: {run.log}",
              *(f"  | {line}" for line in tail[-lines:] if lines), sep="\n")
    if len(ended) > _MOST_ENDED:
        print(f"{len(ended) - _MOST_ENDED} earlier runs: {build / 'background'}")
    if not runs:
        print(f"nothing was run in the background of {build}")
    return 0


def records(build: Path) -> list[dict[str, object]]:
    """Every background run of the build folder, newest first, for a program: ``status`` is null while it runs."""
    return [{"name": run.name, "running": run.runs, "status": run.status, "pid": run.pid, "started": run.started,
             "log": str(run.log)} for run in _runs(build)]


def stop(build: Path, prefix: str) -> int:
    """End the runs whose name begins with ``prefix`` ("" or ``all``: all), as Ctrl-C does, and wait for them.

    Raises BadInput if no name matches, Infrastructure if a run does not end.
    """
    running = _running(build)
    chosen = [run for run in running if prefix in ("", "all") or run.name.startswith(prefix)]
    if not chosen and prefix not in ("", "all"):
        raise BadInput(f"--stop {prefix}: no running background run has a name that begins so; running: "
                       f"{', '.join(run.name for run in running) or 'nothing'}")
    if not chosen:
        print(f"nothing runs in the background of {build}")
    deadline = time.monotonic() + _STOP_S
    bad = []
    for run in chosen:
        try:
            os.kill(run.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue  # it ended meanwhile
        except PermissionError:
            bad.append(f"{run.name}: process {run.pid} is another user's")
    for run in chosen if not bad else []:
        while run.runs and time.monotonic() < deadline:
            time.sleep(0.02)
        if run.runs:
            bad.append(f"{run.name}: process {run.pid} does not end; see {run.log}")
        else:
            print(f"{run.name}: {_state(run)}", flush=True)
    if bad:
        raise Infrastructure("\n".join(bad))
    return 0


def _runs(build: Path) -> list[BackgroundRun]:
    """Every recorded run, the newest first. Unreadable records are named on stderr."""
    runs = []
    for path in sorted((build / "background").glob("*/run.json")):
        try:
            told = json.loads(path.read_text())
            made_as = Path(told.get("folder", path.parent))
            if made_as.exists() and not same(made_as, path.parent):  # a copy, with the checkout, of another one's run
                continue
            runs.append(BackgroundRun(path.parent, int(told["pid"]), int(told["ticks"]), str(told["boot"]),
                                      str(told["started"]), Path(told["log"])))
        except (OSError, ValueError, LookupError, TypeError):
            print(f"NOTICE: {path} is damaged and left out", file=sys.stderr)
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _running(build: Path) -> list[BackgroundRun]:
    return [run for run in reversed(_runs(build)) if run.runs]


def _state(run: BackgroundRun) -> str:
    if run.status is not None:
        return f"ended with status {run.status}"
    return f"running as process {run.pid}" if run.runs else "ended without a status (killed, or the machine restarted)"


def _case(run: BackgroundRun, tail: Sequence[str]) -> str:
    """The case that ctest started last."""
    case = next((match.group(1) for line in reversed(tail) if (match := re.match(r" +Start +\d+: (\S+)", line))), "")
    return f", case {case}" if case and run.runs else ""


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read().decode(errors="replace").splitlines()
    except OSError as error:
        return [f"(the log cannot be read: {error.strerror})"]
