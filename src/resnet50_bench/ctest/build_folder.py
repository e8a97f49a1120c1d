"""The checkout and CMake's settings for this call -> a configured CMake build folder with the cases as ctest tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ..case.parameters import CATALOGUE
from ..checkout import ROOT, require
from ..errors import BadInput, Infrastructure
from ..spelling import nearest

#: Below the build folder: where cases run and their logs lie, whatever the platform.
WORKLOAD_FOLDER = Path("workload/ResNet50-Pytorch-Xeon-Public")
#: What the folder of another platform takes over from the build folder.
_SHARED = ("BACKEND", "REGISTRY", "RELEASE", "TIMEOUT")
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
    """The folder with the cases of the PLATFORM in ``chosen``, configured where that is needed: at first, and when a
    CMake file or a setting of the build folder changed. Without a PLATFORM it is the build folder itself.
    """
    require("ctest.sh")
    build = build_folder()
    for tool in ("cmake", "ctest"):
        if not shutil.which(tool):
            raise Infrastructure(f"{tool} is not installed: apt-get install cmake")
    platform = str(CATALOGUE["PLATFORM"].parse(chosen["PLATFORM"])) if "PLATFORM" in chosen else None
    if platform in (None, configured(build, "PLATFORM") or "auto"):
        if _is_stale(build):
            _cmake(build, {})
        return _writable(build)
    folder = build / "platforms" / str(platform)
    if _is_stale(folder, build / "CMakeCache.txt"):
        shared = {name: text for name in _SHARED if (text := configured(build, name)) is not None}
        _cmake(folder, {"PLATFORM": str(platform), "RESULTS": str(build / WORKLOAD_FOLDER), **shared})
    return _writable(folder)


def _writable(build: Path) -> Path:
    """``build``. Raises Infrastructure where it is another user's: ctest writes there even when it lists."""
    for folder in (build, build / "Testing/Temporary"):
        if folder.exists() and not os.access(folder, os.W_OK):
            raise Infrastructure(f"{folder} cannot be written by user {os.geteuid()} (it is user "
                                 f"{folder.stat().st_uid}'s); {_ANOTHER}")
    return build


def _cmake(folder: Path, settings: Mapping[str, str]) -> None:
    command = ["cmake", "-S", str(ROOT), "-B", str(folder), *(f"-D{name}={text}" for name, text in settings.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = " ".join(done.stderr.split()) or "no message"
        raise Infrastructure(f"cmake could not configure {folder}: {why[:500]}; {_ANOTHER}")


def configured(build: Path, name: str) -> str | None:
    """A CMake setting of the build folder; None where it is not configured."""
    cache = build / "CMakeCache.txt"
    match = re.search(rf"^{name}:STRING=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return match.group(1) if match else None


def _is_stale(build: Path, *more: Path) -> bool:
    tests = build / "CTestTestfile.cmake"
    sources = [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake"),
               ROOT / "src/resnet50_bench/case/platforms.py", *(path for path in more if path.exists())]
    return not tests.exists() or any(source.stat().st_mtime > tests.stat().st_mtime for source in sources)


def case_names(build: Path) -> list[str]:
    """Every case's ctest name."""
    done = subprocess.run(["ctest", "-N"], cwd=build, capture_output=True, text=True, check=True)
    return re.findall(r"^\s*Test\s+#\d+: (test_\S+)", done.stdout, re.M)


def exactly(name: str, build: Path) -> str:
    """The ctest name of the case ``name`` (with or without ``test_``). Raises BadInput where there is none."""
    names = case_names(build)
    full = name if name.startswith("test_") else f"test_{name}"
    if full not in names:
        raise BadInput(f"--testcase {name}: there is no such case{nearest(full, names)}; ./ctest.sh -N lists them")
    return full
