"""``case <option>``: what ctest starts for one test: resolve, run each iteration, bring the KPI."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..arguments import Parser
from ..backends import Settings, choose
from ..ctest import case_run, settings
from ..ctest.handover import VARIABLE, CaseRecord, Overrides
from ..errors import BenchError, RunFailed
from ..signals import end_with_ctest, interruptible
from ..stack.environment import StackChoice


def main(argv: list[str]) -> int:
    """Run one case; its status is also told to ctest.sh, which ctest itself would hide."""
    words, option = _parse(argv)
    overrides = Overrides.read(os.environ.get(VARIABLE))
    if overrides.stop_file and Path(overrides.stop_file).exists():
        raise RunFailed("not started: ctest.sh was ended by a signal")
    record = CaseRecord(option)
    if overrides.started:
        Path(overrides.started).write_text(option)
    try:
        with interruptible():
            end_with_ctest()
            record.status = case_run.run(record, _of_the_case(words, overrides), overrides)
            if record.status == 0 and not overrides.dry_run:
                _judge(record, overrides)
    except BenchError as error:
        record.status, record.why = error.exit_status, record.why or str(error)
        raise
    finally:
        if overrides.statuses:
            record.append(Path(overrides.statuses))
    return record.status


def prepare(argv: list[str]) -> int:
    """The ctest fixture: say once what a run on this host lacks, and what sets it up. It installs nothing."""
    words, _ = _parse([*argv, ""])
    overrides = Overrides.read(os.environ.get(VARIABLE))
    try:
        backend, _ = choose(_of_the_case(words, overrides))
    except BenchError:
        return 0  # each case says it itself, and ends with its status; ctest would hide this one's
    if not overrides.dry_run and backend.local is True:
        for line in StackChoice.of(os.environ).lacking():
            print(f"NOTICE: {line}", file=sys.stderr)
    return 0


def _parse(argv: list[str]) -> tuple[Settings, str]:
    """(CMake's settings as the test's command line has them, the case's name)."""
    parser = Parser("resnet50-bench case", "Run one case as its ctest test does.",
                    "resnet50-bench case inference_latency_avx_fp32_gated")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--registry", default="")
    parser.add_argument("--release", default="")
    parser.add_argument("--timeout", type=float, default=3600.0)
    parser.add_argument("option")
    given = parser.parse_args(argv)
    return Settings(given.backend, given.registry, given.release, given.timeout), given.option


def _of_the_case(configured: Settings, overrides: Overrides) -> Settings:
    return settings.of_the_case(configured, dict(os.environ), overrides.backend_options)


def _judge(record: CaseRecord, overrides: Overrides) -> None:
    """What a run that passed is compared with. Raises Regression, RunFailed where nothing is there to compare with."""
    from ..history import plausibility  # with all that judges results: a third of the start-up

    for line in plausibility.lines(Path(record.logs)):
        print(line, flush=True)
    if not overrides.gate:
        return
    from ..history.gate import judge
    from ..history.references import read_references
    from . import gate_command

    references = read_references(Path(overrides.gate))
    judgement = judge(Path(record.logs), references, allow_missing=overrides.allow_missing)
    record.gate = judgement.gated()
    gate_command.show(judgement)
    gate_command.require_passed(judgement)
