"""A testset's file and ctest.sh's other words enter; its documents are run in turn, and a summary leaves on stdout."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import BadInput, BenchError, Interrupted
from ..signals import interruptible
from .case_records import PASSED, CaseRecord, overall
from .ctest_call import CtestJob, CtestOutcome
from .options import Options, parse
from .testset import read_testset


def prepared(options: Options, environment: Mapping[str, str]) -> list[CtestJob]:
    """A job for each document: its words, then the command line's, so that the latter win. Raises BadInput."""
    path = _path(options)
    rest = options.words_without("--testset", "--nohup", "--daemon")
    jobs = []
    problems: list[str] = []
    for document in read_testset(path):
        try:
            its_options = parse(rest, environment, below=document.words)
            job = CtestJob(its_options, its_options.overrides(), document)
            job.prepare()
            jobs.append(job)
        except BadInput as error:
            problems += [f"{path}: document {document.number}: {problem}" for problem in error.violations]
    if problems:
        raise BadInput(*problems)
    return jobs


def run(options: Options, jobs: Sequence[CtestJob], environment: Mapping[str, str],
        show: Callable[[Sequence[CaseRecord]], None]) -> int:
    """Run the documents, and let ``show`` tell of their cases.

    Returns the status of the first document that failed, after which only --continue goes on; 77 if all were skipped.
    """
    path = _path(options)
    outcomes: list[CtestOutcome] = []
    cases: list[CaseRecord] = []
    try:
        with interruptible():
            for job in jobs:
                words = shlex.join(job.document.words) if job.document else ""
                print(f"== {path}: document {_number(job)}: {words}".rstrip(": "), flush=True)
                outcomes.append(_outcome(job, environment, cases.extend))
                if outcomes[-1].status not in PASSED and not (options.keep_going or job.options.keep_going):
                    break
    except Interrupted as error:
        outcomes.append(CtestOutcome(error.exit_status))
        raise
    finally:
        if not jobs[0].overrides.dry_run:
            show(cases)
        print("\n".join(_summary(path, jobs, outcomes)), flush=True)
    return overall([outcome.status for outcome in outcomes])


def _path(options: Options) -> Path:
    assert options.testset is not None  # what makes the mode
    return options.testset


def _number(job: CtestJob) -> int:
    return job.document.number if job.document else 0


def _outcome(job: CtestJob, environment: Mapping[str, str],
             hear: Callable[[Sequence[CaseRecord]], None]) -> CtestOutcome:
    """What the job came to; what could not be run is told here, for the next document may run."""
    try:
        return job.run(environment, hear)
    except Interrupted:
        raise
    except BenchError as error:
        print(f"error: {error}", flush=True)
        return CtestOutcome(error.exit_status)


def _summary(path: Path, jobs: Sequence[CtestJob], outcomes: Sequence[CtestOutcome]) -> Iterator[str]:
    yield f"== {path}: summary" + (" (dry run: nothing was measured)" if jobs[0].overrides.dry_run else "")
    for job, outcome in zip(jobs, [*outcomes, *[None] * len(jobs)], strict=False):
        if outcome is None:
            yield f"document {_number(job)}: not run"
            continue
        failed = [case for case in outcome.cases if case.status not in PASSED]
        skipped = sum(case.status == 77 for case in outcome.cases)
        yield (f"document {_number(job)}: {len(outcome.cases) - len(failed) - skipped} passed, {len(failed)} "
               f"failed, {skipped} skipped, status {outcome.status}")
        yield from (f"  failed: {case.option}, status {case.status}" for case in failed)
