"""``sweep [--flag=value ...]``: measure points by warm workers, and name the best of them.

PRECISION, BATCH_SIZE and CORES_PER_INSTANCE may be lists (words). ``--folder`` continues a sweep.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..arguments import Parser
from ..case.case import Layer
from ..case.defaults import Machine
from ..case.flags import add_parameters, parse_flags
from ..case.parameters import from_environment
from ..checkout import near, typed
from ..ctest.build_folder import new_results
from ..engines import memory
from ..errors import BadInput, Infrastructure
from ..files import write_json
from ..launch.plan import Surroundings
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..signals import interruptible
from ..stack.environment import StackChoice
from ..sweep import sweep
from ..sweep.axes import Axes, axes
from .sweep_printer import SweepPrinter
from .tree import PROG

#: What the sweep was started with: with it, its folder is all that is needed to go on.
_GIVEN = "sweep.json"


def parser() -> Parser:
    """The parameters, and what is no parameter."""
    made = Parser(f"{PROG} sweep", "Measure points by warm workers, and name the best. PRECISION, BATCH_SIZE and "
                  "CORES_PER_INSTANCE may be lists.",
                  f'{PROG} sweep --precision="amx_int8 amx_bfloat16" --batch_size="8 16 32"',
                  usage=f"{PROG} sweep [--dry-run] [--folder FOLDER] [--PARAMETER=VALUE ...]")
    made.add_argument("--dry-run", action="store_true", help="say what would be measured")
    made.add_argument("--folder", type=Path, help="where results go (default: the current folder if it has a sweep, "
                      "else a new folder beside the results of cases); name a folder to continue")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Sweep; 0 where every precision has a best point."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    folder = (words.folder or (Path() if Path(_GIVEN).exists() else new_results("sweep"))).absolute()
    with interruptible():
        cpu, choice = read_cpu(), StackChoice.of(os.environ)
        machine = Machine(cpu, read_topology(), memory.known(cpu.name, choice))
        environment = {name: text for name, text in from_environment(os.environ).items() if text.strip()}
        before = _given_before(folder)
        planned = axes([Layer("flag", flags), Layer("environment", environment), Layer(_GIVEN, before)], machine)
        _say_plan(planned)
        if words.dry_run:
            return 0
        state = sweep.begin(folder, planned, machine, choice.worker_python, Surroundings.of(os.environ))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Infrastructure(f"the sweep's folder {folder} cannot be made: {error.strerror}") from error
        print(f"sweep: {folder}; if interrupted, continue by: {typed('ctest.sh')} --sweep {near(folder)}", flush=True)
        write_json(folder / _GIVEN, {**before, **environment, **flags})
        with machine_lock.held():
            sweep.run(state, SweepPrinter(), remember=planned.whole)
        return 0


def _given_before(folder: Path) -> dict[str, str]:
    path = folder / _GIVEN
    try:
        return {str(name): str(text) for name, text in json.loads(path.read_text()).items()} if path.exists() else {}
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _say_plan(planned: Axes) -> None:
    for notice in planned.notices:
        print(f"NOTICE: {notice}")
    grid = next(iter(planned.grids.values()))
    how = "every point" if grid.every else "searched for the best"
    print(f"sweep: {', '.join(planned.grids)}; BATCH_SIZE {' '.join(map(str, grid.batches))}; CORES_PER_INSTANCE "
          f"{' '.join(map(str, grid.cores))}: {len(planned.cases)} points, {how}", flush=True)
