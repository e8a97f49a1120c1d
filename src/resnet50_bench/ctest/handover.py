"""The data exchanged between ctest.sh and the cases that ctest starts.

Each case reads its ``Overrides`` from a file that an environment variable names, and appends a ``CaseRecord`` of its
end, a JSON line, to another one.
"""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Infrastructure, RunFailed, UnsupportedCpu
from ..files import read_text
from ..result.gated import Gated
from .config import Rules

#: The variable with the file's path.
VARIABLE = "RESNET50_BENCH_OVERRIDES"
#: The statuses of cases that did not fail: passed and skipped.
PASSED = (0, UnsupportedCpu.exit_status)
#: ctest's own status if a test failed.
_TESTS_FAILED = 8
#: What ctest's log has of a test that could not be started.
_NOT_STARTED = ("Failed to change working directory", "Unable to find executable", "Could not find executable",
                "Process not started")


@dataclass(frozen=True)
class Overrides:
    """Parameter texts by their source, and how to run."""

    flags: Mapping[str, str] = field(default_factory=dict)
    #: One for each run, in their order; ``burst`` neighbours run at once.
    points: Sequence[Mapping[str, str]] = field(default_factory=lambda: [{}])
    burst: int = 1
    config: Rules = ()
    dry_run: bool = False
    keep_going: bool = False
    #: Whether the user named the only case to run. A missing input is then an error, not a reason to skip.
    named: bool = False
    backend_options: str = ""
    attachments: Sequence[str] = ()
    #: The references file that each case's result is judged by; empty: no gate.
    gate: str = ""
    #: Whether a result without a reference passes.
    allow_missing: bool = False
    #: A file that each case appends its exit status to, and one whose presence means: start nothing more.
    statuses: str = ""
    stop_file: str = ""
    #: A file that each case writes its name to when it starts.
    started: str = ""

    def begin(self, option: str) -> None:
        """Tell that a case has started. Raises RunFailed where ctest.sh was ended."""
        if self.stop_file and Path(self.stop_file).exists():
            raise RunFailed("not started: ctest.sh was ended by a signal")
        if self.started:
            Path(self.started).write_text(option)

    def tell(self, record: CaseRecord) -> None:
        """Append a case's end. Several cases may do so at once."""
        if self.statuses:
            with Path(self.statuses).open("a") as stream:
                stream.write(json.dumps(dataclasses.asdict(record)) + "\n")

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | None) -> Overrides:
        """Read the file of ``write``. Without ctest.sh, nothing is overridden."""
        return cls(**json.loads(Path(path).read_text())) if path else cls()


@dataclass
class CaseRecord:
    """``option``: the case's name without the workload; ``why``: of a status that is not 0; ``logs``: its logs folder,
    empty where none was made; ``gate``: what its result was judged by, None where no gate was asked for or reached.
    ``variables`` and ``words``: what runs the case again as it was typed, without the choice of cases."""

    option: str
    status: int = 1
    why: str = ""
    logs: str = ""
    gate: Gated | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    words: Sequence[str] = field(default_factory=list)


def read_records(file: Path) -> list[CaseRecord]:
    """Read the records in the order in which the cases ended. Empty if none was started."""
    return list(map(_record, file.read_text().splitlines())) if file.exists() else []


def _record(line: str) -> CaseRecord:
    values = json.loads(line)
    gate = values.pop("gate")
    return CaseRecord(**values, gate=Gated(**gate) if gate else None)


def overall(statuses: Sequence[int]) -> int:
    """The first of a failure; else 77 if all were skipped: nothing has run, so nothing has passed."""
    failed = [status for status in statuses if status not in PASSED]
    return failed[0] if failed else UnsupportedCpu.exit_status if statuses and all(statuses) else 0


def status_of_all(records: Sequence[CaseRecord], of_ctest: int, build: Path) -> int:
    """The exit status of ctest.sh: of the first case that failed in its last try (--repeat), 77 if all were skipped.

    ``of_ctest`` is ctest's, or 128+N where signal N ended ctest. It counts if no case explains it.
    Raises RunFailed for a case that ended without a word, Infrastructure if ctest itself failed.
    """
    of_cases = overall(list({record.option: record.status for record in records}.values()))
    if of_cases not in PASSED or of_ctest == 0:
        return of_cases
    if 128 < of_ctest < 128 + signal.NSIG:
        return of_ctest
    log = build / "Testing/Temporary/LastTest.log"
    said = read_text(log) or ""
    if of_ctest == _TESTS_FAILED and not any(sign in said for sign in _NOT_STARTED):
        raise RunFailed(f"a case was killed before it could say why, perhaps for lack of memory; see {log}")
    why = next((line for line in said.splitlines() if any(sign in line for sign in _NOT_STARTED)), "no reason given")
    raise Infrastructure(f"ctest could not run the cases (its status {of_ctest}): {why}; see {log}")
