"""``sweep [--flag=value ...]``: measure points by warm workers, and name the best of them.

PRECISION, BATCH_SIZE and CORES_PER_INSTANCE may be lists (words). ``--folder`` continues a sweep.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..arguments import Parser
from ..case.case import Layer
from ..case.flags import add_parameters, parse_flags
from ..case.parameters import from_environment
from ..checkout import near, typed
from ..ctest.build_folder import new_results
from ..engines import memory
from ..launch.surroundings import Surroundings
from ..machine import machine_lock
from ..signals import interruptible
from ..stack.environment import StackChoice
from ..sweep import record, sweep
from ..sweep.axes import Axes, axes
from .sweep_printer import SweepPrinter
from .tree import PROG


def parser() -> Parser:
    """The parser of ``sweep``, for parameters and its own options."""
    made = Parser(f"{PROG} sweep", "Find the best batch size and cores per instance of each precision. PRECISION, "
                  "BATCH_SIZE and CORES_PER_INSTANCE may be lists.",
                  f'{PROG} sweep --precision="amx_int8 amx_bfloat16" --batch_size="8 16 32"',
                  usage=f"{PROG} sweep [--dry-run] [--folder FOLDER] [--PARAMETER=VALUE ...]")
    made.add_argument("--dry-run", action="store_true", help="show what would be measured, and run nothing")
    made.add_argument("--folder", type=Path, help="the folder of the results (default: the current folder if it has a "
                      "sweep, else a new folder beside the results of cases). Name an existing one to continue")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Run the sweep. Returns 0 if every precision has a best point."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    folder = (words.folder or (Path() if Path(record.GIVEN).exists() else new_results("sweep"))).absolute()
    with interruptible():
        choice = StackChoice.of(os.environ)
        machine = memory.this_machine(choice)
        environment = {name: text for name, text in from_environment(os.environ).items() if text.strip()}
        before = record.given(folder)
        planned = axes([Layer("flag", flags), Layer("environment", environment), Layer(record.GIVEN, before)], machine)
        _say_plan(planned)
        if words.dry_run:
            return 0
        state = sweep.begin(folder, planned, machine, choice.worker_python, Surroundings.of(os.environ))
        record.keep(folder, {**before, **environment, **flags})
        print(f"sweep: {folder}; if interrupted, continue by: {typed('ctest.sh')} --sweep {near(folder)}", flush=True)
        with machine_lock.held():
            sweep.run(state, SweepPrinter(), remember=planned.whole)
        return 0


def _say_plan(planned: Axes) -> None:
    for notice in planned.notices:
        print(f"NOTICE: {notice}")
    grid = next(iter(planned.grids.values()))
    how = "every point" if grid.every else "searched for the best"
    print(f"sweep: {', '.join(planned.grids)}; BATCH_SIZE {' '.join(map(str, grid.batches))}; CORES_PER_INSTANCE "
          f"{' '.join(map(str, grid.cores))}: {len(planned.cases)} points, {how}", flush=True)
