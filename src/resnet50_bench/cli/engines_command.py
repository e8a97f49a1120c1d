"""``engines``: every engine of every installed stack, each at its best batch and cores, by precision -> one table."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from ..arguments import Parser, number_of, seconds, share
from ..case import platforms
from ..case.flags import add_parameters, parse_flags
from ..case.parameters import CATALOGUE
from ..ctest.build_folder import new_results
from ..ctest.outlook import usual_case_s
from ..engines import match, memory, table
from ..engines.here import this_host
from ..engines.table import LeftOut
from ..errors import RunFailed
from ..result.blocks import Question
from ..signals import interruptible
from ..versus.compare import Limits
from .tree import PROG
from .versus_printer import VersusPrinter, again

_MOST_ROUNDS = 12


def parser() -> Parser:
    """The options."""
    made = Parser(f"{PROG} engines", "Find the fastest engine (TORCH_TYPE) at each precision that this CPU runs. Every "
                  "engine of every installed stack runs at its best batch size and cores, in alternating order.",
                  f'{PROG} engines --precision="avx2_int8 avx2_fp32" --time-limit 10m',
                  usage=f"{PROG} engines [options] [--PARAMETER=VALUE ...]")
    made.add_argument("--rounds", type=number_of(1), default=_MOST_ROUNDS, metavar="N",
                      help=f"the largest number of rounds per precision (default {_MOST_ROUNDS})")
    made.add_argument("--equal-within", type=share, metavar="P%", help="call engines equal "
                      "if they differ by less, with 95 %% confidence (default 2%%)")
    made.add_argument("--all-pairs", action="store_true", help="compare every pair, not each engine with the fastest")
    made.add_argument("--time-limit", type=seconds, metavar="TIME",
                      help="time limit per precision, for example 10m")
    made.add_argument("--folder", type=Path, help="the folder of the results (default: a new folder beside the results "
                      "of cases). Name an existing one to continue")
    made.add_argument("--json", action="store_true", help="print one JSON document. Everything else goes to stderr")
    add_parameters(made)
    return made


def main(argv: list[str]) -> int:
    """Measure the engines. Raises BadInput before anything runs, RunFailed if no engine could be measured."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    variables = {name: os.environ[name] for name in CATALOGUE if os.environ.get(name, "").strip()}
    host = this_host(os.environ)
    match.refuse_what_is_compared(flags, variables, host.choice)
    asked = flags.pop("PRECISION", variables.pop("PRECISION", "")).split()
    precisions = platforms.runnable(asked, host.machine.cpu)
    folder = (words.folder or new_results("engines")).absolute()
    with redirect_stdout(sys.stderr) if words.json else nullcontext(), interruptible():
        observer = _Printer(again("engines", argv, folder), usual_case_s())
        matches = [match.prepared(each, flags, variables, folder / each, host, observer) for each in precisions]
        limits = Limits(words.rounds, equal_within=words.equal_within, time_limit_s=words.time_limit,
                        question=Question.PAIRS if words.all_pairs else Question.BEST)
        ended = match.play_all(matches, folder, host, limits, observer)
        if not ended.rows:
            raise RunFailed(f"no engine could be measured: {'; '.join(ended.text)}")
        print(f"\n{(folder / match.TABLE).read_text()}results: {folder}", flush=True)
        if table.proven(ended.rows):
            print(f"TORCH_TYPE=auto takes the fastest from now on: {memory.path()}", flush=True)
    if words.json:
        print((folder / match.DOCUMENT).read_text(), end="")
    return 0


class _Printer(VersusPrinter):
    """A ``match.MatchObserver`` that prints; see there."""

    def left_out(self, precision: str, one: LeftOut) -> None:
        print(f"{precision}: {one.who} is left out: {one.why}", flush=True)
