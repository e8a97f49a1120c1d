"""``ctest.sh``: our options are taken out, the rest goes to ctest, which starts a ``case`` for each test."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence

from ..ctest.handover import CaseRecord
from ..ctest.options import STATUS_LINES, Mode, Options, parse, parser

Environment = Mapping[str, str]


def main(argv: list[str], environment: Environment | None = None) -> int:
    """Do what the words ask for; of a run the first failed case's status, as errors.py numbers them."""
    environment = dict(os.environ) if environment is None else environment
    if {"--help", "-h", "-H"} & {*argv}:
        parser().print_help()
        return 0
    if "--version" in argv:
        return _version()
    options = parse(argv, environment)
    return MODES[options.mode](options, environment)


def _version() -> int:
    """Ours, and below it ctest's."""
    import shutil
    import subprocess

    from .. import __version__

    print(f"resnet50-bench {__version__}", flush=True)
    return subprocess.run(["ctest", "--version"], check=False).returncode if shutil.which("ctest") else 0


def _command(name: str) -> Callable[[Options, Environment], int]:
    """Another command of the tree, without words."""
    def run(options: Options, environment: Environment) -> int:
        status: int = importlib.import_module(f".{name}", __package__).main([])
        return status

    return run


def _check_image(options: Options, environment: Environment) -> int:
    from .. import backends
    from ..ctest.build_folder import build_folder, configured

    of_the_build = {name: text for name in ("BACKEND", "REGISTRY", "RELEASE")
                    if (text := configured(build_folder(), name))}
    return backends.check_docker_image({**of_the_build, **options.settings})


def _status(options: Options, environment: Environment) -> int:
    from ..ctest import background
    from ..ctest.build_folder import build_folder

    return background.show(build_folder(), STATUS_LINES if options.status is None else options.status)


def _stop(options: Options, environment: Environment) -> int:
    from ..ctest import background
    from ..ctest.build_folder import build_folder

    return background.stop(build_folder(), options.stop or "")


def _run(options: Options, environment: Environment) -> int:
    from ..ctest.ctest_call import CtestJob

    job = CtestJob(options, options.overrides())
    if options.background_log is not None:
        job.prepare()  # what is wrong is said where the user still looks
        return _in_background(options)
    return job.run(environment, (lambda _: None) if options.lists or options.dry_run else _show_cases).status


def _show_cases(cases: Sequence[CaseRecord]) -> None:
    from .result_card import show_cases  # with all that reads results

    show_cases(cases)


def _testset(options: Options, environment: Environment) -> int:
    from ..ctest import testset

    jobs = testset.prepared(options, environment)
    if options.background_log is not None:
        return _in_background(options)
    return testset.run(options, jobs, environment, _show_cases)


def _sweep(options: Options, environment: Environment) -> int:
    from . import ctest_sweep

    ctest_sweep.words(options)
    return _in_background(options) if options.background_log is not None else ctest_sweep.run(options, environment)


def _in_background(options: Options) -> int:
    from ..ctest import background
    from ..ctest.build_folder import build_folder

    return background.launch(build_folder(), options)


#: What is imported for one need not cost the others their time.
MODES: Mapping[Mode, Callable[[Options, Environment], int]] = {
    Mode.RUN: _run, Mode.DESCRIBE: _command("describe_command"), Mode.DOCTOR: _command("doctor_command"),
    Mode.CHECK_IMAGE: _check_image, Mode.STATUS: _status, Mode.STOP: _stop, Mode.SWEEP: _sweep, Mode.TESTSET: _testset}
