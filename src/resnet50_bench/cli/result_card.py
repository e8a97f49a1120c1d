"""Results where a case has left them -> its card, or the table of several cases, on stdout."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import WORKLOAD
from ..ctest.case_records import CaseRecord
from ..errors import BadInput
from ..result.card import Commands, card, table
from ..result.ended import Ended
from ..result.result import ResultSummary, read, read_summary
from .typed_words import near, typed

#: ECMA-48's colours by the verdict's word; all others are red.
_COLOURS = {"valid": "32", "passed": "32", "noisy": "33", "skipped": "33"}


def show_cases(records: Sequence[CaseRecord]) -> None:
    """The card of one case of ctest.sh, the table of several; nothing where none was started."""
    cases = [_ended(record) for record in records]
    if len(cases) == 1:
        again = f"{typed('ctest.sh')} --testcase test_{WORKLOAD}_{records[0].option}"
        _show(card(cases[0], _commands(again, "--run 5")), cases)
    elif cases:
        _show(table(cases, _commands("")), cases)


def show_run(ended: Ended, flags: Mapping[str, str], log: Path) -> None:
    """The card of one run in the current folder, of which ``log`` is the log; its result lies beside it."""
    result = log.with_suffix(".json")
    # What else lies in the folder is of other runs: the result alone is this one's.
    ended = replace(ended, logs=near(result) if result.exists() else "", log=near(log))
    ended = _with_results(ended, [[log.parent]], log.stem)
    words = [f"--{name.lower()}={text}" for name, text in flags.items()]
    _show(card(ended, _commands(shlex.join([typed("run_test.sh"), *words]))), [ended])


def _commands(again: str, restarts: str = "") -> Commands:
    tool = typed("scripts/resnet50-bench.sh")
    return Commands(again, tool, f"{typed('ctest.sh')} -N", restarts)


def _ended(record: CaseRecord) -> Ended:
    gate = record.gate and replace(record.gate, references=near(Path(record.gate.references)))
    ended = Ended(record.option, record.status, record.why, gate=gate)
    if not record.logs:
        return ended
    logs = Path(record.logs)
    iterations = sorted(logs.glob("itr-*"), key=lambda folder: int(folder.name.partition("-")[2]))
    written = sorted(logs.glob("itr-*/*/benchmark_*.log"), key=lambda path: path.stat().st_mtime)
    before = [folder for folder in sorted(logs.parent.glob(f"*-{logs.name.partition('-logs-')[2]}"))
              if re.match(r"\d{8}-\d{6}-logs-", folder.name) and folder.name < logs.name
              and any(folder.glob("itr-*/*/benchmark_*.json"))]
    ended = replace(ended, logs=near(logs), log=near(written[-1]) if written else "",
                    earlier=near(before[-1]) if before else "")
    return _with_results(ended, [sorted(folder.glob("worker-*")) for folder in iterations])


def _with_results(ended: Ended, iterations: Sequence[Sequence[Path]], stem: str = "benchmark_*") -> Ended:
    """With the newest result of each worker's folder. One that cannot be read is what the case came to."""
    results: list[list[ResultSummary]] = []
    kernels = None
    for workers in iterations:
        newest = [max(paths, key=lambda path: path.stat().st_mtime) for folder in workers
                  if (paths := sorted(folder.glob(f"{stem}.json")))]
        try:
            # Step times are most of a file: the first one alone is read whole, for its kernels.
            if newest and kernels is None:
                whole = read(newest[0])
                kernels = whole.processes[0].kernels if whole.processes else {}
            results.append([read_summary(path) for path in newest])
        except BadInput as error:
            return replace(ended, why=ended.why or str(error), status=ended.status or 1)
    return replace(ended, iterations=[iteration for iteration in results if iteration], kernels=kernels or {})


def _show(lines: Sequence[str], cases: Sequence[Ended]) -> None:
    print(*_lines(lines, cases), sep="\n", flush=True)


def _lines(lines: Sequence[str], cases: Sequence[Ended]) -> list[str]:
    """An empty line before them; on a terminal the verdicts in colour."""
    if not is_coloured():
        return ["", *lines]
    words = dict.fromkeys(ended.verdict for ended in cases)
    pattern = re.compile(rf"(^   Verdict +|  )({'|'.join(map(re.escape, words))})(?=:|$)")
    return ["", *(pattern.sub(lambda match: f"{match[1]}\x1b[{_COLOURS.get(match[2], '31')}m{match[2]}\x1b[0m", line)
                  for line in lines)]


def is_coloured() -> bool:
    """Whether stdout is a terminal whose user wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
