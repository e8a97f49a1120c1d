"""Everything that CI runs, as stages; scripts/test.sh is its door and says how it is called.

A stage is a row of STAGES. Plain Python 3.10 runs them, with tests on the PYTHONPATH.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from support import docker_images, packages

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: So long may a stage take to end the engines and containers of its tests after a signal.
PATIENCE_S = 60.0
#: In a command: the Python that scripts/setup.sh --tools sets up, when the first stage needs it.
PYTHON = "PYTHON"
#: Two processes at once. Each has half of the tests, in their order, for what those of a file prepare together; whoever
#: is done first takes over from the other's end. With whole files one process waited for the other's last.
PYTEST, TWO = (PYTHON, "-m", "pytest", "-rs"), ("-n", "2", "--dist", "worksteal")
#: What runs beside others is not judged by its speed: a warm-up would look 20 s for steady step times in vain. Two
#: measurements on the same cores took half as much processor time again while their threads spun.
ASIDE = {"WARMUP_STEPS": "0", "CUSTOMER_ENV": "OMP_WAIT_POLICY=passive"}


@dataclass(frozen=True)
class Stage:
    """``beside``: what follows begins at once. ``alone``: it waits until nothing else runs."""

    name: str
    command: Sequence[str]
    beside: bool = False
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


IMAGES = Stage("images", (sys.executable, "-m", "support.docker_images", "build"), beside=True,
               environment={"PYTHONPATH": "src:tests"})
STAGES = (
    IMAGES,  # begins before the set-up
    Stage("container tests", (*PYTEST, "--durations=15", "-m", "container and not slow", "tests/container"),
          beside=True, environment=ASIDE),
    Stage("style", (PYTHON, "-m", "ruff", "check", ".")),
    Stage("types", (PYTHON, "-m", "mypy"), beside=True),
    Stage("program tests", (*PYTEST, *TWO, "--durations=5", "-m", "program", "tests/program")),
    # These wait for most of their time: not while the images keep the cores busy.
    Stage("scheduler tests", (*PYTEST, "--durations=15", "-m", "scheduler and not slow", "tests/scheduler"),
          beside=True, environment=ASIDE),
    # Most of a case is imports and first calls by one thread: two at once use both cores.
    Stage("engine tests", (*PYTEST, *TWO, "--durations=30", "-m", "engine and not quiet and not slow", "tests/engine"),
          environment=ASIDE),
    Stage("AMX tests", (*PYTEST, *TWO, "--durations=5", "-m", "amx", "tests/amx"), environment=ASIDE),
    Stage("unit tests", (*PYTEST, *TWO, "--durations=5"), alone=True),
    Stage("engine tests that need the machine to themselves",
          (*PYTEST, "--durations=10", "-m", "quiet and not slow", "tests/engine"), alone=True),
)
#: command -> (Debian's package, what tests use it for)
TOOLS = {"shellcheck": ("shellcheck", "checks the shell scripts"), "m4": ("m4", "fills WSF's templates"),
         "gcc": ("gcc", "builds the AMX emulator"), "make": ("make", "the same"),
         "gawk": ("gawk", "runs kpi.sh"), "mawk": ("mawk", "runs kpi.sh"), "busybox": ("busybox", "runs kpi.sh")}
#: The set-up and the container tests, beside each other, would install these one after the other.
TOOLS_OF_ALL = TOOLS | {"dockerd": ("docker.io", "runs the container tests; its engine is ended after them"),
                        "debootstrap": ("debootstrap", "makes the images' base"),
                        "numactl": ("numactl", "places memory")}


def stages_for(words: Sequence[str]) -> Sequence[Stage]:
    """Those that the command line asks for."""
    if words[:1] == ["--slow"]:
        return [Stage("slow tests", (*PYTEST, "-m", "slow", "--durations=0", *words[1:]))]
    return [Stage("chosen tests", (*PYTEST, "-m", "not slow", "--durations=20", *words))] if words else STAGES


def install(tools: Mapping[str, tuple[str, str]]) -> None:
    """Say what is missing and what it is for, and install it; nothing where apt-get would ask, or there is none."""
    lacking = [row for command, row in tools.items() if not shutil.which(command)]
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        print("tests: apt-get installs", *(f"  {name}: {use}" for name, use in lacking), sep="\n", flush=True)
        if why_not := packages.missing("them", *(name for name, _ in lacking)):
            sys.exit(f"tests: {why_not}")


@functools.cache
def tools_python() -> str:
    done = subprocess.run(["scripts/setup.sh", "--tools"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else sys.exit("tests: the set-up failed")


class Running:
    """A stage that has begun, in a process group of its own, so that a signal reaches all that it started."""

    def __init__(self, stage: Stage) -> None:
        command = [tools_python() if word == PYTHON else word for word in stage.command]
        print(f"== {stage.name}" + (": begun, beside what follows" if stage.beside else ""), flush=True)
        self.name, self.line, self._began = stage.name, "", time.monotonic()
        self._output = tempfile.TemporaryFile() if stage.beside else None  # noqa: SIM115 (as long as it runs)
        self.process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, env={**os.environ, **stage.environment},
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output and subprocess.STDOUT)
        # Not the thread's own join(): a signal's exception in it makes Python 3.11 take the thread for ended.
        self.ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        status, seconds = self.process.wait(), time.monotonic() - self._began
        outcome = "passed in" if status == 0 else f"FAILED (status {status}) after"
        self.line = f"{self.name}: {outcome} {seconds:.0f} s"
        self.ended.set()

    def join(self) -> None:
        """Wait for it, and say what it said."""
        self.ended.wait()
        if self._output:
            print(f"== {self.name}", flush=True)
            self._output.seek(0)
            shutil.copyfileobj(self._output, sys.stdout.buffer)
        print(f"== {self.line}", flush=True)


def end_all(running: Sequence[Running]) -> None:
    """As Ctrl-C does, so that tests clear up; what does not end then is killed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        alive = [one for one in running if not one.ended.is_set()]
        for one in alive:
            os.killpg(one.process.pid, number)
        for one in alive:
            one.ended.wait(PATIENCE_S)


def run_all(stages: Sequence[Stage]) -> bool:
    """Whether every stage passed, after a summary; however it ends, nothing stays."""
    began = time.monotonic()
    os.environ[packages.MARK] = mark = f"{os.getpid()}-{time.time_ns()}"
    running: list[Running] = []
    beside: list[Running] = []
    try:
        for stage in stages:
            while stage.alone and beside:
                beside.pop(0).join()
            running.append(Running(stage))
            if stage.beside:
                beside.append(running[-1])
            else:
                running[-1].join()
        for one in beside:
            one.join()
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        end_all(running)
        if IMAGES in stages:
            docker_images.stop_engine()
        end_marked(mark)
    print(f"== summary ({time.monotonic() - began:.0f} s)", *(one.line for one in running), sep="\n")
    return all(one.process.returncode == 0 for one in running)


def end_marked(mark: str) -> None:
    """Ask each process that has the mark in its environment to end, then kill it; they are named."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, command in marked(mark):
            print(f"tests: was left behind, gets {number.name}: {pid} {command[:100]}", file=sys.stderr)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + PATIENCE_S
        while marked(mark) and time.monotonic() < deadline:
            time.sleep(0.1)


def marked(mark: str) -> list[tuple[int, str]]:
    """(pid, command line) of each process that has the mark in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is another user's
            if f"{packages.MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((int(folder.name), " ".join((folder / "cmdline").read_text().replace("\0", " ").split())))
    return found


def exit_by(number: int, _: FrameType | None) -> None:
    print(f"tests: ended by {signal.Signals(number).name}", file=sys.stderr, flush=True)
    sys.exit(128 + number)


def main(words: Sequence[str]) -> int:
    """0 where every stage passed, 1 where one did not, 128 + N where signal N ended all."""
    # With the first each process of the tests would compile what it imports; the second is for this one.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        os.environ.pop(name, None)
    for number in SIGNALS:
        signal.signal(number, exit_by)
    install(TOOLS if words else TOOLS_OF_ALL)
    return 0 if run_all(stages_for(words)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
