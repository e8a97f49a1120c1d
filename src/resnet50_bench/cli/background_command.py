"""``status``, ``stop`` and ``background FOLDER LOG WORDS...``: background runs."""

from __future__ import annotations

from pathlib import Path

from ..arguments import Parser, number_of
from ..ctest import background
from ..ctest.build_folder import build_folder
from ..ctest.options import STATUS_LINES
from ..files import json_text
from .tree import PROG
from .tree import main as command_line


def status_parser() -> Parser:
    """The options of ``status``."""
    options = Parser(f"{PROG} status", "Show the runs that ctest.sh --nohup and --daemon started, and their progress.",
                     f"{PROG} status --lines 10")
    options.add_argument("--lines", type=number_of(0), default=STATUS_LINES, metavar="N",
                         help=f"show the last N lines of each log (default {STATUS_LINES})")
    options.add_argument("--json", action="store_true", help="print one JSON document")
    return options


def stop_parser() -> Parser:
    """The options of ``stop``."""
    options = Parser(f"{PROG} stop", "End background runs as Ctrl-C does, and wait until they have ended.",
                     f"{PROG} stop nightly")
    options.add_argument("prefix", nargs="?", default="", metavar="PREFIX",
                         help="only runs whose name begins with PREFIX (default: all)")
    return options


def status(argv: list[str]) -> int:
    """Print the runs and their progress."""
    words = status_parser().parse_args(argv)
    if words.json:
        print(json_text(background.records(build_folder()), indent=1))
        return 0
    return background.show(build_folder(), words.lines)


def stop(argv: list[str]) -> int:
    """End runs. Raises BadInput if no name matches, Infrastructure if one does not end."""
    return background.stop(build_folder(), stop_parser().parse_args(argv).prefix)


def parser() -> Parser:
    """The words of ``background``, which ctest.sh calls."""
    options = Parser(f"{PROG} background", "Run ctest.sh's arguments in a process without a terminal.",
                     "./ctest.sh --nohup -V -R gated", usage="resnet50-bench background FOLDER LOG WORDS ...")
    options.add_argument("folder", type=Path, help="the folder that --nohup made for this run")
    options.add_argument("log", help="where the output goes")
    return options


def main(argv: list[str]) -> int:
    """``background FOLDER LOG WORDS...``: what ``launch`` starts."""
    words = parser().parse_args(argv[:2])
    return background.run(words.folder, words.log, argv[2:], lambda words: command_line(["ctest", *words]))
