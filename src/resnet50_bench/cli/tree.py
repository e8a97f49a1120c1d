"""The tree of commands: a command's name -> its module; errors -> exit status, nothing else.

A command that needs more than the standard library starts over with the environment's Python where this one lacks it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

from ..errors import BenchError, Infrastructure, Interrupted

#: Set while a command starts over, so that it does so once.
_STARTED_OVER = "RESNET50_BENCH_STARTED_OVER"

#: command -> (module, function taking argv and returning an exit status)
COMMANDS = {
    "run": ("cli.run_command", "main"),
    "sweep": ("cli.sweep_command", "main"),
    "versus": ("cli.versus_command", "main"),
    "env": ("stack.environment", "main"),
    "describe-params": ("cli.describe_command", "main"),
    "rerun": ("cli.rerun_command", "main"),
    "doctor": ("cli.doctor_command", "main"),
    "ctest": ("cli.ctest_command", "main"),
    "background": ("cli.background_command", "main"),
    "in-container": ("cli.node_command", "main"),
    "case": ("cli.case_command", "main"),
    "prepare": ("cli.case_command", "prepare"),
    "images": ("cli.images", "main"),
    "prepare-dataset": ("cli.dataset_tool", "main"),
    "wsf-settings": ("cli.wsf_command", "main"),
    "detect-platform": ("cli.detect", "detect_platform"),
    "best-case": ("cli.detect", "best_case"),
    "list-kpi": ("cli.list_command", "main"),
    "compare": ("cli.compare_command", "main"),
    "report": ("cli.report_command", "main"),
    "gate": ("cli.gate_command", "main"),
    "fleet": ("cli.fleet_command", "main"),
    "reference": ("cli.reference_command", "main"),
}


def main(argv: list[str]) -> int:
    """Run one command; every BenchError becomes its lines on stderr and its exit status."""
    if not argv or argv[0] not in COMMANDS:
        print(f"usage: python3 -m resnet50_bench {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    module, function = COMMANDS[argv[0]]
    try:
        return int(_command(module, function, argv)(argv[1:]))
    except BenchError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr, flush=True)
        return error.exit_status
    except KeyboardInterrupt:
        return Interrupted(signal.SIGINT, "").exit_status


def _command(module: str, function: str, argv: list[str]) -> Callable[[list[str]], int]:
    """The function. Does not return where this Python lacks what it imports and the environment has it."""
    started_over = os.environ.pop(_STARTED_OVER, "")
    try:
        there = importlib.import_module(f"..{module}", __package__)
        return cast("Callable[[list[str]], int]", getattr(there, function))
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
        if started_over:
            raise Infrastructure(f"{sys.executable} lacks {error.name}: run scripts/setup.sh once") from error
        _start_over(argv)


def _start_over(argv: list[str]) -> NoReturn:
    """Raises Infrastructure where there is no environment, naming what makes it."""
    from ..stack.environment import worker_python

    python = worker_python()
    source = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    os.execve(python, [str(python), "-m", "resnet50_bench", *argv],
              os.environ | {_STARTED_OVER: "1", "PYTHONPATH": path})
