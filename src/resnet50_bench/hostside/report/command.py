"""``report [FOLDER...] --output FILE.html``: folders with results enter, one self-contained HTML file leaves."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path

from ...errors import BadInput
from ..build_folder import build_folder
from ..collection import find
from ..list_command import WORKLOAD_FOLDER, Parser
from .markup import plural
from .page import page


def parser() -> Parser:
    """The options."""
    made = Parser(prog="report", allow_abbrev=False, description="One HTML file about the results below folders; it "
                  "needs no network and can be mailed, printed and read on a phone.")
    made.add_argument("folders", nargs="*", type=Path, metavar="FOLDER",
                      help=f"default: {WORKLOAD_FOLDER} of the build folder, else the current folder")
    made.add_argument("--output", type=Path, required=True, metavar="FILE.html", help="an earlier one is replaced")
    made.add_argument("--title", default="ResNet50 on CPUs", help="the heading")
    return made


def main(argv: list[str]) -> int:
    """Write the report; what is no result is named on stderr and in the report."""
    words = parser().parse_args(argv)
    if words.output.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--output {words.output}: a name ending in .html is wanted, so that browsers open it")
    usual = build_folder() / WORKLOAD_FOLDER
    notices: list[str] = []
    # Thousands of parsed results hold no cycles: the collector would look through them again and again for nothing.
    collects = gc.isenabled()
    gc.disable()
    try:
        entries = find(words.folders or [usual if usual.is_dir() else Path()], notices)
        text = page(entries, notices, words.title)
    finally:
        if collects:
            gc.enable()
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    _write(words.output, text)
    print(f"{words.output}: {plural(len(entries), 'result')}, {len(text.encode()) / 1e6:.1f} MB")
    return 0


def _write(path: Path, text: str) -> None:
    """So that a reader sees the old file or the whole new one."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"--output {path} cannot be written: {error.strerror or error}") from error
