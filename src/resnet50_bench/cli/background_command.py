"""``background FOLDER LOG WORDS...``: ctest.sh's words, run by a process that has left the terminal."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from ..backends.owner import start_ticks
from ..ctest.background import boot_id
from ..files import write_json
from ..signals import interruptible
from .tree import main as command_line


def main(argv: list[str]) -> int:
    """``background FOLDER LOG WORDS...``: what ``launch`` starts."""
    folder, log, *words = argv
    status = 1
    try:
        with interruptible():
            write_json(Path(folder) / "run.json", {
                "pid": os.getpid(), "ticks": start_ticks(os.getpid()), "boot": boot_id(), "log": log, "words": words,
                "started": datetime.now().isoformat(" ", "seconds")})
            status = command_line(["ctest", *words])
    except BaseException as error:
        status = getattr(error, "exit_status", status)
        raise
    finally:
        temporary = Path(folder) / ".status"
        temporary.write_text(f"{status}\n")
        temporary.replace(temporary.with_name("status"))
    return status
