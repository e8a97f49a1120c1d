"""A ``--testset`` file (YAML documents) -> the cases and ctest.sh words of each document, run one after another.

    testcase: test_resnet50_pytorch_xeon_public_inference_throughput_amx_int8
    BATCH_SIZE: 32 64
    loop: 3
    ---
    cases: ["*_latency_*_gated", "!/avx_fp32/"]
    set: {STEPS: 20, WARMUP_STEPS: 5}
    config: tuned.yaml
    TIMEOUT: 600

The keys and ``/regex/`` and ``!/regex/`` are WSF's (its ctest.md); globs, ``cases``, ``set``, ``attach``, ``gate``,
``allow-missing`` and ``continue`` come on top.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from .. import WORKLOAD
from ..case.parameters import CATALOGUE
from ..errors import BadInput, BenchError, Interrupted
from ..signals import interruptible
from ..spelling import nearest
from ..yaml_files import Scalar, Value, Values, decoded, load_yaml, shown, text_of
from . import settings
from .choice import CasesDocument, is_regex, regex_of
from .ctest_call import CtestJob, CtestOutcome
from .handover import PASSED, CaseRecord, overall
from .options import Options, parse

_CASES = ("testcase", "cases")
_FILES = {"config": "--config", "test-config": "--config", "gate": "--gate", "attach": "--attach"}
_COUNTS = ("loop", "run", "burst")
_SWITCHES = ("continue", "allow-missing")
EVERY_KEY = (*_CASES, "set", *_COUNTS, "options", *_SWITCHES, "BENCHMARK", *_FILES, *settings.NAMES)
_Count = Annotated[int, msgspec.Meta(ge=1, le=10**9, description="a number: 1, 2, 3 ... are allowed")]
_Switch = Annotated[bool, msgspec.Meta(description="true or false")]
_Patterns = Annotated[Scalar | list[Scalar], msgspec.Meta(
    description="a case, a glob, /regex/ or !/regex/, or a list of them")]
_Set = Annotated[dict[str, Values] | Scalar | list[Scalar], msgspec.Meta(
    description='NAME: VALUE lines, "NAME=VALUE ..." or a list of such')]


def read_testset(path: Path) -> list[CasesDocument]:
    """Read the documents in order. Raises BadInput with a line for each error and its document."""
    documents = []
    problems: list[str] = []
    for number, content in enumerate(load_yaml(path), start=1):
        if content is None:
            continue
        place = f"{path}: document {number}"
        try:
            lines = decoded(place, content, dict[Any, Any])
            documents.append(_document(number, place, lines, path.parent))
        except BadInput as error:
            problems += error.violations
    if not documents and not problems:
        problems.append(f"{path} contains no document")
    if problems:
        raise BadInput(*problems)
    return documents


def _document(number: int, place: str, lines: Mapping[object, object], beside: Path) -> CasesDocument:
    patterns: list[str] = []
    words: list[str] = []
    bad: list[str] = []
    for key, value in lines.items():
        name = key if isinstance(key, str) else shown(key)
        try:
            if name in _CASES:
                patterns += _patterns(_texts(name, value, _Patterns))
            else:
                words += _words(name, value, beside)
        except BadInput as error:
            bad += [f"{place}: {violation}" for violation in error.violations]
    if not patterns and not bad:
        bad.append(f"{place}: it names no case: testcase or cases is needed, such as cases: '*_gated'")
    if bad:
        raise BadInput(*bad)
    return CasesDocument(number, patterns, words)


def _patterns(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        regex = text.removeprefix("!")
        if regex != text and not is_regex(regex):
            raise BadInput(f"{text} is not a pattern: to exclude cases use a regular expression, for example "
                           "!/avx_fp32/")
        if is_regex(regex):
            regex_of(regex)
        yield text


def _words(key: str, value: object, beside: Path) -> list[str]:
    """The ctest.sh words for one key and its value. Raises BadInput."""
    if key in CATALOGUE and key not in settings.NAMES:
        return [f"--set={key}={' '.join(_texts(key, value))}"]
    if key in _FILES:
        return [f"{_FILES[key]}={_file(name, beside)}" for name in _texts(key, value)]
    if key in _COUNTS:
        return [f"--{key}={decoded(key, value, _Count, strict=False)}"]
    if key in _SWITCHES:
        return [f"--{key}"] if decoded(key, value, _Switch, strict=False) else []
    if key == "options":
        return [f"--options={' '.join(_texts(key, value))}"]
    if key == "set":
        lines = decoded(key, value, _Set)
        if isinstance(lines, dict):
            return [f"--set={name}={' '.join(_texts(f'{key}.{name}', below))}" for name, below in lines.items()]
        return [f"--set={pair}" for pair in _texts(key, value)]
    if key not in EVERY_KEY:
        raise BadInput(f"{key} is neither a key nor a parameter{nearest(key, (*EVERY_KEY, *CATALOGUE))}; the keys are "
                       f"{', '.join(EVERY_KEY)}")
    text = text_of(key, decoded(key, value, Value))
    if key == "BENCHMARK":  # WSF's choice of a workload; here there is one
        if WORKLOAD not in text.lower().replace("-", "_"):
            raise BadInput(f"{key}: {text} is another workload; this one is {WORKLOAD}")
        return []
    if wrong := settings.problem(key, text) if text else "is empty":
        raise BadInput(f"{key}: {text!r} {wrong}")
    return [f"--{key.lower()}={text}"]


def _texts(key: str, value: object, wanted: object = Values) -> list[str]:
    """A single value or a list of them, as texts. Raises BadInput."""
    values = decoded(key, value, wanted)
    return [text_of(key, scalar) for scalar in (values if isinstance(values, list) else [values])]


def _file(name: str, beside: Path) -> Path:
    """Find a file from the current folder, as WSF does, or else beside the testset. Raises BadInput."""
    for path in (Path(name), beside / name):
        try:
            if name and path.is_file():
                return path
        except OSError:  # the name is too long
            break
    raise BadInput(f"{name}: there is no such file, neither here nor beside the testset")


#: A document and the call of ctest that it asks for.
Job = tuple[CasesDocument, CtestJob]


def prepared(options: Options, environment: Mapping[str, str]) -> list[Job]:
    """A job for each document: its words, then the command line's, so that the latter win. Raises BadInput."""
    assert options.testset is not None  # what makes the mode
    rest = options.words_without("--testset", "--nohup", "--daemon")
    jobs = []
    problems: list[str] = []
    for document in read_testset(options.testset):
        try:
            its_options = parse(rest, environment, below=document.words)
            job = CtestJob(its_options, its_options.overrides(), document)
            job.prepare()
            jobs.append((document, job))
        except BadInput as error:
            problems += [f"{options.testset}: document {document.number}: {problem}" for problem in error.violations]
    if problems:
        raise BadInput(*problems)
    return jobs


def run(options: Options, jobs: Sequence[Job], environment: Mapping[str, str],
        show: Callable[[Sequence[CaseRecord]], None]) -> int:
    """Run the documents, and let ``show`` tell of their cases.

    Returns the status of the first document that failed, after which only --continue goes on; 77 if all were skipped.
    """
    outcomes: list[CtestOutcome] = []
    cases: list[CaseRecord] = []
    try:
        with interruptible():
            for document, job in jobs:
                words = shlex.join(document.words)
                print(f"== {options.testset}: document {document.number}: {words}".rstrip(": "), flush=True)
                outcomes.append(_outcome(job, environment, cases.extend))
                if outcomes[-1].status not in PASSED and not (options.keep_going or job.options.keep_going):
                    break
    except Interrupted as error:
        outcomes.append(CtestOutcome(error.exit_status))
        raise
    finally:
        if not options.dry_run:
            show(cases)
        print("\n".join(_summary(options, jobs, outcomes)), flush=True)
    return overall([outcome.status for outcome in outcomes])


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


def _summary(options: Options, jobs: Sequence[Job], outcomes: Sequence[CtestOutcome]) -> Iterator[str]:
    yield f"== {options.testset}: summary" + (" (dry run: nothing was measured)" if options.dry_run else "")
    for (document, _), outcome in itertools.zip_longest(jobs, outcomes):
        if outcome is None:
            yield f"document {document.number}: not run"
            continue
        failed = [case for case in outcome.cases if case.status not in PASSED]
        skipped = sum(case.status == 77 for case in outcome.cases)
        yield (f"document {document.number}: {len(outcome.cases) - len(failed) - skipped} passed, {len(failed)} "
               f"failed, {skipped} skipped, status {outcome.status}")
        yield from (f"  failed: {case.option}, status {case.status}" for case in failed)
