"""ctest.sh's options, or a testset's document -> the build folder and the cases to run, before any case runs."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import WORKLOAD
from ..case.case import every_option, parse_option
from ..case.globs import matches, nearest_case
from ..case.platforms import PLATFORMS
from ..errors import BadInput, Infrastructure
from . import ctest_words, settings
from .build_folder import case_names, configure, configured
from .command_line import Owner
from .options import Options

#: The most cases that an error names.
_MOST_NAMED = 3


@dataclass(frozen=True)
class CasesDocument:
    """One document: ``patterns`` of cases, and ``words`` of ctest.sh as if typed."""

    number: int
    patterns: Sequence[str]
    words: Sequence[str] = ()

    def select(self, names: Sequence[str], elsewhere: Sequence[str] = ()) -> list[str]:
        """The cases of ``names`` that the patterns choose; those ``elsewhere``, on other platforms, if none is here.

        Raises BadInput for a pattern that chooses none.
        """
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!/")]
        chosen = set(names)
        if wanted:
            chosen = {name for pattern in wanted for name in _matching(pattern, names, elsewhere)}
        for pattern in self.patterns:
            if pattern.startswith("!/"):
                chosen -= set(_matching(pattern[1:], names, elsewhere))
        if not chosen:
            raise BadInput("all its cases are excluded")
        return [name for name in dict.fromkeys((*names, *elsewhere)) if name in chosen]


@dataclass(frozen=True)
class Choice:
    """``build``: a configured build folder; ``cases``: the ctest names that run, in ctest's order; ``words``: what
    makes ctest choose them, beside the words that the user typed."""

    build: Path
    cases: Sequence[str]
    words: Sequence[str] = ()

    @property
    def is_named(self) -> bool:
        """Whether --testcase or a testset's document names the one case that runs."""
        return bool(self.words) and len(self.cases) == 1


def choose(options: Options, document: CasesDocument | None = None) -> Choice:
    """The cases of a testset's document, of --testcase, or of ctest's own words. Raises BadInput if there are none.

    Cases of another platform are taken from its matrix: this CPU runs them, or they are skipped with the reason.
    """
    build = configure(options.settings)
    if limit := configured(build, "TIMEOUT"):
        settings.timeout_s(options.settings.get("TIMEOUT"), float(limit), str(build))
    if document or options.testcase:
        here = case_names(build)
        names = document.select(here, every_case()) if document else [_full_name(options.testcase or "", here)]
        build = _offering(names, here, build, options)
        return Choice(build, names, ["-R", f"^({'|'.join(map(re.escape, names))})$"])
    return Choice(build, [] if options.lists else _chosen_by_ctest(options, build))


def every_case() -> list[str]:
    """The ctest names of all platforms' cases."""
    return [f"test_{WORKLOAD}_{option}" for option in every_option()]


def _full_name(name: str, here: Sequence[str]) -> str:
    """The ctest name of a case of any platform, given with or without ``test_`` and the workload's name."""
    option = name.strip().removeprefix("test_").removeprefix(f"{WORKLOAD}_")
    full = f"test_{WORKLOAD}_{option}"
    if full not in here and full not in every_case():
        raise BadInput(f"--testcase {name}: there is no such case{nearest_case(full, [*here, *every_case()])}; "
                       "./ctest.sh -N lists them")
    return full


def _offering(names: Sequence[str], here: Sequence[str], build: Path, options: Options) -> Path:
    """The build folder that has all the cases: this platform's, else another's."""
    if set(names) <= set(here):
        return build
    needed = {parse_option(name)["PRECISION"] for name in names}
    for platform in PLATFORMS.values():
        if needed <= set(platform.precisions):
            return configure({**options.settings, "PLATFORM": platform.name})
    raise BadInput(f"no platform has cases of {', '.join(sorted(needed))} together: write one document for each")


def _chosen_by_ctest(options: Options, build: Path) -> list[str]:
    """What ctest would run of the words that choose, by its own list. Raises BadInput if that is nothing."""
    items = [item for item in options.items if item.owner is Owner.CTEST and item.name in (
        *ctest_words.CHOOSING, *ctest_words.NARROWING)]
    words = [word for item in items for word in item.for_ctest()]
    if "--rerun-failed" in words and not _failed_before(build):  # ctest would run every case
        raise BadInput(f"--rerun-failed: no case has failed in {build} yet; leave it out to run all cases")
    try:
        done = subprocess.run(["ctest", "-N", *words], cwd=build, capture_output=True, text=True, errors="replace",
                              check=False)
    except OSError as error:
        raise Infrastructure(f"ctest cannot list the cases of {build}: {error.strerror}") from error
    names = re.findall(r"^\s*Test\s+#\d+: (\S+)", done.stdout, re.M)
    if not names and not any(item.name == "--no-tests" for item in options.items):
        raise BadInput(f"{' '.join(words)} chooses no case{_instead(options, build)}; ./ctest.sh -N lists them")
    return [name for name in names if name.startswith("test_")]


def _failed_before(build: Path) -> bool:
    file = build / "Testing/Temporary/LastTestsFailed.log"
    return file.is_file() and bool(file.read_text(errors="replace").strip())


def _instead(options: Options, build: Path) -> str:
    """The nearest word, or the cases of other platforms that -R chooses."""
    chosen_by = [item for item in options.items if item.name in ctest_words.CHOOSING]
    asked = chosen_by[0].value or ""
    if [item.name for item in chosen_by] not in (["-R"], ["--tests-regex"]):
        return ""
    try:
        elsewhere = [name for name in every_case() if re.search(asked, name)]
    except re.error:  # CMake's expressions are not quite Python's
        elsewhere = []
    elsewhere = [name for name in elsewhere if name not in case_names(build)]
    if not elsewhere:
        return nearest_case(asked, every_case())
    more = f" and {len(elsewhere) - _MOST_NAMED} more" if len(elsewhere) > _MOST_NAMED else ""
    return (f" of this platform. Other platforms have {', '.join(elsewhere[:_MOST_NAMED])}{more}: "
            f"--testcase {elsewhere[0]} runs one if this CPU can")


def _matching(pattern: str, names: Sequence[str], elsewhere: Sequence[str]) -> list[str]:
    matching = _all_matching(pattern, names) or _all_matching(pattern, elsewhere)
    if not matching:
        raise BadInput(f"{pattern} is no case{nearest_case(pattern, [*names, *elsewhere])}; ./ctest.sh -N lists them")
    return matching


def _all_matching(pattern: str, names: Sequence[str]) -> list[str]:
    if is_regex(pattern):
        regex = regex_of(pattern)
        return [name for name in names if regex.search(name)]
    return [name for name in names if matches(pattern, name)]


def is_regex(pattern: str) -> bool:
    """Whether it is ``/.../``."""
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


def regex_of(pattern: str) -> re.Pattern[str]:
    """``/.../`` compiled. Raises BadInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a syntax that may once mean something else
            return re.compile(pattern[1:-1])
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"{pattern} is not a regular expression: {error}") from error
