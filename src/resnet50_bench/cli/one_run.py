"""The flags of ``run`` and the environment -> one case, run in the current folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from ..case import inputs
from ..case.case import Layer, option_of, resolve
from ..case.parameters import from_environment
from ..engines import memory
from ..errors import BenchError
from ..launch.refusal import log_refusal
from ..launch.run_case import run_case
from ..launch.surroundings import Surroundings
from ..machine import machine_lock
from ..result import logfile
from ..result.ended import Ended
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
            machine = memory.this_machine(choice)
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
