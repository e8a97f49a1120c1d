"""``versus [--flag=value ...] --a WORDS --b WORDS``: measure sides in alternating order to find the faster."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from ..arguments import Parser, number_of, seconds, share
from ..case.flags import parse_flags
from ..case.parameters import CATALOGUE
from ..ctest.build_folder import new_results
from ..ctest.outlook import usual_case_s
from ..engines.here import this_host
from ..errors import BadInput
from ..files import json_text
from ..result.blocks import Question
from ..signals import interruptible
from ..versus.compare import Limits, compare
from ..versus.outcome import document, refuse_slower
from ..versus.words import NAMES, typed
from .tree import PROG
from .versus_printer import VersusPrinter, again

_MOST_ROUNDS = 21
_EPILOG = """Parameter options (--precision=amx_int8) and the environment apply to all sides. The settings of a side are
NAME=VALUE as in a shell, with quotes around a value that has spaces. RESNET50_BENCH_PYTHON, RESNET50_BENCH_STACK and
RESNET50_BENCH_ENV choose its environment.
example:
  resnet50-bench versus --precision=avx_int8 --a TORCH_TYPE=IPEX --b TORCH_TYPE=COMPILE-INDUCTOR
  resnet50-bench versus --case_type=gated --a "" --b 'BATCH_SIZE=8 CUSTOMER_ENV="KMP_BLOCKTIME=1 A=2"' --time-limit 10m
Exit status: 0: all sides were measured. 1: a side failed twice. 2: bad input. 4: with --fail-if-slower, a side is
slower than A."""


def parser() -> Parser:
    """The options beside the parameters' flags."""
    made = Parser(f"{PROG} versus", "Compare settings in alternating order (A B, B A, ...). Each run starts new "
                  "processes.",
                  epilog=_EPILOG, also=[f"--{name.lower()}" for name in CATALOGUE])
    for name in NAMES:
        made.add_argument(f"--{name.lower()}", metavar="SETTINGS", dest=name,
                          help="settings of this side, such as 'TORCH_TYPE=IPEX BATCH_SIZE=8'" if name in "AB" else
                          argparse.SUPPRESS if name > "C" else "settings of a further side, up to "
                          f"--{NAMES[-1].lower()}")
    made.add_argument("--rounds", type=number_of(1), default=_MOST_ROUNDS, metavar="N",
                      help=f"the largest number of rounds (default {_MOST_ROUNDS}). In a round each side runs once")
    made.add_argument("--within", type=share, metavar="P%", help="do not stop at a verdict. Measure until the ends "
                      "of each confidence interval are within P %% of its ratio")
    made.add_argument("--equal-within", type=share, metavar="P%", help="call sides equal if "
                      "they differ by less, with 95 %% confidence (default 2%%)")
    made.add_argument("--all-pairs", action="store_true", help="compare every pair, not each side with A")
    made.add_argument("--time-limit", type=seconds, metavar="TIME",
                      help="begin no round that would end later, for example 90s, 10m or 1h30m")
    made.add_argument("--folder", type=Path, help="the folder of the results (default: a new folder beside the results "
                      "of cases). Name an existing one to continue")
    made.add_argument("--seed", type=number_of(0), help="seed for the order of the sides (default 1)")
    made.add_argument("--fail-if-slower", action="store_true", help="end with status 4 if a side is slower than A")
    made.add_argument("--json", action="store_true", help="print one JSON document. Everything else goes to stderr")
    return made


def main(argv: list[str]) -> int:
    """Compare the sides. Raises BadInput before anything runs, RunFailed if a side fails twice, and Regression."""
    flags, others = parse_flags(argv)
    for word in others:
        if re.fullmatch(r"--[a-z](=.*)?", word, re.I | re.S) and word[2].upper() not in NAMES:
            raise BadInput(f"{word[:3]} is not an option: there are at most {len(NAMES)} sides, "
                           f"--{NAMES[0].lower()} to --{NAMES[-1].lower()}")
    words = parser().parse_args(others)
    given = typed({name: getattr(words, name) for name in NAMES}, flags, os.environ)
    folder = (words.folder or new_results("versus")).absolute()
    with redirect_stdout(sys.stderr) if words.json else nullcontext(), interruptible():
        limits = Limits(words.rounds, words.within, words.equal_within, words.time_limit, words.seed,
                        Question.PAIRS if words.all_pairs else None)
        outcome = compare(given, folder, this_host(os.environ), limits,
                          VersusPrinter(again("versus", argv, folder), usual_case_s()))
    if words.json:
        print(json_text(document(outcome), indent=1))
    if words.fail_if_slower:
        refuse_slower(outcome)
    return 0
