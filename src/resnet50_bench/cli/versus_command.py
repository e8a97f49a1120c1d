"""``versus [--flag=value ...] --a WORDS --b WORDS``: sides measured by turns, until it is known which is faster."""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from ..arguments import Parser, number_of
from ..case.case import Case
from ..case.defaults import Machine
from ..case.flags import parse_flags
from ..case.parameters import CATALOGUE
from ..ctest.build_folder import new_results
from ..errors import BadInput, BenchError, Infrastructure, Regression, RunFailed
from ..files import json_text, write_json
from ..launch.run_case import run_case
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..result.kpi import KPIS
from ..signals import interruptible
from ..versus import record
from ..versus.outcome import Outcome, card, clock, document, is_slower, ratio_text, text
from ..versus.record import Plan
from ..versus.rounds import Heard, Round, Rules, SideFailed, Turn, pairs, take_turns
from ..versus.words import NAMES, AskedSide, Given, Side, identical, sides, surrounded
from .tree import PROG
from .typed_words import near, typed

_MOST_ROUNDS = 21
_UNITS = {"s": 1, "m": 60, "h": 3600}
_EPILOG = """Flags of parameters (--precision=amx_int8; see `parameters`) and those in the environment hold for all.
The words of a side are NAME=VALUE as in a shell, with quotes where a value holds spaces; RESNET50_BENCH_PYTHON,
RESNET50_BENCH_STACK and RESNET50_BENCH_ENV choose its environment.
example:
  resnet50-bench versus --precision=avx_int8 --a TORCH_TYPE=IPEX --b TORCH_TYPE=COMPILE-INDUCTOR
  resnet50-bench versus --case_type=gated --a "" --b 'BATCH_SIZE=8 CUSTOMER_ENV="KMP_BLOCKTIME=1 A=2"' --time-limit 10m
Exit status: 0 where it was measured, 4 with --fail-if-slower where a side is slower than A, 2 for words that are not
understood, 1 where a side cannot be measured."""


def parser() -> Parser:
    """The options beside the parameters' flags."""
    made = Parser(f"{PROG} versus", "Measure configurations by turns (A B, B A, ...), each turn in fresh processes.",
                  epilog=_EPILOG, also=[f"--{name.lower()}" for name in CATALOGUE])
    for name in NAMES:
        made.add_argument(f"--{name.lower()}", metavar="WORDS", dest=name,
                          help="what is apart on this side" if name in "AB" else argparse.SUPPRESS if name > "C" else
                          f"a further side, up to --{NAMES[-1].lower()}")
    made.add_argument("--rounds", type=number_of(1), default=_MOST_ROUNDS, metavar="N",
                      help=f"at most so many rounds (default {_MOST_ROUNDS}); a round measures every side once")
    made.add_argument("--within", metavar="P%", help="go on until each interval is within P %% of its ratio, "
                      "instead of until each pair is decided")
    made.add_argument("--time-limit", metavar="TIME", help="begin no round that would end later: 90s, 10m, 1h30m")
    made.add_argument("--folder", type=Path, help="where results go (default: a new folder "
                      "beside the results of cases); name a folder to continue")
    made.add_argument("--seed", type=number_of(0), help="of the order of sides (default 1)")
    made.add_argument("--fail-if-slower", action="store_true", help="status 4 where a side is slower than A")
    made.add_argument("--json", action="store_true", help="print one JSON document; all else goes to stderr")
    return made


def main(argv: list[str]) -> int:
    """Compare. Raises BadInput before anything runs, RunFailed where a side fails twice, Regression as asked for."""
    flags, others = parse_flags(argv)
    words = parser().parse_args(others)
    _require_no_share(flags)
    within = None if words.within is None else percent("--within", words.within)
    limit_s = None if words.time_limit is None else seconds("--time-limit", words.time_limit)
    folder = (words.folder or new_results("versus")).absolute()
    given = Given({name: getattr(words, name) for name in NAMES if getattr(words, name) is not None}, flags,
                  {name: os.environ[name] for name in CATALOGUE if os.environ.get(name, "").strip()})
    with redirect_stdout(sys.stderr) if words.json else nullcontext(), interruptible():
        machine = Machine(read_cpu(), read_topology())
        outcome = measured(given, folder, machine, Rules(words.rounds, within, limit_s), words.seed)
    if words.json:
        print(json_text(document(outcome), indent=1))
    if words.fail_if_slower and (slower := is_slower(outcome)):
        raise Regression("\n".join(slower))
    return 0


def measured(given: Given, folder: Path, machine: Machine, rules: Rules, seed: int | None = None) -> Outcome:
    """Let the sides take turns in ``folder``, or go on there; the rules' seed is the folder's."""
    plan = planned(given, seed, record.read_plan(folder), folder)
    asked = sides(plan.given, machine)
    with record.alone_in(folder), machine_lock.held():
        plan, ready = _decided(plan, asked, machine)
        return _compare(folder, plan, ready, machine, replace(rules, seed=plan.seed))


def percent(option: str, word: str) -> float:
    """``1%`` -> 0.01. Raises BadInput."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", word)
    if not match or not 0 < float(match[1]) <= 100:
        raise BadInput(f"{option} {word!r} is not a share such as 1% or 0.5%")
    return float(match[1]) / 100


def seconds(option: str, word: str) -> float:
    """``1h30m`` -> 5400. Raises BadInput."""
    if not re.fullmatch(r"([0-9]+[smh])+", word) or not re.search(r"[1-9]", word):
        raise BadInput(f"{option} {word!r} is not a time such as 90s, 10m or 1h30m")
    return float(sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([smh])", word)))


def _require_no_share(flags: dict[str, str]) -> None:
    """How precise a comparison shall be has another name than the precision of the arithmetic."""
    if flags.get("PRECISION", "").strip().endswith("%"):
        raise BadInput(f"--precision {flags['PRECISION']} is no PRECISION; did you mean --within {flags['PRECISION']}?")


def planned(given: Given, seed: int | None, before: Plan | None, folder: Path) -> Plan:
    """What to measure: as given, or what the folder was started with. Raises BadInput where they contradict."""
    if before is None:
        if len(given.sides) < 2:
            raise BadInput('at least two sides are needed: --a "TORCH_TYPE=IPEX" --b "TORCH_TYPE=EAGER"; to go on with '
                           f"a comparison, name its --folder ({folder.name} holds none)")
        return Plan(given, 1 if seed is None else seed)
    was = before.given
    changed = [f"--{name.lower()} {words!r}" for name, words in given.sides.items() if was.sides.get(name) != words]
    changed += [f"--{name.lower()}={words}" for name, words in given.flags.items() if was.flags.get(name) != words]
    changed += [f"{name}={words} in the environment" for name, words in given.environment.items()
                if words not in (was.environment.get(name), was.flags.get(name))]
    if seed not in (None, before.seed):
        changed.append(f"--seed {seed}")
    if changed:
        raise BadInput(f"{folder} was started without {', '.join(changed)}; name a new folder, or go on with --folder "
                       "alone")
    return before


def _decided(plan: Plan, asked: Sequence[AskedSide], machine: Machine) -> tuple[Plan, list[Side]]:
    """Numbers for ``auto``, of this time or, in a folder to go on with, of the first."""
    ready, numbers = [], dict(plan.decided)
    for side in asked:
        case = _with_numbers(side, machine, numbers)
        python = plan.pythons.get(side.name, str(side.python))
        if python != str(side.python):
            raise BadInput(f"{side.name} was measured with {python}, now it would be with {side.python}; name a new "
                           "folder")
        ready.append(side.ready(case))
    pythons = {side.name: str(side.python) for side in ready}
    return msgspec.structs.replace(plan, decided=numbers, pythons=pythons), ready


def _with_numbers(side: AskedSide, machine: Machine, numbers: dict[str, Mapping[str, str]]) -> Case:
    """The side's case; what had to be decided stands in ``numbers`` then."""
    if isinstance(side.case, Case):
        return side.case
    if side.name in numbers:
        return side.case.decided({name: int(text) for name, text in numbers[side.name].items()})
    from ..sweep import auto  # it runs cases: nothing that only refuses needs it
    from .sweep_printer import SweepPrinter

    with surrounded(side.surroundings):
        case = auto.decided(side.case, machine, side.python, SweepPrinter())
    numbers[side.name] = {name: case.texts()[name] for name in side.case.sought}
    return case


def _compare(folder: Path, plan: Plan, found: list[Side], machine: Machine, rules: Rules) -> Outcome:
    """Take turns; what is known at the end is printed and kept, however it ends."""
    record.write_plan(folder, plan)
    rounds = record.rounds(folder, found, machine)
    turns = Turns(folder, found, machine, rules)
    turns.say_plan(len(rounds))
    began, ended = time.monotonic(), "it was broken off"
    try:
        ended = take_turns([side.name for side in found], rules, rounds, turns, time.monotonic,
                           Heard(turns.say_round, turns.say_failure))
    except BenchError:
        turns.say_broken_off()
        raise
    finally:
        outcome = Outcome(found, rounds, rules.most_rounds, plan.seed, ended, time.monotonic() - began)
        (folder / record.TABLE).write_text(text(outcome))
        write_json(folder / record.OUTCOME, document(outcome))
        print("", *card(outcome, near(folder), typed("scripts/resnet50-bench.sh")), sep="\n", flush=True)
    return outcome


class Turns:
    """Runs turns into the folder, and says where the comparison stands."""

    def __init__(self, folder: Path, found: Sequence[Side], machine: Machine, rules: Rules) -> None:
        self._folder, self._machine, self._rules = folder, machine, rules
        self._sides = {side.name: side for side in found}

    def measure(self, number: int, name: str) -> Turn:
        """One turn by processes of its own, into a folder of its own."""
        side, folder = self._sides[name], record.turn_folder(self._folder, name, number)
        self._doing(f"round {number} of at most {self._rules.most_rounds}: {name} is measured ...")
        try:
            folder.mkdir(parents=True)
            with surrounded(side.surroundings):
                result = run_case(side.case, side.inputs, self._machine.topology, side.python, folder,
                                  datetime.now(timezone.utc), echo=io.StringIO())
        except RunFailed as error:
            raise SideFailed(name, f"{error} (log: {folder})") from error
        except OSError as error:
            raise Infrastructure(f"{folder}: {error}") from error
        turn = record.turn_of(result)
        noisy = f" (noisy: {'; '.join(turn.reasons)})" if turn.verdict == "noisy" else ""
        self._say(f"round {number}: {name} {turn.value:.2f} {KPIS[side.case.mode].unit}{noisy}")
        return turn

    def leave_out(self, number: int) -> None:
        """See ``record.leave_out``."""
        record.leave_out(self._folder, list(self._sides), number)

    def say_plan(self, known: int) -> None:
        """Who is compared, and what is there already."""
        for side in self._sides.values():
            where = " ".join(f"{name}={value}" for name, value in side.surroundings.items())
            self._say(f"{side.name}: {side.shown}{f' [{side.python}]' if where or side.case.stack else ''}")
            for notice in (*side.case.notices, *side.inputs.notices):
                self._say(f"NOTICE: {side.name}: {notice}")
        for note in identical(list(self._sides.values())):
            self._say(f"NOTICE: {note}")
        if known:
            self._say(f"{known} round{'s are' if known > 1 else ' is'} there already: not measured again")

    def say_round(self, rounds: Sequence[Round], took_s: Sequence[float]) -> None:
        """The ratios so far, and how long it may go on."""
        rules = self._rules
        found = pairs(list(self._sides), rounds, rules.most_rounds)
        left_s = (rules.most_rounds - len(rounds)) * math.fsum(took_s) / len(took_s)
        if rules.time_limit_s is not None:
            left_s = min(left_s, max(0.0, rules.time_limit_s - math.fsum(took_s)))
        end = f" | at most {clock(left_s)} left" if left_s else ""
        self._say(f"{len(rounds)} of at most {rules.most_rounds} rounds | {', '.join(map(ratio_text, found))}{end}")

    def say_failure(self, number: int, error: RunFailed) -> None:
        """Why a round does not count."""
        self._say(f"round {number} does not count and is measured once more: {error}")

    def say_broken_off(self) -> None:
        """How to go on."""
        self._say(f"to go on: versus --folder {self._folder}")

    def _doing(self, text: str) -> None:
        """On a terminal alone: the next line takes its place."""
        if sys.stdout.isatty():
            print(f"\x1b[2K{text}", end="\r", flush=True)

    def _say(self, text: str) -> None:
        print(f"\x1b[2K{text}" if sys.stdout.isatty() else text, flush=True)
