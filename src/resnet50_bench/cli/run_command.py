"""``run [--flag=value ...]``: one case, from parameters to log, result file and exit status."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from ..arguments import Parser
from ..case.flags import add_parameters, parse_flags
from ..errors import BadInput
from .tree import PROG


def parser() -> Parser:
    """The parser of ``run``, which takes only parameters."""
    options = Parser(f"{PROG} run", "Run one case on this machine. Its log, its result and the instances' logs are "
                     "written to the current folder.", f"{PROG} run --mode=latency --precision=amx_int8 --batch_size=1",
                     usage=f"{PROG} run [--PARAMETER=VALUE ...]")
    add_parameters(options)
    return options


def main(argv: list[str]) -> int:
    """Run the case that the flags and the environment describe, in the current folder."""
    flags, others = parse_flags(argv)
    try:
        parser().parse_args(others)
    except BadInput as error:
        from ..launch.refusal import log_refusal

        log_refusal(flags, os.environ, error, datetime.now(timezone.utc))
        raise
    from .one_run import run  # --help need not wait for what runs a case

    run(flags, os.environ)
    return 0
