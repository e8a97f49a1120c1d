"""``run [--flag=value ...]``: one case, from parameters to log, result file and exit status."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from ..arguments import Parser
from ..case import inputs
from ..case.case import Layer, resolve
from ..case.defaults import Machine
from ..case.flags import parse_flags
from ..case.parameters import from_environment
from ..errors import BenchError
from ..launch import burst, nodes
from ..launch.run_case import run_case
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result import logfile
from ..result.logfile import Log
from ..signals import interruptible
from ..stack.environment import worker_python
from ..sweep import auto
from .parameter_flags import add_parameters
from .sweep_printer import SweepPrinter
from .tree import PROG


def parser() -> Parser:
    """The parameters; there are no other words."""
    made = Parser(f"{PROG} run", "One case on this machine: its log, its result and the instances' logs go into the "
                  "current folder.", f"{PROG} run --mode=latency --precision=amx_int8 --batch_size=1",
                  usage=f"{PROG} run [--PARAMETER=VALUE ...]")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Run the case that the flags and the environment describe, in the current folder."""
    flags, others = parse_flags(argv)
    environment = from_environment(os.environ)
    now = datetime.now(timezone.utc)
    folder = Path.cwd()
    with interruptible(), ExitStack() as stack:
        try:
            parser().parse_args(others)
            machine = Machine(read_cpu(), read_topology())
            asked = resolve([Layer("flag", flags), Layer("environment", environment)], machine)
            case_inputs = inputs.find(asked)
            python = worker_python()
            burst.copies()
            nodes.nodes()
            stack.enter_context(machine_lock.held())
            case = auto.decided(asked, machine, python, SweepPrinter())
        except BenchError as error:
            _log_refusal(folder / logfile.file_name(environment | flags, now), environment | flags, error)
            raise
        return run_case(case, case_inputs, machine.topology, python, folder, now)


def _log_refusal(path: Path, texts: Mapping[str, str], error: BenchError) -> None:
    """A log that says why nothing was run, so that kpi.sh can say it too."""
    log = Log(path, io.StringIO())
    for name, text in texts.items():
        log.line(f"{name}: {' '.join(text.split())}")
    log.line(f"LOG_FORMAT: {logfile.LOG_FORMAT}")
    log.line(f"RESULT: failed: {'; '.join(str(error).splitlines())}")
    log.close()
