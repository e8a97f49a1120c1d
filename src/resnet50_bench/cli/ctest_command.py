"""``ctest.sh``: our options are taken out, the rest goes to ctest, which starts a ``case`` for each test."""

from __future__ import annotations

import os

from .. import backends
from ..ctest import background
from ..ctest.build_folder import build_folder
from ..ctest.ctest_call import Job, without_callers
from ..ctest.options import parse, parser
from . import describe_command
from .testset_command import run_testset, testset_jobs


def main(argv: list[str]) -> int:
    """Run ctest; the exit status is the first failed case's, in the contract's meaning."""
    if {"--help", "-h", "-H"} & set(argv):
        parser().print_help()
        return 0
    ours, overrides, for_ctest = parse(argv)
    if ours.describe_params:
        return describe_command.main([])
    if ours.doctor:
        from . import doctor_command  # before the set-up -N and --help do without msgspec

        return doctor_command.main([])
    if ours.check_docker_image:
        return backends.check_docker_image()
    if ours.status is not None:
        return background.show(build_folder(), ours.status)
    if ours.stop is not None:
        return background.stop(build_folder(), ours.stop)
    jobs = testset_jobs(ours.testset, argv) if ours.testset else [Job(ours, overrides, for_ctest)]
    if ours.nohup is not None or ours.daemon is not None:
        jobs[0].prepare()  # what is wrong is said where the user still looks
        return background.launch(build_folder(), ours, argv)
    if ours.testset:
        return run_testset(ours.testset, jobs, ours.keep_going)
    if ours.sweep is not None:
        from . import ctest_sweep

        if ours.noenv:
            kept = without_callers(os.environ)
            os.environ.clear()
            os.environ.update(kept)
        return ctest_sweep.main(ours, overrides, for_ctest)
    return jobs[0].run().status
