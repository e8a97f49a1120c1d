"""What ctest.sh hands to each case, which ctest starts: written to a file that an environment variable names."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .config import Rules

#: How the cases find the file.
VARIABLE = "RESNET50_BENCH_OVERRIDES"


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
    #: Whether the user named the one case that is run: what it lacks is then an error, not a reason to skip it.
    named: bool = False
    backend_options: str = ""
    attachments: Sequence[str] = ()
    #: The references file that each case's result is judged by; empty: no gate.
    gate: str = ""
    #: Whether a result passes that the file has no reference for.
    allow_missing: bool = False
    #: A file that each case appends its exit status to, and one whose presence means: start nothing more.
    statuses: str = ""
    stop_file: str = ""
    #: A file that each case writes its name to when it starts.
    started: str = ""

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | None) -> Overrides:
        """Read what ``write`` wrote; nothing overridden where a case is run without ctest.sh."""
        return cls(**json.loads(Path(path).read_text())) if path else cls()
