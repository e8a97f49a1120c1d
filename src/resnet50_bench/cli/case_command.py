"""``case <option>``: what ctest starts for one test: resolve, run each iteration, bring the KPI."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..arguments import Parser
from ..backends import Settings, choose
from ..ctest import case_run, settings
from ..ctest.handover import VARIABLE, CaseRecord, Overrides
from ..errors import BenchError
from ..signals import end_with_ctest, interruptible
from ..stack.environment import StackChoice


def main(argv: list[str]) -> int:
    """Run one case. Its status is also written for ctest.sh, because ctest would hide it."""
    configured, option, overrides = _parse(argv)
    overrides.begin(option)
    record = CaseRecord(option)
    try:
        with interruptible():
            end_with_ctest()
            record.status = case_run.run(record, settings.of_the_case(configured), overrides)
            if record.status == 0 and not overrides.dry_run:
                _judge(record, overrides)
    except BenchError as error:
        record.status, record.why = error.exit_status, record.why or str(error)
        raise
    finally:
        overrides.tell(record)
    return record.status


def prepare(argv: list[str]) -> int:
    """The ctest fixture: print once what a run on this host lacks, and the command that sets it up."""
    configured, _, overrides = _parse([*argv, ""])
    try:
        backend, _ = choose(settings.of_the_case(configured))
    except BenchError:
        return 0  # each case says it itself, and ends with its status; ctest would hide this one's
    if not overrides.dry_run and backend.local is True:
        for line in StackChoice.of(configured.environment).lacking():
            print(f"NOTICE: {line}", file=sys.stderr)
    return 0


def _parse(argv: list[str]) -> tuple[Settings, str, Overrides]:
    """Split the test's command line into (CMake's settings, the case name, the options that ctest.sh handed on)."""
    options = Parser("resnet50-bench case", "Run one case as its ctest test does.",
                     "resnet50-bench case inference_latency_avx_fp32_gated")
    for name, default in (("--backend", "auto"), ("--registry", ""), ("--release", "")):
        options.add_argument(name, default=default)
    options.add_argument("--timeout", type=float, default=3600.0)
    options.add_argument("option")
    words = options.parse_args(argv)
    overrides = Overrides.read(os.environ.get(VARIABLE))
    configured = Settings(words.backend, words.registry, words.release, words.timeout, overrides.backend_options,
                          dict(os.environ))
    return configured, words.option, overrides


def _judge(record: CaseRecord, overrides: Overrides) -> None:
    """Gate a passed run. Raises Regression, and RunFailed if there is nothing to compare with."""
    from ..history import plausibility  # with all that judges results: a third of the start-up

    for line in plausibility.lines(Path(record.logs)):
        print(line, flush=True)
    if not overrides.gate:
        return
    from ..history.gate import judge
    from ..history.references import read_references
    from . import gate_command

    judgement = judge(Path(record.logs), read_references(Path(overrides.gate)), allow_missing=overrides.allow_missing)
    record.gate = judgement.gated()
    gate_command.show(judgement)
    gate_command.require_passed(judgement)
