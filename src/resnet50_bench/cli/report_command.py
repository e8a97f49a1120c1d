"""``report [FOLDER...] --output FILE.html``: folders with results enter, one self-contained HTML file leaves.

With ``--png FOLDER`` its charts leave as PNG files, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..arguments import Parser
from ..ctest.build_folder import WORKLOAD_FOLDER, build_folder
from ..errors import BadInput
from ..history.collection import Entry, find, uncollected
from ..report import plots
from ..report.markup import plural
from ..report.page import page


def parser() -> Parser:
    """The options."""
    made = Parser("resnet50-bench report", "One HTML file about the results below folders; it needs no network and can "
                  "be mailed, printed and read on a phone.", "resnet50-bench report --output report.html")
    made.add_argument("folders", nargs="*", type=Path, metavar="FOLDER",
                      help=f"default: {WORKLOAD_FOLDER} of the build folder, else the current folder")
    made.add_argument("--output", type=Path, required=True, metavar="FILE.html", help="an earlier one is replaced")
    made.add_argument("--png", type=Path, metavar="FOLDER", help="draw the charts as PNG files there, too; earlier "
                      "ones of the same names are replaced")
    made.add_argument("--title", default="ResNet50 on CPUs", help="the heading")
    return made


def main(argv: list[str]) -> int:
    """Write the report; what is no result is named on stderr and in the report."""
    words = parser().parse_args(argv)
    if words.output.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--output {words.output}: a name ending in .html is wanted, so that browsers open it")
    if words.png:
        plots.require_matplotlib()
        _make_folder(words.png)
    usual = build_folder() / WORKLOAD_FOLDER
    notices: list[str] = []
    with uncollected():
        entries = find(words.folders or [usual if usual.is_dir() else Path()], notices)
        text = page(entries, notices, words.title)
    _write("--output", words.output, text.encode())
    drawn = _draw(words.png, entries, notices) if words.png else 0
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    print(f"{words.output}: {plural(len(entries), 'result')}, {len(text.encode()) / 1e6:.1f} MB")
    if words.png:
        print(f"{words.png}: {plural(drawn, 'picture')}")
    return 0


def _draw(folder: Path, entries: Sequence[Entry], notices: list[str]) -> int:
    """How many pictures were written."""
    drawn = 0
    for name, picture in plots.pictures(entries, notices):
        _write("--png", folder / name, picture)
        drawn += 1
    return drawn


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--png {folder} cannot be made ({error.strerror}): name a folder") from error


def _write(option: str, path: Path, content: bytes) -> None:
    """So that a reader sees the old file or the whole new one."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"{option} {path} cannot be written: {error.strerror or error}") from error
