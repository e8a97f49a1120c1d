"""``engines``: every engine on every stack that is set up, at each precision this CPU runs, by turns -> one table.

Each is measured at its own best batch and cores, found by a short search, as BATCH_SIZE=auto does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from ..arguments import Parser, number_of
from ..case import platforms
from ..case.defaults import Machine
from ..case.flags import parse_flags
from ..case.parameters import CATALOGUE
from ..case.precision import PRECISIONS
from ..ctest.build_folder import new_results
from ..errors import BadInput, RunFailed
from ..files import write_json
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..signals import interruptible
from ..sweep import known_engines
from ..versus import engines_table
from ..versus.engines_table import Row
from ..versus.rounds import Rules
from ..versus.words import SURROUNDINGS
from . import engines_match, versus_command
from .parameter_flags import add_parameters
from .tree import PROG

_MOST_ROUNDS = 5
TABLE, DOCUMENT = "engines.txt", "engines.json"
#: What is compared: a flag for one of them would make all sides the same.
_OURS = ("TORCH_TYPE", "QCONF", "WEIGHT_SHARING", "FUNCTION")


def parser() -> Parser:
    """The options."""
    made = Parser(f"{PROG} engines", "Measure every engine (TORCH_TYPE) on every stack that is set up, at each "
                  "precision that this CPU runs, by turns at each one's best batch and cores; name the fastest.",
                  f'{PROG} engines --precision="avx2_int8 avx2_fp32" --time-limit 10m',
                  usage=f"{PROG} engines [options] [--PARAMETER=VALUE ...]")
    made.add_argument("--rounds", type=number_of(1), default=_MOST_ROUNDS, metavar="N",
                      help=f"at most so many rounds for a precision (default {_MOST_ROUNDS})")
    made.add_argument("--time-limit", metavar="TIME", help="of a precision: begin no round that would end later: 10m")
    made.add_argument("--folder", type=Path, help="where results go (default: a new folder "
                      "beside the results of cases); name a folder to continue")
    made.add_argument("--json", action="store_true", help="print one JSON document; all else goes to stderr")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Measure. Raises BadInput before anything runs, RunFailed where no engine could be measured."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    limit_s = None if words.time_limit is None else versus_command.seconds("--time-limit", words.time_limit)
    variables = {name: os.environ[name] for name in CATALOGUE if os.environ.get(name, "").strip()}
    _refuse_what_is_compared(flags, variables)
    machine = Machine(read_cpu(), read_topology())
    precisions = _precisions(flags.pop("PRECISION", variables.pop("PRECISION", "")).split(), machine)
    folder = (words.folder or new_results("engines")).absolute()
    with redirect_stdout(sys.stderr) if words.json else nullcontext(), interruptible():
        matches = [engines_match.prepared(each, flags, variables, folder / each, machine) for each in precisions]
        _make(folder)
        rows: list[Row] = []
        said: list[str] = []
        with machine_lock.held():
            for match in matches:
                measured, lines = engines_match.play(match, machine, Rules(words.rounds, None, limit_s))
                rows, said = rows + measured, said + lines
                if measured:
                    known_engines.remember(machine.cpu.name, match.precision, engines_table.proven(measured))
                if rows:  # what is there is kept, however the next precision ends
                    _write(folder, rows, said, machine.cpu.name)
        if not rows:
            raise RunFailed(f"no engine could be measured: {'; '.join(said)}")
        print(f"\n{(folder / TABLE).read_text()}results: {folder}", flush=True)
        if engines_table.proven(rows):
            print(f"TORCH_TYPE=auto takes the fastest from now on: {known_engines.path()}", flush=True)
    if words.json:
        print((folder / DOCUMENT).read_text(), end="")
    return 0


def _refuse_what_is_compared(flags: Mapping[str, str], variables: Mapping[str, str]) -> None:
    bad = [f"{name} is what is compared: leave it out" for name in _OURS if flags.get(name)]
    bad += [f"{name}={variables[name]} in the environment is what is compared: unset it" for name in _OURS
            if name in variables]
    bad += [f"{name}={os.environ[name]} in the environment names one stack; engines takes all that are set up: unset it"
            for name in SURROUNDINGS if os.environ.get(name)]
    if bad:
        raise BadInput(*bad)


def _make(folder: Path) -> None:
    why = "Permission denied"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = str(error.strerror)
    if not os.access(folder, os.W_OK) or not folder.is_dir():
        raise BadInput(f"--folder {folder} cannot be made or written: {why}")


def _write(folder: Path, rows: list[Row], said: list[str], cpu: str) -> None:
    (folder / TABLE).write_text("\n".join([*engines_table.table(rows), "", *said]) + "\n")
    write_json(folder / DOCUMENT, engines_table.document(rows, said, cpu))


def _precisions(asked: list[str], machine: Machine) -> list[str]:
    """Those asked for, else all of the platform that this CPU runs. Raises BadInput for others."""
    cpu = machine.cpu
    platform, _ = platforms.detect(cpu.vendor, cpu.family, cpu.model, cpu.flags)
    able = [name for name in PRECISIONS if name in platforms.PLATFORMS[platform].precisions
            and not PRECISIONS[name].missing_flags(cpu.flags)]
    bad = [name for name in asked if name not in able]
    if bad:
        raise BadInput(f"PRECISION={' '.join(bad)} is not one that this CPU runs: {', '.join(able)}")
    return asked or able
