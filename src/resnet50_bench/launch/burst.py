"""A run's environment enters; how many runs share its cores at once leaves, and the lines that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import BadInput

#: Set by ``ctest.sh --burst N``; beside the parameters, so that it reaches a container as they do.
VARIABLE = "RESNET50_BENCH_BURST"


def copies(environment: Mapping[str, str]) -> int:
    """How many runs share the cores, this one counted. Raises BadInput for what is no number above 0."""
    text = environment.get(VARIABLE) or "1"
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise BadInput(f"{VARIABLE}={text!r} is not a number of runs at once: 1, 2, 3 ... are allowed; ctest.sh "
                       "--burst sets it")
    return int(text)


def lines(count: int) -> Iterator[str]:
    """For the log; ``BURST`` is what kpi.sh looks for."""
    if count > 1:
        yield f"BURST: {count}"
        yield (f"NOTICE: one of {count} runs at once, all of which were placed on the same cores: its numbers are "
               "those of a disturbed run")
