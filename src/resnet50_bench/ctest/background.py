"""ctest.sh's words enter and run on without the terminal; files below the build folder say how such runs fare.

Each has a folder ``<build>/background/<name>/``: ``run.json`` (who it is), ``status`` (its exit status, once it has
ended), and ``log`` where the user names no other file.
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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import BadInput, Infrastructure
from ..machine.process_facts import start_ticks
from .build_folder import same
from .options import Options

_START_S = 20.0
_START_END_S = 5.0
#: A case is given 20 s to end, some backends' clean-up comes on top.
_STOP_S = 60.0
#: Enough of a log's end to find the running case and the last lines in.
_TAIL_BYTES = 4_000_000
_MOST_ENDED = 10


@dataclass(frozen=True)
class BackgroundRun:
    """A background run. ``ticks`` is the process's start in clock ticks since the boot ``boot``: a process id alone
    may have been given to another process since."""

    folder: Path
    pid: int
    ticks: int
    boot: str
    started: str
    log: Path

    @property
    def name(self) -> str:
        """What --stop's PREFIX is compared with."""
        return self.folder.name

    @property
    def status(self) -> int | None:
        """Its exit status; None where it has not told one."""
        try:
            return int((self.folder / "status").read_text())
        except (OSError, ValueError):
            return None

    @property
    def runs(self) -> bool:
        """Whether the very process that was started is still there."""
        return self.status is None and self.boot == boot_id() and self.ticks == start_ticks(self.pid)


def launch(build: Path, options: Options) -> int:
    """Start ``ctest.sh`` with the same words in a session of its own; returns as soon as it runs."""
    asked = options.background_log
    folder = _make_folder(build, Path(asked or options.testcase or options.testset or "ctest").stem)
    log = Path(asked).absolute() if asked else folder / "log"
    for other in _runs(build):
        if other.runs:
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


def show(build: Path, lines: int) -> int:
    """Print every run of the build folder that runs, the newest that ended, and the last ``lines`` of their logs."""
    runs = sorted(_runs(build), key=lambda run: run.started, reverse=True)
    ended = [run for run in runs if not run.runs]
    for run in [*(run for run in runs if run not in ended), *ended[:_MOST_ENDED]]:
        tail = _tail(run.log)
        print(f"{run.name}: {_state(run)}, started {run.started}{_case(run, tail)}", f"  log: {run.log}",
              *(f"  | {line}" for line in tail[-lines:] if lines), sep="\n")
    if len(ended) > _MOST_ENDED:
        print(f"{len(ended) - _MOST_ENDED} earlier ones: {build / 'background'}")
    if not runs:
        print(f"nothing was run in the background of {build}")
    return 0


def records(build: Path) -> list[dict[str, object]]:
    """Every background run of the build folder, newest first, for a program: ``status`` is null while it runs."""
    runs = sorted(_runs(build), key=lambda run: run.started, reverse=True)
    return [{"name": run.name, "running": run.runs, "status": run.status, "pid": run.pid, "started": run.started,
             "log": str(run.log)} for run in runs]


def stop(build: Path, prefix: str) -> int:
    """End what runs and begins with ``prefix`` (empty or ``all``: everything), as Ctrl-C does, and wait for it.

    Raises BadInput where nothing begins so, Infrastructure where one does not end.
    """
    running = [run for run in _runs(build) if run.runs]
    chosen = [run for run in running if prefix in ("", "all") or run.name.startswith(prefix)]
    if not chosen and prefix not in ("", "all"):
        raise BadInput(f"--stop {prefix}: no running name begins with it; running: "
                       f"{', '.join(run.name for run in running) or 'nothing'}")
    if not chosen:
        print(f"nothing runs in the background of {build}")
    deadline = time.monotonic() + _STOP_S
    bad = [why for run in chosen if (why := _signal(run))]
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


def _signal(run: BackgroundRun) -> str:
    """Tell it to end; why that cannot be, or nothing."""
    try:
        os.kill(run.pid, signal.SIGTERM)
    except ProcessLookupError:
        return ""  # it ended meanwhile
    except PermissionError:
        return f"{run.name}: process {run.pid} is another user's"
    return ""


def _make_folder(build: Path, label: str) -> Path:
    """``<label>-<stamp>``, made for one run alone."""
    label = re.sub(r"[^A-Za-z0-9_.]+", "-", label).strip("-.") or "ctest"
    for number in range(1, 1000):
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = build / "background" / (f"{label}-{stamp}" + (f"-{number}" if number > 1 else ""))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise Infrastructure(f"{folder} cannot be made: {error.strerror}") from error
    raise Infrastructure(f"no free name for a background run in {build / 'background'}")


def _runs(build: Path) -> Iterator[BackgroundRun]:
    """Every run that is told of; what cannot be read is named on stderr."""
    for path in sorted((build / "background").glob("*/run.json")):
        try:
            told = json.loads(path.read_text())
            made_as = Path(told.get("folder", path.parent))
            if made_as.exists() and not same(made_as, path.parent):  # a copy, with the checkout, of another one's run
                continue
            yield BackgroundRun(path.parent, int(told["pid"]), int(told["ticks"]), str(told["boot"]),
                                str(told["started"]), Path(told["log"]))
        except (OSError, ValueError, LookupError, TypeError):
            print(f"NOTICE: {path} is damaged and left out", file=sys.stderr)


def _state(run: BackgroundRun) -> str:
    if run.status is not None:
        return f"ended with status {run.status}"
    return f"running as process {run.pid}" if run.runs else "ended without a status (killed, or the machine restarted)"


def _case(run: BackgroundRun, tail: Sequence[str]) -> str:
    """What ctest has started last."""
    case = next((match.group(1) for line in reversed(tail) if (match := re.match(r" +Start +\d+: (\S+)", line))), "")
    return f", case {case}" if case and run.runs else ""


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read().decode(errors="replace").splitlines()
    except OSError as error:
        return [f"(the log cannot be read: {error.strerror})"]


def boot_id() -> str:
    """What the kernel names this start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
