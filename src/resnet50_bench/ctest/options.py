"""ctest.sh's command line -> one frozen ``Options``, checked for contradictions."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..arguments import Parser, number_of
from ..backends import BACKENDS
from ..case.parameters import CATALOGUE, from_environment, wrong_values
from ..errors import BadInput
from . import ctest_words, settings
from .command_line import Item, Owner, split, two_values
from .config import read_config
from .ctest_words import Takes
from .handover import Overrides
from .set_values import MOST_POINTS, points

#: Lines of each log shown by --status.
STATUS_LINES = 3


class Mode(Enum):
    """The mode of ctest.sh, by the option that selects it."""

    RUN = ""
    DESCRIBE = "--describe-params"
    DOCTOR = "--doctor"
    CHECK_IMAGE = "--check-docker-image"
    STATUS = "--status"
    STOP = "--stop"
    SWEEP = "--sweep"
    TESTSET = "--testset"


#: The options allowed beside one that runs no case.
_COMPANIONS = {
    Mode.DESCRIBE: (), Mode.DOCTOR: (), Mode.STATUS: (), Mode.STOP: (),
    Mode.CHECK_IMAGE: ("--backend", "--registry", "--release", "--noenv"),
    Mode.SWEEP: ("--set", "--dry-run", "--noenv", "--nohup", "--daemon", "--backend"),
}
#: (an option, the options that exclude it, the reason)
_EXCLUDING = (
    ("--nohup", ("--daemon",), "--daemon includes --nohup and --noenv"),
    ("--testset", ("--testcase",), "the testset's documents name the cases"),
    ("--gate", ("--burst",), "runs at once disturb each other, so they say nothing about a regression"),
    ("--testcase", ctest_words.CHOOSING, "--testcase runs exactly this case"),
    ("--testset", ctest_words.REPLACING, "the testset's documents choose the cases"),
    ("--dry-run", ctest_words.LISTING, "one lists the cases, the other writes their configurations"),
    ("--nohup", ctest_words.LISTING, "a list takes no time, so it needs no background"),
    ("--daemon", ctest_words.LISTING, "a list takes no time, so it needs no background"),
    ("--rerun-failed", {*ctest_words.CHOOSING} - {"--rerun-failed"}, "ctest would ignore the other option"),
    *((quiet, (*ctest_words.VERBOSE, "-VV", "--extra-verbose"), "one hides what the other shows")
      for quiet in ctest_words.QUIET),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parsed command line. A field that a word of ours sets has its name; None, empty or False: it was not typed.

    ``flags``: parameter texts of flags, by name. ``settings``: CMake's that apply to this call, from flags or the
    environment. ``environment``: the caller's parameters, which ``noenv`` leaves out.
    """

    mode: Mode
    items: tuple[Item, ...]
    flags: Mapping[str, str]
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    set: tuple[str, ...]
    loop: int | None
    run: int | None
    burst: int
    config: Path | None
    sweep: str | None
    testcase: str | None
    testset: Path | None
    dry_run: bool
    keep_going: bool
    noenv: bool
    attach: tuple[str, ...]
    gate: Path | None
    allow_missing: bool
    nohup: str | None
    daemon: str | None
    status: int | None
    stop: str | None
    backend_options: str

    @property
    def background_log(self) -> str | None:
        """The log of a run in the background; empty: one beside its state. None: it is not to run there."""
        return self.daemon if self.nohup is None else self.nohup

    @property
    def for_ctest(self) -> list[str]:
        """The words for ctest."""
        return [word for item in self.items if item.owner is Owner.CTEST for word in item.for_ctest()]

    @property
    def lists(self) -> bool:
        """Whether cases are listed, not run."""
        return any(item.name in ctest_words.LISTING for item in self.items if item.owner is Owner.CTEST)

    @property
    def brief(self) -> bool:
        """Whether the screen shows the progress of cases, not their complete logs: -V, and nothing louder."""
        loud = {item.name for item in self.items if item.owner is Owner.CTEST}
        return bool(loud & {*ctest_words.VERBOSE}) and not loud & {*ctest_words.EXTRA_VERBOSE}

    @property
    def quiet(self) -> bool:
        """Whether to show nothing while cases run."""
        return any(item.name in ctest_words.QUIET for item in self.items if item.owner is Owner.CTEST)

    def words_without(self, *names: str) -> list[str]:
        """The typed words without the options of these names and their values."""
        return [word for item in self.items if item.name not in names or item.owner is Owner.PARAMETER
                for word in item.words]

    def runs(self) -> list[dict[str, str]]:
        """The values of each run: --set's points, filled up to whole bursts, each (or each burst) --run times."""
        burst, run = self.burst, self.run or 1
        rounds = self.loop if self.loop is not None else -(-len(points(self.set)) // burst)
        if rounds * burst * run > MOST_POINTS:
            raise BadInput(f"{rounds} iterations x --burst {burst} x --run {run} are {rounds * burst * run} runs; at "
                           f"most {MOST_POINTS} are allowed")
        all_points = points(self.set, rounds * burst)
        return [point for first in range(0, len(all_points), burst) for _ in range(run)
                for point in all_points[first:first + burst]]

    def overrides(self) -> Overrides:
        """The overrides for each case. Reads the named files. Raises BadInput for errors in them."""
        if self.gate:
            from ..history.references import read_references

            read_references(self.gate)  # report its errors before hours of cases, not after them
        return Overrides(
            flags=self.flags, points=self.runs(), burst=self.burst,
            config=read_config(self.config) if self.config else (), dry_run=self.dry_run, keep_going=self.keep_going,
            backend_options=self.backend_options, attachments=[str(Path(file).absolute()) for file in self.attach],
            gate=str(self.gate.absolute()) if self.gate else "", allow_missing=self.allow_missing)

    def require_consistent(self) -> None:
        """Raises BadInput with a line for each contradiction and each impossible value."""
        bad = [*self._excluding_each_other(), *self._beside_the_mode(), *self._values()]
        if bad:
            raise BadInput(*bad)

    def _excluding_each_other(self) -> Iterator[str]:
        typed = [item.name for item in self.items if item.name != "--burst" or self.burst > 1]
        for one, others, why in _EXCLUDING:
            if one in typed:
                yield from (f"{one} and {other} exclude each other: {why}" for other in dict.fromkeys(typed)
                            if other in others)
        if self.allow_missing and not self.gate and self.mode is not Mode.TESTSET:
            yield "--allow-missing needs --gate FILE"
        if typed.count("--testcase") > 1:
            yield "--testcase is given more than once; to run several cases use -R or --testset"
        if self.burst > 1 and (backend := self.settings.get("BACKEND")) in ("slurm", "kubernetes"):
            yield (f"--burst and BACKEND={backend} exclude each other: {backend.capitalize()} gives each job nodes of "
                   'its own; --options="--nodes=N" runs the case on N nodes')
        if self.mode is Mode.SWEEP and (backend := self.settings.get("BACKEND", "auto")) not in ("auto", "native"):
            yield (f"--sweep and BACKEND={backend} (--backend) exclude each other: a sweep runs on this host (native) "
                   "or inside a container that is already there (scripts/resnet50-bench.sh sweep)")

    def _beside_the_mode(self) -> Iterator[str]:
        """The options without an effect in a mode that runs no case, or no ctest."""
        if self.mode not in _COMPANIONS:
            return
        allowed = (self.mode.value, *_COMPANIONS[self.mode])
        rest = [item.words[0].partition("=")[0] for item in self.items if item.name not in allowed
                and not (self.mode is Mode.SWEEP and item.owner is Owner.PARAMETER)]
        takes = (f" takes {', '.join(_COMPANIONS[self.mode])}" if _COMPANIONS[self.mode] else " takes no other option")
        more = " and parameters" if self.mode is Mode.SWEEP else ""
        for name in dict.fromkeys(rest):
            yield f"{self.mode.value} and {name} exclude each other: {self.mode.value}{takes}{more}"

    def _values(self) -> Iterator[str]:
        try:
            shlex.split(self.backend_options)
        except ValueError as error:
            yield f"--options={self.backend_options} cannot be read as options: {error}"
        if self.mode in (Mode.RUN, Mode.SWEEP, Mode.TESTSET):
            yield from wrong_values({} if self.noenv else self.environment)
            yield from wrong_values(self.flags)
            try:
                for point in self.runs():
                    yield from wrong_values(point)
            except BadInput as error:
                yield from error.violations
        yield from (f"--attach {file}: there is no such file" for file in self.attach if not Path(file).is_file())


@lru_cache
def parser() -> Parser:
    """Our options."""
    options = Parser("./ctest.sh", "List cases (-N) or run them.", "./ctest.sh -V -R gated --batch-size=8",
                     usage="./ctest.sh [options] [--PARAMETER=VALUE ...] [options of ctest]",
                     also=[f"--{name.lower()}" for name in CATALOGUE])
    options.epilog = f"""Every parameter is an option, for example --batch_size=8. --describe-params lists them.
Options of ctest work, too: -N -V -VV -R -E -L -LE -j --output-junit --output-on-failure --rerun-failed
--stop-on-failure --repeat ...
Each run ends with its result. -V also shows the progress, -VV the whole log.

{options.epilog}"""
    number = number_of(1)
    add = options.add_argument
    add("--set", action="append", default=[], metavar='"NAME=VALUE ..."', help="set parameters")
    add("--loop", type=number, metavar="N", help="run each case N times, one after another")
    add("--run", type=number, metavar="N", help="N runs per iteration, with the same values")
    add("--burst", type=number, default=1, metavar="N", help="N runs at once on the same cores, to study how they "
        "disturb each other")
    add("--config", type=Path, metavar="FILE", help="YAML file: patterns of case names with parameters")
    add("--sweep", nargs="?", const="", metavar="FOLDER",
        help="find the best BATCH_SIZE and CORES_PER_INSTANCE of each PRECISION. --set names the values to try. "
        "FOLDER: a sweep to continue, or a new folder")
    add("--testcase", metavar="NAME", help="run exactly this case")
    add("--testset", type=Path, metavar="FILE", help="YAML file: documents with cases and settings, which run one "
        "after another")
    add("--dry-run", action="store_true", help="show the placement and write the configuration of each case, and run "
        "nothing")
    add("--continue", dest="keep_going", action="store_true",
        help="go on after a failed iteration or a failed document of a test set")
    add("--describe-params", action="store_true", help="describe every parameter")
    add("--doctor", action="store_true", help="show what would disturb a measurement, and run nothing")
    add("--noenv", action="store_true", help="ignore parameters in environment variables. PLATFORM, BACKEND, "
        "REGISTRY, RELEASE and TIMEOUT still apply")
    add("--backend", choices=BACKENDS, metavar="NAME", help=f"where cases run; also BACKEND=NAME: {' '.join(BACKENDS)}")
    add("--registry", metavar="HOST/", help="the registry of the images, with a slash at its end; also REGISTRY=HOST/")
    add("--release", metavar=":TAG", help="the tag of the images, with its colon; also RELEASE=:TAG")
    add("--timeout", metavar="SECONDS", help="the longest time of a case; also TIMEOUT=SECONDS")
    add("--attach", action="append", default=[], metavar="FILE", help="copy a file into the logs folder")
    add("--gate", type=Path, metavar="FILE",
        help="YAML file of references. A regression ends with status 4, a case without a reference with status 1")
    add("--allow-missing", action="store_true", help="with --gate: a case without a reference passes")
    add("--nohup", nargs="?", const="", metavar="LOG", help="run in the background")
    add("--daemon", nargs="?", const="", metavar="LOG", help="as --nohup, and with --noenv")
    add("--status", nargs="?", type=number_of(0), const=STATUS_LINES, metavar="N",
        help=f"show the background runs and the last N lines of their logs (default {STATUS_LINES})")
    add("--stop", nargs="?", const="", metavar="PREFIX",
        help="end the background runs, or those whose name begins with PREFIX")
    add("--options", dest="backend_options", default="", metavar='"..."',
        help="options for the backend (of docker run, sbatch ...)")
    add("--check-docker-image", action="store_true", help="check whether the inference image exists")
    return options


def _takes() -> dict[str, Takes]:
    """Our options and what follows each."""
    return {name: Takes.NOTHING if action.nargs == 0 else Takes.MAYBE if action.nargs == "?" else Takes.VALUE
            for action in parser()._actions for name in action.option_strings}


def parse(argv: Sequence[str], environment: Mapping[str, str] | None = None, below: Sequence[str] = ()) -> Options:
    """The options, consistent. Raises BadInput with a line for each word or combination that is not understood.

    ``below``: words that those of ``argv`` beat, a testset's; within either of them nothing may have two values.
    """
    environment = environment or {}
    parts = [split(words, _takes()) for words in (below, argv)]
    bad = [line for part in parts for line in two_values(part, (*repeatable(), "--testcase"))]
    if bad:
        raise BadInput(*bad)
    items = [item for part in parts for item in part]
    ours = [item for item in items if item.owner is Owner.OURS]
    last = {item.name: item for item in ours}
    words = parser().parse_args([item.name if item.value is None else f"{item.name}={item.value}" for item in ours
                                 if item is last[item.name] or item.name in repeatable()])
    flags = {item.name: item.value or "" for item in items if item.owner is Owner.PARAMETER}
    typed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                             for name, value in vars(words).items()}
    typed["noenv"] |= typed["daemon"] is not None
    texts = {name: typed.get(name.lower()) for name in settings.NAMES} | {"PLATFORM": flags.get("PLATFORM")}
    options = Options(
        mode=_mode(words), items=tuple(items), flags=flags, settings=settings.chosen(texts, environment),
        environment=from_environment(environment),
        **{field.name: typed[field.name] for field in fields(Options) if field.name in typed})
    options.require_consistent()
    return options


def repeatable() -> list[str]:
    """Our options that may stand more than once."""
    return [name for action in parser()._actions if isinstance(action.default, list) for name in action.option_strings]


def _mode(words: argparse.Namespace) -> Mode:
    typed = {mode: getattr(words, mode.value[2:].replace("-", "_")) for mode in Mode if mode is not Mode.RUN}
    return next((mode for mode, value in typed.items() if value is not None and value is not False), Mode.RUN)
