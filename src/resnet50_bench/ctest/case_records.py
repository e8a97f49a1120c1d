"""What each case tells ctest.sh of its end, which ctest itself would hide: a JSON line a case in one file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class CaseRecord:
    """``option``: the case's name without the workload; ``why``: of a status that is not 0; ``logs``: its logs folder,
    empty where none was made."""

    option: str
    status: int = 1
    why: str = ""
    logs: str = ""

    def append(self, file: Path) -> None:
        """Add the line; cases may do so at once."""
        with file.open("a") as stream:
            stream.write(json.dumps(dataclasses.asdict(self)) + "\n")


def read(file: Path) -> list[CaseRecord]:
    """In the order in which the cases ended; none where no case was started."""
    return [CaseRecord(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
