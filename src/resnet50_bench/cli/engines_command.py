"""``engines``: every engine on every stack that is set up, at each precision this CPU runs, by turns -> one table.

Each is measured at its own best batch and cores, found by a short search, as BATCH_SIZE=auto does.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext, redirect_stdout
from datetime import datetime
from pathlib import Path

from ..arguments import Parser, number_of
from ..case import platforms
from ..case.case import Case
from ..case.defaults import Machine
from ..case.flags import parse_flags
from ..case.parameters import AUTO, CATALOGUE
from ..case.precision import PRECISIONS
from ..errors import BadInput, BenchError, RunFailed
from ..files import write_json
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result.result import Result, read
from ..signals import interruptible
from ..stack import environment
from ..sweep import known_engines
from ..versus import engines_table, record
from ..versus.engines_table import Contestant, Row
from ..versus.outcome import Outcome
from ..versus.rounds import Rules
from ..versus.words import NAMES, Given, sides, surrounded
from . import versus_command
from .parameter_flags import add_parameters
from .sweep_printer import SweepPrinter
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
    made.add_argument("--folder", type=Path, help="where results go (default: a new one here); names one to go on with")
    made.add_argument("--json", action="store_true", help="print one JSON document; all else goes to stderr")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Measure. Raises BadInput before anything runs, RunFailed where no engine could be measured."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    bad = [f"{name} is what is compared: leave it out" for name in _OURS if flags.get(name)]
    limit_s = None if words.time_limit is None else versus_command.seconds("--time-limit", words.time_limit)
    machine = Machine(read_cpu(), read_topology())
    precisions = _precisions(flags.pop("PRECISION", "").split(), machine)
    if bad:
        raise BadInput(*bad)
    folder = (words.folder or Path(f"engines-{datetime.now():%Y%m%d-%H%M%S}")).absolute()
    rows: list[Row] = []
    said: list[str] = []
    with redirect_stdout(sys.stderr) if words.json else nullcontext(), interruptible(), machine_lock.held():
        for precision in precisions:
            measured, lines = _measure(precision, flags, folder, machine, Rules(words.rounds, None, limit_s))
            rows, said = rows + measured, said + lines
            if measured:
                known_engines.remember(machine.cpu.name, precision, engines_table.proven(measured))
        if not rows:
            raise RunFailed(f"no engine could be measured: {'; '.join(said)}")
        text = "\n".join([*engines_table.table(rows), "", *said])
        found = engines_table.document(rows, said, machine.cpu.name)
        (folder / TABLE).write_text(text + "\n")
        write_json(folder / DOCUMENT, found)
        print(f"\n{text}\nresults: {folder}", flush=True)
        if engines_table.proven(rows):
            print(f"TORCH_TYPE=auto takes the fastest from now on: {known_engines.path()}", flush=True)
    if words.json:
        print(json.dumps(found, indent=1))
    return 0


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


def _measure(precision: str, flags: dict[str, str], folder: Path, machine: Machine,
             rules: Rules) -> tuple[list[Row], list[str]]:
    """One precision's rows and sentences. An engine that cannot be measured is left out with its reason."""
    chosen, left_out = engines_table.contestants(
        precision, machine.cpu.flags, lambda stack: environment.is_complete(stack, _folder(stack)))
    common = {"BATCH_SIZE": AUTO, "CORES_PER_INSTANCE": AUTO} | flags | {"PRECISION": precision}
    variables = {name: os.environ[name] for name in CATALOGUE
                 if os.environ.get(name, "").strip() and name not in (*common, *_OURS)}
    able = []
    for one in chosen:
        try:
            _decide(Given({"A": one.words}, common, variables), machine)
            able.append(one)
        except BenchError as error:
            left_out.append(f"{one.shown}: {error}")
            print(f"{precision}: {one.shown} is left out: {error}", flush=True)
    lines = [f"{precision}: left out: {line}" for line in left_out]
    if not able:
        return [], lines
    named = dict(zip(NAMES, able, strict=False))
    given = Given({name: one.words for name, one in named.items()}, common, variables)
    outcome = versus_command.measured(given, folder / precision, machine, rules)
    rows = {name: _row(one, name, outcome, folder / precision) for name, one in named.items()}
    return list(rows.values()), [*engines_table.sentences(precision, named, rows, outcome), *lines]


def _folder(stack: str) -> Path:
    with surrounded({"RESNET50_BENCH_STACK": stack}):
        return environment.folder(stack)


def _decide(given: Given, machine: Machine) -> None:
    """Search the best batch and cores, which are remembered; so an engine that fails is known before turns are taken.

    Raises what BenchError it fails with.
    """
    side, = sides(given, machine)
    if isinstance(side.case, Case):
        return
    from ..sweep import auto  # it runs cases: nothing that only refuses needs it

    with surrounded(side.surroundings):
        auto.decided(side.case, machine, side.python, SweepPrinter())


def _row(one: Contestant, name: str, outcome: Outcome, folder: Path) -> Row:
    results: list[Result] = []
    for each in outcome.rounds:
        results += [read(path) for path in record.turn_folder(folder, name, each.number).glob("benchmark_*.json")]
    return engines_table.row(one, name, outcome, results)
