"""The tree of commands: a command's name -> its module; errors -> exit status, nothing else."""

from __future__ import annotations

import errno
import importlib
import io
import os
import select
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import BadInput, BenchError, Infrastructure, Interrupted
from ..files import readable
from ..spelling import nearest
from ..variables import refuse_unknown

PROG = "resnet50-bench"


@dataclass(frozen=True)
class Command:
    """``module``'s ``function`` takes the words after the name and returns an exit status; no ``about``: hidden."""

    module: str
    about: str = ""
    function: str = "main"


#: By the group that the overview shows them in.
_GROUPS: Mapping[str, Mapping[str, Command]] = {
    "measure": {
        "run": Command("cli.run_command", "run one case on this machine, in the current folder"),
        "sweep": Command("cli.sweep_command", "find the best batch size and cores per instance of each precision"),
        "versus": Command("cli.versus_command", "compare settings in alternating order until the faster one is known"),
        "engines": Command("cli.engines_command", "find the fastest engine and stack on this machine"),
        "rerun": Command("cli.rerun_command", "run a result again with the same settings, and compare"),
        "ctest": Command("cli.ctest_command", "list and run the matrix of cases (./ctest.sh)"),
    },
    "look at results": {
        "list": Command("cli.list_command", "list the KPIs of earlier runs"),
        "compare": Command("cli.compare_command", "compare two results, or two folders of repeated runs"),
        "report": Command("cli.report_command", "write one HTML file about all results"),
        "fleet": Command("cli.fleet_command", "compare the nodes that ran the same case"),
    },
    "guard against regressions": {
        "gate": Command("cli.gate_command", "judge the newest results; exit status 4 at a regression"),
        "reference": Command("cli.reference_command", "make reference values from results"),
    },
    "runs in the background": {
        "status": Command("cli.background_command", "show background runs and their progress", "status"),
        "stop": Command("cli.background_command", "end background runs", "stop"),
    },
    "this machine": {
        "setup": Command("cli.setup_command", "install PyTorch, IPEX, jemalloc and numactl"),
        "doctor": Command("cli.doctor_command", "show what would disturb a measurement"),
        "images": Command("cli.images_command", "build the container images (./build.sh)"),
        "dataset": Command("cli.dataset_command", "unpack ImageNet's tar into class folders"),
    },
    "words": {
        "parameters": Command("cli.facts_command", "list every parameter, its values and its default", "parameters"),
        "completion": Command("cli.completion_command", "print a completion script for bash or zsh"),
    },
    "": {
        "background": Command("cli.background_command"),
        "in-container": Command("cli.node_command"),
        "case": Command("cli.case_command"),
        "prepare": Command("cli.case_command", function="prepare"),
        "result-schema": Command("cli.facts_command", function="result_schema"),
        "wsf-settings": Command("cli.wsf_command"),
        "detect-platform": Command("cli.facts_command", function="detect_platform"),
        "best-case": Command("cli.facts_command", function="best_case"),
    },
}
COMMANDS: dict[str, Command] = {name: command for group in _GROUPS.values() for name, command in group.items()}
SHOWN = tuple(name for name, command in COMMANDS.items() if command.about)

#: The dependencies in pyproject.toml. A Python may lack them before the set-up.
_LIBRARIES = ("jinja2", "markupsafe", "msgspec", "vl_convert", "yaml")
#: Errors of the machine, not of the program, with the remedy.
_MAY_WRITE = "use a folder and files that you may read and write"
_OF_THE_MACHINE = {
    errno.EROFS: _MAY_WRITE, errno.EACCES: _MAY_WRITE, errno.EPERM: _MAY_WRITE, errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space", errno.EMFILE: "raise ulimit -n", errno.ENFILE: "run fewer programs at once",
    errno.ENOMEM: "free some memory", errno.ENAMETOOLONG: "use a shorter name"}


def main(argv: list[str] | None = None) -> int:
    """Run one command (default: of this process); every BenchError becomes its lines on stderr and its exit status."""
    _open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal's encoding lacks is escaped, as on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _status(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return 128 + signal.SIGPIPE if status == 0 and _stdout_is_broken() else status
    except BrokenPipeError:
        if not _stdout_is_broken():
            raise  # another pipe: a defect
        # ``... | head``: Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


def _open_standard_streams() -> None:
    """Open the standard streams that the caller closed. Otherwise the next opened file would get what is printed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - the lowest free number, as long as we run


def _status(argv: list[str]) -> int:
    try:
        return _run(argv)
    except BenchError as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        command = COMMANDS.get(argv[0])
        if command and command.about and {"--help", "-h"} & {*argv[1:]}:
            print(f"{PROG} {argv[0]}: {command.about}\nRun scripts/setup.sh first to see the full help.")
            return 0
        return _failed(Infrastructure(
            f"{argv[0]} needs the package {error.name}, which is not installed. Run scripts/setup.sh once, or "
            "scripts/setup.sh --host if this host measures nothing"))
    except OSError as error:
        return _failed(Infrastructure(_what_the_machine_said(error)))
    except SystemExit as ended:  # argparse's, after --help and --version
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return Interrupted(signal.SIGINT, "").exit_status


def _what_the_machine_said(error: OSError) -> str:
    """A line with the cause and the remedy. Raises ``error`` again if it may be a defect of the program."""
    if isinstance(error, FileNotFoundError) and not Path("/proc/self/cwd").resolve().is_dir():  # "/folder (deleted)"
        return "the current folder was removed: change to another folder"
    if error.errno not in _OF_THE_MACHINE:
        raise error
    return f"{error.filename or 'the machine'}: {error.strerror}; {_OF_THE_MACHINE[error.errno]}"


def _failed(error: BenchError) -> int:
    for notice in error.notices if isinstance(error, BadInput) else ():
        print(f"NOTICE: {readable(notice)}", file=sys.stderr, flush=True)
    for line in readable(str(error)).splitlines():
        print(f"error: {line}", file=sys.stderr, flush=True)
    return error.exit_status


def _run(argv: list[str]) -> int:
    name, *words = argv or ["--help"]
    if name in ("--help", "-h"):
        print(overview(), end="")
        return 0 if argv else 2
    if name == "--version" or words[:1] == ["--version"] and name != "ctest" and name in COMMANDS:
        print(f"{PROG} {__version__}")
        return 0
    command = COMMANDS.get(name)
    if not command:
        kind = "an option" if name.startswith("-") else "a command"
        raise BadInput(f"{name} is not {kind}{nearest(name, SHOWN)}; see {PROG} --help")
    refuse_unknown(os.environ)
    function = getattr(importlib.import_module(f"..{command.module}", __package__), command.function)
    return int(function(words))


def overview() -> str:
    """The text of ``--help``."""
    lines = [f"usage: {PROG} COMMAND [WORDS ...]", "", "Benchmark ResNet50 inference and training on CPUs, with "
             "numbers that you can trust."]
    for group, commands in _GROUPS.items():
        if group:
            lines += ["", f"{group}:", *(f"  {name:<12}{command.about}" for name, command in commands.items())]
    return "\n".join([*lines, "", f"{PROG} COMMAND --help shows the options and an example. Options: --help, --version",
                      ""])


def _stdout_is_broken() -> bool:
    """Whether the reader of stdout is gone."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
