"""``ctest.sh``: our options are taken out, the rest goes to ctest, which starts a ``case`` for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from .. import __version__, backends
from ..case.flags import plain_text
from ..ctest.handover import PASSED, CaseRecord
from ..ctest.options import Mode, Options, parse, parser


def main(argv: list[str], environment: Mapping[str, str] | None = None) -> int:
    """Run ``ctest.sh``. Returns the status of the first failed case, as errors.py numbers them."""
    environment = dict(os.environ) if environment is None else environment
    if {"--help", "-h", "-H"} & {*argv}:
        parser().print_help()
        return 0
    if "--version" in argv:
        print(f"resnet50-bench {__version__}", flush=True)
        return subprocess.run(["ctest", "--version"], check=False).returncode if shutil.which("ctest") else 0
    options = parse(argv, environment)
    if options.mode not in (Mode.RUN, Mode.SWEEP, Mode.TESTSET):
        return _answer(options)
    start = _prepared(options, environment)
    if options.background_log is None:
        return start()
    from ..ctest import background
    from ..ctest.build_folder import build_folder

    return background.launch(build_folder(), options)


def _answer(options: Options) -> int:
    """Answer a mode that runs no case."""
    from ..ctest import background  # --help need not wait for what does the rest
    from ..ctest.build_folder import build_folder, configured

    if options.mode is Mode.STATUS:
        return background.show(build_folder(), options.status or 0)
    if options.mode is Mode.STOP:
        return background.stop(build_folder(), options.stop or "")
    if options.mode is Mode.CHECK_IMAGE:
        of_the_build = {name: text for name in ("BACKEND", "REGISTRY", "RELEASE")
                        if (text := configured(build_folder(), name))}
        return backends.check_docker_image({**of_the_build, **options.settings})
    if options.mode is Mode.DOCTOR:
        from . import doctor_command  # with all that judges results

        return doctor_command.main([])
    print(plain_text())
    return 0


def _prepared(options: Options, environment: Mapping[str, str]) -> Callable[[], int]:
    """The call that runs the cases. Raises BadInput before anything starts."""
    from ..ctest.ctest_call import CtestJob

    if options.mode is Mode.SWEEP:
        from . import ctest_sweep

        return partial(ctest_sweep.run, options, ctest_sweep.words(options), environment)
    if options.mode is Mode.TESTSET:
        from ..ctest import testset

        return partial(testset.run, options, testset.prepared(options, environment), environment, _show_cases)
    job = CtestJob(options, options.overrides())
    if options.background_log is not None:
        job.prepare()
    show = (lambda _: None) if options.lists else _show_failed if options.dry_run else _show_cases
    return lambda: job.run(environment, show).status


def _show_failed(cases: Sequence[CaseRecord]) -> None:
    _show_cases([case for case in cases if case.status not in PASSED])


def _show_cases(cases: Sequence[CaseRecord]) -> None:
    from .result_card import show_cases  # with all that reads results

    show_cases(cases)
