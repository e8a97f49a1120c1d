"""ctest.sh's words -> our own options, parameter texts, and the words that go to ctest."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..arguments import Parser
from ..case.flags import parse_flags
from ..case.parameters import CATALOGUE, refusal
from ..errors import BadInput
from .config import Rules, read_config
from .set_values import MOST_POINTS, points

#: How the cases, which ctest starts, find what was given to ctest.sh.
OVERRIDES_VARIABLE = "RESNET50_BENCH_OVERRIDES"
#: What --status shows of each log.
STATUS_LINES = 3


@dataclass(frozen=True)
class Overrides:
    """What ctest.sh hands to each case: parameter texts by their source, and how to run."""

    flags: Mapping[str, str] = field(default_factory=dict)
    #: One for each run, in their order; ``burst`` neighbours run at once.
    points: Sequence[Mapping[str, str]] = field(default_factory=lambda: [{}])
    burst: int = 1
    config: Rules = ()
    dry_run: bool = False
    keep_going: bool = False
    backend_options: str = ""
    attachments: Sequence[str] = ()
    #: The references file that each case's result is judged by; empty: no gate.
    gate: str = ""
    #: A file that each case appends its exit status to, and one whose presence means: start nothing more.
    statuses: str = ""
    stop_file: str = ""

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | None) -> Overrides:
        """Read what ``write`` wrote; nothing overridden where a case is run without ctest.sh."""
        return cls(**json.loads(Path(path).read_text())) if path else cls()


def parser() -> argparse.ArgumentParser:
    """Our options; what is not among them belongs to ctest."""
    made = Parser(prog="./ctest.sh", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
                   usage="./ctest.sh [options] [--PARAMETER=VALUE ...] [options of ctest]",
                   description="List (-N) and run (-V) the cases. Every parameter is a flag: --batch_size=8.",
                   epilog="Everything else goes to ctest: -N -V -VV -R -E -L -LE -j --output-junit "
                          "--output-on-failure\n--rerun-failed --stop-on-failure --repeat --timeout ...")
    made.add_argument("--set", action="append", default=[], metavar='"NAME=VALUE ..."', help="set parameters")
    made.add_argument("--loop", type=int, metavar="N", help="iterations of each case, one after another")
    made.add_argument("--run", type=int, metavar="N", help="N runs of each iteration, with the same values")
    made.add_argument("--burst", type=int, metavar="N", help="N runs at once, on the same cores: not for clean numbers")
    made.add_argument("--config", type=Path, metavar="FILE", help="YAML: case-name globs with parameters below them")
    made.add_argument("--sweep", nargs="?", const="", metavar="FOLDER",
                      help="measure the best BATCH_SIZE and CORES_PER_INSTANCE of each PRECISION; --set names "
                           "values to try; FOLDER: a sweep to go on with, or a place for a new one")
    made.add_argument("--testcase", metavar="NAME", help="exactly this case")
    made.add_argument("--testset", type=Path, metavar="FILE", help="YAML documents of cases and settings, run in turn")
    made.add_argument("--dry-run", action="store_true", help="write each case's configuration, run nothing")
    made.add_argument("--continue", dest="keep_going", action="store_true",
                      help="go on after a failed iteration, or document of a testset")
    made.add_argument("--describe-params", action="store_true", help="describe every parameter")
    made.add_argument("--doctor", action="store_true", help="check this machine, run nothing")
    made.add_argument("--noenv", action="store_true", help="drop the caller's environment")
    made.add_argument("--attach", action="append", default=[], metavar="FILE", help="copy a file into the logs folder")
    made.add_argument("--gate", type=Path, metavar="FILE",
                      help="YAML of references: a regression against them or earlier runs fails the case (status 4)")
    made.add_argument("--nohup", nargs="?", const="", metavar="LOG", help="run in the background")
    made.add_argument("--daemon", nargs="?", const="", metavar="LOG", help="as --nohup, with --noenv")
    made.add_argument("--status", nargs="?", type=int, const=STATUS_LINES, metavar="N",
                      help=f"the background runs with the last N lines of their logs (default {STATUS_LINES})")
    made.add_argument("--stop", nargs="?", const="", metavar="PREFIX",
                      help="end the background runs, or those whose name begins with PREFIX")
    made.add_argument("--options", default="", metavar='"..."', help="options for the backend (docker run, sbatch ...)")
    made.add_argument("--check-docker-image", action="store_true", help="is the inference image there")
    return made


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, Overrides, list[str]]:
    """(our options, what the cases shall get, the words for ctest). Raises BadInput for what is wrong."""
    flags, others = parse_flags(argv)
    ours, for_ctest = parser().parse_known_args(others)
    _check_options(ours)
    made = _runs(ours)
    for name_and_text in [flags, *made]:
        _check(name_and_text)
    for file in ours.attach:
        if not Path(file).is_file():
            raise BadInput(f"--attach {file}: there is no such file")
    if ours.gate:
        from ..history.references import read_references  # a fifth of the start-up, which most calls do not need

        read_references(ours.gate)  # what is wrong in it is said before hours of cases, not after them
    return ours, Overrides(
        flags=flags, points=made, burst=ours.burst or 1,
        config=read_config(ours.config) if ours.config else (), dry_run=ours.dry_run,
        keep_going=ours.keep_going, backend_options=ours.options,
        attachments=[str(Path(file).absolute()) for file in ours.attach],
        gate=str(ours.gate.absolute()) if ours.gate else ""), for_ctest


def _check_options(ours: argparse.Namespace) -> None:
    """Numbers that are too small, and options that exclude each other. Raises BadInput with all of them."""
    bad = [f"--{name} {getattr(ours, name)} is too small: {least} or more is allowed"
           for name, least in (("loop", 1), ("run", 1), ("burst", 1), ("status", 0))
           if getattr(ours, name) is not None and getattr(ours, name) < least]
    for one, other, why in (
            ("nohup", "daemon", "--daemon is --nohup with --noenv"),
            ("testset", "testcase", "the testset's documents name the cases"),
            ("gate", "burst", "runs at once disturb each other, so they say nothing about a regression")):
        if getattr(ours, one) is not None and getattr(ours, other) is not None and (other != "burst" or ours.burst > 1):
            bad.append(f"--{one} and --{other} exclude each other: {why}")
    try:
        shlex.split(ours.options)
    except ValueError as error:
        bad.append(f"--options={ours.options} is not words for a command: {error}")
    if bad:
        raise BadInput(*bad)


def _runs(ours: argparse.Namespace) -> list[dict[str, str]]:
    """The values of each run: --set's points, filled up to whole bursts, each (or each burst) --run times."""
    burst, run = ours.burst or 1, ours.run or 1
    rounds = ours.loop if ours.loop is not None else -(-len(points(ours.set)) // burst)
    if rounds * burst * run > MOST_POINTS:
        raise BadInput(f"{rounds} iterations x --burst {burst} x --run {run} are {rounds * burst * run} runs; at most "
                       f"{MOST_POINTS} are allowed")
    made = points(ours.set, rounds * burst)
    return [point for first in range(0, len(made), burst) for _ in range(run) for point in made[first:first + burst]]


def _check(texts: Mapping[str, str]) -> None:
    """Names and single values now, before any case starts; the rest when a case is resolved."""
    bad = []
    for name, text in texts.items():
        if name not in CATALOGUE:
            bad.append(refusal(name, text))
            continue
        try:
            if text.strip():
                CATALOGUE[name].parse(text.strip())
        except ValueError as error:
            bad.append(f"{name}={text!r} {error}")
    if bad:
        raise BadInput(*bad)
