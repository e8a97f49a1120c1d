"""``report [FOLDER...]``: folders with results -> one HTML file beside them, with ``--png`` its charts as PNG, too."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..arguments import Parser
from ..ctest.build_folder import USUAL_RESULTS, readable_results
from ..errors import BadInput
from ..files import readable, replacing
from ..history.collection import find, uncollected
from ..report import drawing
from ..report.page import page
from ..spelling import plural

USUAL = "report.html"


def parser() -> Parser:
    options = Parser("resnet50-bench report", "Write one HTML file about all results in the folders. It needs no "
                     "network. You can mail it, print it and read it on a phone.",
                     "resnet50-bench report --png pictures")
    add = options.add_argument
    add("folders", nargs="*", type=Path, metavar="FOLDER", help=f"default: {USUAL_RESULTS}")
    add("--output", type=Path, metavar="FILE.html",
        help=f"the file (default: {USUAL} in the first folder). An earlier one is replaced")
    add("--png", type=Path, metavar="FOLDER",
        help="also write the charts as PNG files to FOLDER. Earlier files with the same names are replaced")
    add("--title", default="ResNet50 on CPUs", help="the heading of the page")
    return options


def main(argv: list[str]) -> int:
    """Write the report. Files that are not results are named on stderr and in the report."""
    words = parser().parse_args(argv)
    output = _output(words.output, folders := words.folders or [readable_results()])
    notices: list[str] = []
    gallery = drawing.Gallery()
    with uncollected():
        entries = find(folders, notices)
        text = readable(page(entries, notices, words.title, gallery))
    if words.png:
        _make_folder(words.png)
    _write("--output", output, text.encode())
    drawn = 0
    for name, picture in gallery.pictures() if words.png else ():
        _write("--png", words.png / name, picture)
        drawn += 1
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    print(f"{output}: {plural(len(entries), 'result')}, {len(text.encode()) / 1e6:.1f} MB")
    if words.png:
        print(f"{words.png}: {plural(drawn, 'picture')}")
    return 0


def _output(named: Path | None, folders: Sequence[Path]) -> Path:
    """The path of the page: the user's, else beside the logs."""
    if named is None:
        return (folders[0] if folders[0].is_dir() else folders[0].parent) / USUAL
    if named.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--output {named}: the name must end with .html")
    return named


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--png {folder} cannot be made ({error.strerror}): name a folder") from error


def _write(option: str, path: Path, content: bytes) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{option} {path} cannot be written: {error.strerror or error}") from error
