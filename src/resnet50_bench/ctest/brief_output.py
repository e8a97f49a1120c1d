"""What ``ctest -V`` prints of cases -> what ``ctest.sh -V`` shows: their way and what is wrong, not their whole logs.

The log file has every line, and so has what ctest keeps (JUnit); ``ctest.sh -VV`` shows them all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from ..case.parameters import CATALOGUE

#: ctest's own words and measurements, a card, ``## NAME: value`` and ``Key (unit): value`` of kpi.sh, ``NAME: value``
#: of the log. What the VERDICT line says stands in those of the checks and of kpi.sh.
_LINES_OF_LOGS = re.compile(
    r"Test command: |Working Directory: |Test timeout computed|<CTestMeasurement|-- |   [A-Z]|"
    r"## |\w[\w. ]*\([^)]+\): [\d.]+$|Instance \d+: |Layer: |"
    r"(FRAMEWORK|Throughput|Allocator|Images|Achieved|VERDICT|RESULT: passed)\b|[A-Z][A-Za-z]*_[\w.]+: |"
    rf"({'|'.join(CATALOGUE)}): ")
_KEPT = re.compile(r"(Total_Throughput|Bad_Image)\b")
_CHECK = re.compile(r"Check: \[(ok|unknown)\] ")
#: ctest's number of the test, and which of several runs at once.
_PREFIX = re.compile(r"((?:\d+: )?(?:\[itr-\d+\] )?)(.*)", re.S)


class Brief:
    """Takes lines in, says which to show. Checks that are well, or that cannot be made here, become one line."""

    def __init__(self) -> None:
        self._well: dict[str, Counter[str]] = {}

    def shown(self, line: str) -> list[str]:
        """The lines to show after this one, without their ends."""
        match = _PREFIX.fullmatch(line)
        prefix, text = (match[1], match[2]) if match else ("", line)
        if check := _CHECK.match(text):
            self._well.setdefault(prefix, Counter())[check[1]] += 1
            return []
        before = []
        if text.startswith("VERDICT: ") and (counts := self._well.pop(prefix, None)):
            unknown = f", {counts['unknown']} cannot be made on this machine" if counts["unknown"] else ""
            before = [f"{prefix}{counts['ok']} check{'s' * (counts['ok'] != 1)} ok{unknown}"]
        if _KEPT.match(text) or not _LINES_OF_LOGS.match(text):
            return [*before, line]
        return before


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
