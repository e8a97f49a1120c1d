"""Every way to fail, each with its exit status, which users and CI rely on; caught once, in ``__main__``."""

from __future__ import annotations

from collections.abc import Sequence


class BenchError(Exception):
    """Base of all failures that a user may meet. ``str(error)`` is what the user reads."""

    exit_status = 1


class RunFailed(BenchError):
    """The run broke or its result is invalid: an instance died, the ISA was not the one asked for."""

    exit_status = 1


class BadInput(BenchError):
    """What the user gave cannot be used: one line for each violation.

    ``notices`` help to understand it, such as the names of omitted files. They are no errors.
    """

    exit_status = 2

    def __init__(self, *violations: str, notices: Sequence[str] = ()) -> None:
        super().__init__("\n".join(violations))
        self.violations = violations
        self.notices = notices


class DoesNotFit(BadInput):
    """This point cannot be measured here, because memory or a proof is missing; a sweep goes on with others."""


class Infrastructure(BenchError):
    """The engine, image, scheduler, environment or disk failed, not the measurement."""

    exit_status = 3


class Regression(BenchError):
    """A gate found the result worse than its reference."""

    exit_status = 4


class Skipped(BenchError):
    """Nothing is wrong, and nothing can be measured here. 77 is what CTest's SKIP_RETURN_CODE is set to."""

    exit_status = 77


class UnsupportedCpu(Skipped):
    """This CPU cannot run the precision."""


class Interrupted(BenchError):
    """Ended by a signal; the exit status is 128 + its number."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_status = 128 + signum
