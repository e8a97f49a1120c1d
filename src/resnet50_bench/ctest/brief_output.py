"""The output of ``ctest -V`` -> the output of ``ctest.sh -V``: progress and problems of cases, not their complete logs.

The log file and ctest's records (JUnit) have every line. ``ctest.sh -VV`` shows them all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from ..result import card, logfile
from ..result.records import Verdict
from . import logs

#: ctest's own words on a test, and what is for ctest in a test's output.
_OF_CTEST = ("Test command: ", "Working Directory: ", "Test timeout computed", "<CTestMeasurement")
#: ctest's number of the test, and which of several runs at once.
_PREFIX = re.compile(r"((?:\d+: )?(?:\[itr-\d+\] )?)(.*)", re.S)


class Brief:
    """Selects the lines to show. Passed checks, and those not available here, become one line."""

    def __init__(self) -> None:
        self._well: dict[str, Counter[Verdict]] = {}

    def shown(self, line: str) -> list[str]:
        """The lines to show after this one, without their ends."""
        match = _PREFIX.fullmatch(line)
        prefix, text = (match[1], match[2]) if match else ("", line)
        verdict = logfile.checked(text)
        if verdict in (Verdict.OK, Verdict.UNKNOWN):
            self._well.setdefault(prefix, Counter())[verdict] += 1
            return []
        before = []
        if text.startswith(f"{logfile.VERDICT}: ") and (counts := self._well.pop(prefix, None)):
            well, missing = counts[Verdict.OK], counts[Verdict.UNKNOWN]
            unknown = f", {missing} cannot be made on this machine" if missing else ""
            before = [f"{prefix}{well} check{'s' * (well != 1)} ok{unknown}"]
        hidden = (text.startswith(_OF_CTEST) or logfile.is_detail(text) or card.is_line(text)
                  or logs.is_secondary(text))
        return before if hidden else [*before, line]


def pass_on(lines: Iterable[str], screen: TextIO) -> None:
    """Print those of ``lines`` that are to be seen, each as it comes.

    Once nobody reads the screen the rest is read and dropped: what writes the lines would hang in a full pipe.
    """
    brief = Brief()
    with suppress(BrokenPipeError):
        for line in lines:
            for text in brief.shown(line.rstrip("\n")):
                print(text, file=screen, flush=True)
    for _ in lines:
        pass
