"""The tree of commands: a command's name -> its module; errors -> exit status, nothing else."""

from __future__ import annotations

import importlib
import signal
import sys

from ..errors import BenchError, Infrastructure, Interrupted

#: command -> (module, function taking argv and returning an exit status)
COMMANDS = {
    "run": ("cli.run_command", "main"),
    "sweep": ("cli.sweep_command", "main"),
    "versus": ("cli.versus_command", "main"),
    "setup": ("cli.setup_command", "main"),
    "describe-params": ("cli.describe_command", "main"),
    "rerun": ("cli.rerun_command", "main"),
    "doctor": ("cli.doctor_command", "main"),
    "ctest": ("cli.ctest_command", "main"),
    "background": ("cli.background_command", "main"),
    "in-container": ("cli.node_command", "main"),
    "case": ("cli.case_command", "main"),
    "prepare": ("cli.case_command", "prepare"),
    "images": ("cli.images_command", "main"),
    "prepare-dataset": ("cli.dataset_command", "main"),
    "wsf-settings": ("cli.wsf_command", "main"),
    "detect-platform": ("cli.detect_command", "detect_platform"),
    "best-case": ("cli.detect_command", "best_case"),
    "list-kpi": ("cli.list_command", "main"),
    "compare": ("cli.compare_command", "main"),
    "report": ("cli.report_command", "main"),
    "gate": ("cli.gate_command", "main"),
    "fleet": ("cli.fleet_command", "main"),
    "reference": ("cli.reference_command", "main"),
}

#: What pyproject.toml declares; before the set-up a Python may lack it.
_LIBRARIES = ("jinja2", "matplotlib", "msgspec", "yaml")


def main(argv: list[str]) -> int:
    """Run one command; every BenchError becomes its lines on stderr and its exit status."""
    if not argv or argv[0] not in COMMANDS:
        print(f"usage: python3 -m resnet50_bench {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    module, function = COMMANDS[argv[0]]
    try:
        command = getattr(importlib.import_module(f"..{module}", __package__), function)
        return command(argv[1:])
    except BenchError as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        return _failed(Infrastructure(
            f"{argv[0]} needs what the set-up installs ({error.name} is not there): run scripts/setup.sh once, or "
            "scripts/setup.sh --host where nothing is measured"))
    except KeyboardInterrupt:
        return Interrupted(signal.SIGINT, "").exit_status


def entry_point() -> int:
    """The command ``resnet50-bench`` that ``pip install`` makes."""
    return main(sys.argv[1:])


def _failed(error: BenchError) -> int:
    for line in str(error).splitlines():
        print(f"error: {line}", file=sys.stderr, flush=True)
    return error.exit_status
