"""The checkout and CMake's settings for this call -> a configured CMake build folder with the cases as ctest tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ..case.parameters import CATALOGUE
from ..checkout import ROOT, require
from ..errors import BadInput, Infrastructure
from ..files import locked, read_text

#: Below the build folder: where cases run and their logs lie, whatever the platform.
WORKLOAD_FOLDER = Path("workload/ResNet50-Pytorch-Xeon-Public")
#: Where commands look for results, unless the caller names a folder.
USUAL_RESULTS = f"{WORKLOAD_FOLDER} of the build folder, else the current folder"
#: What the folder of another platform takes over from the build folder.
_SHARED = ("BACKEND", "REGISTRY", "RELEASE", "TIMEOUT")
#: What CMake notes of the checkout and of the folder itself.
_HOME = ("CMAKE_HOME_DIRECTORY", "CMAKE_CACHEFILE_DIR")
#: ctest reads the cases from it.
_TESTS = "CTestTestfile.cmake"
_ANOTHER = "RESNET50_BENCH_BUILD=FOLDER chooses another build folder"


def build_folder() -> Path:
    """Where the cases are configured: the wrapper's folder, else ``build/`` of the checkout."""
    return Path(os.environ.get("RESNET50_BENCH_BUILD") or ROOT / "build").absolute()


def results_folder() -> Path:
    """The one folder for results of cases, sweeps, comparisons and engine tables, unless the caller names another.

    It is below the build folder. An installed copy and a container have none: there it is the current folder.
    """
    if os.environ.get("RESNET50_BENCH_BUILD") or (ROOT / "CMakeLists.txt").exists():
        return build_folder() / WORKLOAD_FOLDER
    return Path.cwd()


def readable_results() -> Path:
    """The folder that commands read results from by default: the current folder before anything was measured."""
    return folder if (folder := results_folder()).is_dir() else Path()


def new_results(kind: str) -> Path:
    """A path for new results, not made yet: ``<results folder>/<stamp>-<kind>``."""
    return results_folder() / f"{datetime.now():%Y%m%d-%H%M%S}-{kind}"


def configure(chosen: Mapping[str, str]) -> Path:
    """The folder with the cases of the PLATFORM in ``chosen``, configured if needed. Without one: the build folder.

    It is configured at first, when a CMake file or a setting changed, and when the folder or the checkout was moved or
    copied. Raises BadInput if the folder belongs to another checkout, Infrastructure if it cannot be configured.
    """
    require("ctest.sh")
    build = build_folder()
    for tool in ("cmake", "ctest"):
        if not shutil.which(tool):
            raise Infrastructure(f"{tool} is not installed: apt-get install cmake")
    _require_own(build)
    platform = str(CATALOGUE["PLATFORM"].parse(chosen["PLATFORM"])) if "PLATFORM" in chosen else None
    if platform in (None, configured(build, "PLATFORM") or "auto"):
        return _ready(build, {})
    shared = {name: text for name in _SHARED if (text := configured(build, name)) is not None}
    of_its_own = {"PLATFORM": str(platform), "RESULTS": str(build / WORKLOAD_FOLDER)}
    return _ready(build / "platforms" / str(platform), of_its_own | shared, build / "CMakeCache.txt")


def _require_own(build: Path) -> None:
    """Raises BadInput for the checkout itself, and if one that still exists has made the folder at this very place."""
    if same(build, ROOT):
        raise BadInput(f"RESNET50_BENCH_BUILD={build} is the checkout itself: leave it out for {ROOT}/build, or name "
                       "another folder")
    owner, place = (Path(text) if (text := configured(build, name)) else None for name in _HOME)
    if owner and place and same(place, build) and not same(owner, ROOT) and (owner / "CMakeLists.txt").exists():
        raise BadInput(f"{build} is the build folder of another checkout, {owner}: call the ctest.sh there; "
                       f"{_ANOTHER} for this checkout")


def same(one: Path, other: Path) -> bool:
    """Whether both exist and are the same file or folder, whatever their names."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _ready(folder: Path, settings: Mapping[str, str], *more: Path) -> Path:
    """``folder``, configured with ``settings`` if it is older than what it is made of. Two calls at once take turns."""
    _require_writable(folder)
    if _is_stale(folder, *more):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder, wait=lambda: None):
                if _is_stale(folder, *more):
                    _cmake(folder, settings)
        except OSError as error:
            raise Infrastructure(f"{folder} cannot be configured: {error.strerror}; {_ANOTHER}") from error
        _require_writable(folder)
    return folder


def _require_writable(build: Path) -> None:
    """Raises Infrastructure if ctest could not write there, as it does even when it lists."""
    for folder in (build, build / "Testing/Temporary"):
        if folder.exists() and not os.access(folder, os.W_OK):
            raise Infrastructure(f"{folder} cannot be written by user {os.geteuid()} (it is user "
                                 f"{folder.stat().st_uid}'s); {_ANOTHER}")


def _cmake(folder: Path, settings: Mapping[str, str]) -> None:
    if not _is_ours(folder):  # of a folder that was moved or copied cmake refuses the cache; what was set stays
        settings = {name: text for name in ("PLATFORM", *_SHARED)
                    if (text := configured(folder, name)) is not None} | dict(settings)
        (folder / "CMakeCache.txt").unlink(missing_ok=True)
        shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)
    command = ["cmake", "-S", str(ROOT), "-B", str(folder), *(f"-D{name}={text}" for name, text in settings.items())]
    if not shutil.which("make"):  # nothing is built, but cmake wants to know by what
        command.append("-DCMAKE_MAKE_PROGRAM=true")
    # CMAKE_GENERATOR and its like are for projects that compile. What BASH_ENV prints would be read as a platform.
    # Without PATH cmake finds neither its modules nor make.
    environment = {"PATH": os.defpath} | {name: text for name, text in os.environ.items()
                                          if not name.startswith("CMAKE_") and name != "BASH_ENV"}
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment,
                          cwd=ROOT)
    if done.returncode != 0 or not _is_whole(folder):
        why = " ".join(done.stderr.split()) or "no message; is the disk full?"
        raise Infrastructure(f"cmake could not configure {folder}: {why[:500]}; remove the folder's CMakeCache.txt, or "
                             f"{_ANOTHER}")
    # CMake leaves the time of a file whose text stays the same: the folder would look stale for ever.
    os.utime(folder / _TESTS, (began, began))


def configured(build: Path, name: str) -> str | None:
    """A CMake setting of the build folder; None if it is not configured."""
    cache = read_text(build / "CMakeCache.txt")
    match = re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.M) if cache else None
    return match.group(1) if match else None


def _is_ours(build: Path) -> bool:
    """Whether the folder was configured at this place for this checkout."""
    made_for = [configured(build, name) for name in _HOME]
    return all(text and same(Path(text), path) for text, path in zip(made_for, (ROOT, build), strict=True))


def _is_whole(build: Path) -> bool:
    """Whether it has its tests: a full disk leaves a part of the file, or nothing."""
    return (read_text(build / _TESTS) or "").endswith(")")


def _is_stale(build: Path, *more: Path) -> bool:
    """Whether it lacks its tests or the folder of results, is of another checkout, or older than what it is made of.

    A copy (rsync -a, cp -a) keeps the time of the text, but not that of the change.
    """
    tests = build / _TESTS
    sources = [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake"),
               ROOT / "src/resnet50_bench/case/platforms.py", *(path for path in more if path.exists())]
    results = configured(build, "RESULTS") or build / WORKLOAD_FOLDER
    return (not _is_whole(build) or not Path(results).is_dir() or not _is_ours(build)
            or any(source.stat().st_ctime > tests.stat().st_mtime for source in sources))


def case_names(build: Path) -> list[str]:
    """Every case's ctest name. Raises Infrastructure if ctest cannot read the folder."""
    try:
        done = subprocess.run(["ctest", "-N"], cwd=build, capture_output=True, text=True, errors="replace", check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Infrastructure(f"ctest cannot list the cases of {build}: {error}") from error
    return re.findall(r"^\s*Test\s+#\d+: (test_\S+)", done.stdout, re.M)
