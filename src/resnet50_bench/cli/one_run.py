"""The texts of ``run``'s flags and the environment enter; one case is run in the current folder, its status leaves."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import datetime, timezone
from pathlib import Path

from ..case import inputs
from ..case.case import Layer, option_of, resolve
from ..case.defaults import Machine, complete
from ..case.parameters import CATALOGUE, from_environment
from ..engines import memory
from ..errors import BenchError, Infrastructure
from ..launch.plan import Surroundings
from ..launch.run_case import run_case
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result import logfile
from ..result.ended import Ended
from ..result.logfile import Log
from ..result.result import Result
from ..signals import interruptible
from ..stack.environment import StackChoice
from ..sweep import auto
from .result_card import show_run
from .sweep_printer import SweepPrinter


def run(flags: Mapping[str, str], variables: Mapping[str, str]) -> Result:
    """Run the case and return its result. Raises BenchError, of which the folder then has a log."""
    choice = StackChoice.of(variables)
    now = datetime.now(timezone.utc)
    with interruptible(), ExitStack() as stack:
        try:
            cpu = read_cpu()
            machine = Machine(cpu, read_topology(), memory.known(cpu.name, choice))
            asked = resolve([Layer("flag", flags), Layer("environment", from_environment(variables))], machine)
            case_inputs = inputs.find(asked)
            python = choice.worker_python(asked.stack)
            surroundings = Surroundings.of(variables)
            stack.enter_context(machine_lock.held())
            case = auto.decided(asked, machine, python, surroundings, SweepPrinter())
        except BenchError as error:
            log_refusal(flags, variables, error, now)
            raise
        path = Path.cwd() / logfile.file_name(case.texts(), now)
        try:
            result = run_case(case, case_inputs, machine.topology, python, path.parent, now, surroundings)
        except BenchError as error:
            show_run(Ended(option_of(case), error.exit_status, str(error)), flags, path)
            raise
        show_run(Ended(option_of(case), 0), flags, path)
        return result


def log_refusal(flags: Mapping[str, str], variables: Mapping[str, str], error: BenchError,
                now: datetime | None = None) -> None:
    """A log in the current folder that says why nothing was run, so that kpi.sh can say it too."""
    texts = {name: text for name, text in (from_environment(variables) | dict(flags)).items() if text.strip()}
    path = Path.cwd() / logfile.file_name(_with_defaults(texts), now or datetime.now(timezone.utc))
    with suppress(Infrastructure):  # where no log can be written, what is told is still why nothing was run
        log = Log(path, io.StringIO())
        for name, text in texts.items():
            log.line(f"{name}: {' '.join(text.split())}")
        log.line(f"LOG_FORMAT: {logfile.LOG_FORMAT}")
        log.line(f"RESULT: failed: {'; '.join(str(error).splitlines())}")
        log.close()


def _with_defaults(texts: Mapping[str, str]) -> dict[str, str]:
    """What was typed, as it was typed, and the defaults of this machine as far as they can be told."""
    given: dict[str, object] = {}
    for name, text in texts.items():
        with suppress(KeyError, ValueError):
            given[name] = CATALOGUE[name].parse(text.strip())
    chosen: Mapping[str, object] = {}
    with suppress(BenchError):  # a machine that cannot be read may be what is told of
        chosen = complete(given, Machine(read_cpu(), read_topology())).chosen
    return {name: str(value) for name, value in chosen.items()} | dict(texts)
