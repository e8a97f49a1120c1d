"""One call of ctest, planned from our options, and an environment -> its status and those of its cases."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Infrastructure, Interrupted, RunFailed
from ..launch.surroundings import STATE_VARIABLE, TERMINAL_VARIABLE
from ..signals import end_with_parent, interruptible, shell_status
from . import ctest_words
from .build_folder import results_folder
from .choice import CasesDocument, Choice, choose
from .command_line import Item, Owner
from .config import config_notice
from .handover import VARIABLE, CaseRecord, Overrides, read_records, status_of_all
from .options import Options, repeatable
from .outlook import Watch, forecast, last_durations, telling

#: The variables kept by --noenv: those that programs need to start, and those with our own paths.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "TERM", "KUBECONFIG")
_KEPT_PREFIXES = ("RESNET50_BENCH_", "XDG_", "DOCKER_", "PIP_", "SSL_")
_NOT_REPEATED = (*ctest_words.CHOOSING, *ctest_words.NARROWING, "--testcase", "--testset", "--nohup", "--daemon")
#: Time for cases to clean up after a signal: reaping workers takes up to 12 s.
GRACE_S = 20.0
#: Seconds to wait for a process that outlives ctest and keeps its output open.
_READING_S = 5.0
#: ctest stores only 1 KB of a passed test's output. A log with its KPIs is longer.
_OUTPUT_BYTES = "1000000"


@dataclass(frozen=True)
class CtestOutcome:
    """``status``: ctest.sh's exit status. ``cases``: the started cases."""

    status: int
    cases: Sequence[CaseRecord] = ()


@dataclass(frozen=True)
class CtestJob:
    """One call with its options and overrides. ``document`` is the testset's document, if it is from one."""

    options: Options
    overrides: Overrides
    document: CasesDocument | None = None

    def prepare(self) -> Choice:
        """Choose the cases to run. Raises BadInput if there are none."""
        return choose(self.options, self.document)

    def run(self, environment: Mapping[str, str],
            hear: Callable[[Sequence[CaseRecord]], None] = lambda _: None) -> CtestOutcome:
        """Run ctest in the caller's ``environment``, or what --noenv leaves of it. ``hear`` is told of the cases that
        were started however this ends. Raises Infrastructure before the set-up, which ctest would hide."""
        if not self.options.lists:
            require_set_up()
        choice = self.prepare()
        sizes = [word for name in ("passed", "failed") for word in (f"--test-output-size-{name}", _OUTPUT_BYTES)]
        for_cases = cases_environment(self.options, environment)
        if sys.stdout.isatty():
            for_cases[TERMINAL_VARIABLE] = os.ttyname(sys.stdout.fileno())
        with tempfile.TemporaryDirectory(prefix="resnet50-bench-") as scratch:
            file = Path(scratch) / "overrides.json"
            overrides = replace(self.overrides, statuses=f"{scratch}/statuses", stop_file=f"{scratch}/stop",
                                started=f"{scratch}/started", named=choice.is_named)
            overrides.write(file)
            for_cases |= {VARIABLE: str(file), STATE_VARIABLE: f"{scratch}/progress"}
            try:
                with telling(self._watch(choice, overrides, for_cases)):
                    status = _run_ctest([*sizes, *choice.words, *self.options.for_ctest], choice.build, for_cases,
                                        overrides, self.options.brief)
            finally:
                ended = read_records(Path(overrides.statuses))
                for record in ended:
                    record.variables, record.words = repeated(self.options)
                hear(ended)
        outcome = CtestOutcome(status_of_all(ended, status, choice.build), ended)
        if self.overrides.gate and not ended and not self.options.lists and not outcome.status:
            raise RunFailed(f"--gate {self.overrides.gate}: no case was run, so nothing was compared; choose cases by "
                            "-R, ./ctest.sh -N lists them")
        return outcome

    def _watch(self, choice: Choice, overrides: Overrides, for_cases: Mapping[str, str]) -> Watch | None:
        """What is told while cases run, after what can be said before; None where nothing is to be shown or runs."""
        if self.options.lists or self.options.dry_run or self.options.quiet:
            return None
        if notice := config_notice(self.options.config, overrides.config, choice.cases):
            print(notice, flush=True)
        rounds = -(-len(overrides.points) // overrides.burst)
        known = last_durations(results_folder())
        if len(choice.cases) > 1:
            print(forecast(choice.cases, known, rounds), flush=True)
        loud = {*ctest_words.VERBOSE, *ctest_words.EXTRA_VERBOSE} & {item.name for item in self.options.items}
        return Watch(choice.cases, known, rounds, Path(overrides.started), Path(for_cases[STATE_VARIABLE]),
                     Path(overrides.statuses), bool(loud) or TERMINAL_VARIABLE in for_cases)


def require_set_up() -> None:
    """Raises Infrastructure if this Python cannot run a case."""
    if importlib.util.find_spec("msgspec") is None:
        raise Infrastructure("the set-up is missing. Run scripts/setup.sh once, or scripts/setup.sh --host if this "
                             "machine measures nothing")


def repeated(options: Options) -> tuple[dict[str, str], list[str]]:
    """(the caller's variables, the words) of this call, without those that choose cases or the background."""
    typed = {item.name.lower() for item in options.items}
    texts = {**({} if options.noenv else options.environment), **options.settings}
    variables = {name: text for name, text in texts.items()
                 if text.strip() and not {name.lower(), f"--{name.lower()}"} & typed}
    kept = [item for item in options.items if item.name not in _NOT_REPEATED
            and (item.name, item.value) != ("--run", "1")]  # the card may add another --run
    last = {item.name: item for item in kept}
    return variables, [word for item in kept if item is last[item.name] or item.name in repeatable()
                       for word in _joined(item)]


def _joined(item: Item) -> Sequence[str]:
    """The words as typed, a parameter and its value in one."""
    return ["=".join(item.words)] if item.owner is Owner.PARAMETER else item.words


def cases_environment(options: Options, environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, or with --noenv what is kept of it, and the settings of this call."""
    return {name: text for name, text in environment.items()
            if not options.noenv or name in _KEPT or name.startswith(_KEPT_PREFIXES)} | dict(options.settings)


def _run_ctest(words: Sequence[str], build: Path, environment: dict[str, str], overrides: Overrides,
               brief: bool) -> int:
    """Run ctest, and return its exit status. At a signal the running case ends itself and leaves nothing."""
    with interruptible(), ExitStack() as stack:
        ctest = subprocess.Popen([shutil.which("ctest") or "ctest", *words], cwd=build, env=environment,
                                 start_new_session=True, stdout=subprocess.PIPE if brief else None, text=True,
                                 errors="replace", preexec_fn=end_with_parent)
        if ctest.stdout:
            from . import brief_output  # reads results, which the set-up makes possible

            reader = threading.Thread(target=brief_output.pass_on, args=(ctest.stdout, sys.stdout), daemon=True)
            reader.start()
            stack.callback(reader.join, _READING_S)
        try:
            return shell_status(ctest.wait())
        except Interrupted as interrupted:
            # ctest itself goes on a little, so that what the ending case says is still read.
            Path(overrides.stop_file).touch()
            _signal(_others(ctest.pid), interrupted.exit_status - 128)
            _wait_until(lambda: not _others(ctest.pid), GRACE_S)
            _wait_until(lambda: ctest.poll() is not None, 0.5)
            _signal([ctest.pid, *_others(ctest.pid)], signal.SIGKILL)
            ctest.wait()
            raise


def _others(group: int) -> list[int]:
    """The members of a process group besides its leader, zombies left out."""
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        if int(pgrp) == group and state != "Z" and int(stat.parent.name) != group:
            pids.append(int(stat.parent.name))
    return pids


def _signal(pids: Sequence[int], signum: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def _wait_until(done: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
