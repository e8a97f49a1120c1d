"""The command line: a command's name -> its module; errors -> exit status, nothing else."""

from __future__ import annotations

import importlib
import signal
import sys

from .errors import BenchError, Interrupted

#: command -> (module, function taking argv and returning an exit status)
COMMANDS = {
    "run": ("run_command", "main"),
    "sweep": ("sweep.command", "main"),
    "versus": ("versus.command", "main"),
    "env": ("environment", "main"),
    "describe-params": ("describe_command", "main"),
    "rerun": ("rerun_command", "main"),
    "doctor": ("doctor_command", "main"),
    "ctest": ("hostside.ctest_command", "main"),
    "background": ("hostside.background", "main"),
    "in-container": ("hostside.node_command", "main"),
    "case": ("hostside.case_command", "main"),
    "prepare": ("hostside.case_command", "prepare"),
    "images": ("hostside.images", "main"),
    "prepare-dataset": ("dataset_tool", "main"),
    "wsf-settings": ("hostside.wsf_command", "main"),
    "detect-platform": ("hostside.quick", "detect_platform"),
    "best-case": ("hostside.quick", "best_case"),
    "list-kpi": ("hostside.list_command", "main"),
    "compare": ("hostside.compare_command", "main"),
    "report": ("hostside.report.command", "main"),
    "gate": ("hostside.gate_command", "main"),
    "fleet": ("hostside.fleet_command", "main"),
    "reference": ("hostside.reference_command", "main"),
}


def main(argv: list[str]) -> int:
    """Run one command; every BenchError becomes its lines on stderr and its exit status."""
    if not argv or argv[0] not in COMMANDS:
        print(f"usage: python3 -m resnet50_bench {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    module, function = COMMANDS[argv[0]]
    try:
        command = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        return command(argv[1:])
    except BenchError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr, flush=True)
        return error.exit_status
    except KeyboardInterrupt:
        return Interrupted(signal.SIGINT, "").exit_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
