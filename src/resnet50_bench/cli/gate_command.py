"""``gate [LOGS]``: results, references and earlier results -> a judgement, JUnit XML, and status 4 for a regression."""

from __future__ import annotations

import sys
from pathlib import Path

from ..arguments import Parser, number_of
from ..checkout import typed
from ..ctest.build_folder import USUAL_RESULTS, readable_results
from ..errors import BadInput, Infrastructure, Regression, RunFailed
from ..files import json_text
from ..history import gate_words
from ..history.collection import Entry
from ..history.gate import Judgement, judge
from ..history.judgement import LAST
from ..history.references import read_references


def parser() -> Parser:
    options = Parser("resnet50-bench gate", "Compare the newest result of each case with references and earlier "
                     "results. Exit status 4: a regression. 1: a result has no reference, or a run failed.",
                     "resnet50-bench gate --references references.yaml --junit gate.xml")
    add = options.add_argument
    add("logs", nargs="?", type=Path, metavar="LOGS",
        help=f"a logs folder, or a folder with logs folders (default: {USUAL_RESULTS})")
    add("--references", type=Path, metavar="FILE", help="YAML: reference values with tolerances")
    add("--allow-missing", action="store_true", help="let results without a reference in FILE pass")
    add("--last", type=number_of(1), default=LAST, metavar="N", help="the number of earlier runs to compare with "
        f"(default {LAST})")
    add("--base", type=Path, metavar="FOLDER", help="the folder of the earlier results (default: the folder of the "
        "judged ones)")
    add("--json", action="store_true", help="print one JSON document instead of text")
    add("--junit", type=Path, metavar="FILE", help="also write JUnit XML to FILE")
    return options


def main(argv: list[str]) -> int:
    """Judge and print. Raises Regression, BadInput without results, RunFailed for a broken run."""
    words = parser().parse_args(argv)
    if words.base and not words.base.is_dir():
        raise BadInput(f"--base {words.base}: there is no such folder")
    if words.allow_missing and not words.references:
        raise BadInput("--allow-missing needs --references FILE")
    references = read_references(words.references) if words.references else None
    judgement = judge(words.logs or readable_results(), references, words.last, words.base, words.allow_missing)
    show(judgement, words.json)
    if words.junit:
        try:
            words.junit.write_bytes(gate_words.as_junit(judgement, remedy))
        except OSError as error:
            raise Infrastructure(f"--junit {words.junit} cannot be written: {error.strerror}") from error
    require_passed(judgement)
    return 0


def show(judgement: Judgement, as_json: bool = False) -> None:
    """Print the judgement on stdout, its notices on stderr."""
    for notice in judgement.notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    text = ([json_text(gate_words.as_record(judgement, remedy), indent=1)] if as_json
            else gate_words.lines(judgement, remedy))
    print("\n".join(text), flush=True)


def require_passed(judgement: Judgement) -> None:
    """Raises Regression or RunFailed with a line for each thing that fails the gate."""
    if judgement.status:
        kind = Regression if judgement.status == Regression.exit_status else RunFailed
        raise kind("\n".join(gate_words.errors(judgement, remedy)))


def remedy(entry: Entry, references: Path) -> str:
    """The command that adds the run to the references file. Absolute paths, because a case runs in another folder."""
    noisy = "--noisy " if entry.verdict == "noisy" else ""
    return f"{typed('scripts/resnet50-bench.sh')} reference {noisy}{entry.logs} >> {references.absolute()}"
