"""The results of cases -> a card for one case, or a table for several, on stdout."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import WORKLOAD
from ..checkout import near, typed
from ..ctest import logs
from ..ctest.handover import CaseRecord
from ..result.card import Commands, card, table
from ..result.ended import Ended

#: ECMA-48's colours by the verdict's word; all others are red.
_COLOURS = {"valid": "32", "passed": "32", "noisy": "33", "skipped": "33"}


def show_cases(records: Sequence[CaseRecord]) -> None:
    """Print the card of one case of ctest.sh, or the table of several. Nothing if none was started."""
    cases = [logs.ended(record) for record in records]
    if len(cases) == 1:
        words = ["--testcase", f"test_{WORKLOAD}_{records[0].option}", *records[0].words]
        again = _again(records[0].variables, typed("ctest.sh"), words)
        _show(card(cases[0], _commands(again, "--run 5")), cases)
    elif cases:
        _show(table(cases, _commands("")), cases)


def show_run(ended: Ended, flags: Mapping[str, str], log: Path) -> None:
    """The card of one run in the current folder, of which ``log`` is the log; its result lies beside it."""
    result = log.with_suffix(".json")
    # What else lies in the folder is of other runs: the result alone is this one's.
    ended = replace(ended, logs=near(result) if result.exists() else "", log=near(log))
    ended = ended.with_results([[log.parent]], log.stem)
    words = [f"--{name.lower()}={text}" for name, text in flags.items()]
    _show(card(ended, _commands(shlex.join([typed("run_test.sh"), *words]))), [ended])


def _again(variables: Mapping[str, str], script: str, words: Sequence[str]) -> str:
    """The command line that was typed, behind its variables."""
    return " ".join([*(f"{name}={shlex.quote(text)}" for name, text in variables.items()),
                     shlex.join([script, *words])])


def _commands(again: str, restarts: str = "") -> Commands:
    tool = typed("scripts/resnet50-bench.sh")
    return Commands(again, tool, f"{typed('ctest.sh')} -N", restarts)


def _show(lines: Sequence[str], cases: Sequence[Ended]) -> None:
    """Print the lines after an empty line, on a terminal with coloured verdicts."""
    if is_coloured():
        words = dict.fromkeys(ended.verdict for ended in cases)
        pattern = re.compile(rf"(^   Verdict +|  )({'|'.join(map(re.escape, words))})(?=:|$)")
        lines = [pattern.sub(lambda match: f"{match[1]}\x1b[{_COLOURS.get(match[2], '31')}m{match[2]}\x1b[0m", line)
                 for line in lines]
    print("", *lines, sep="\n", flush=True)


def is_coloured() -> bool:
    """Whether stdout is a terminal whose user wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
