"""The checkout -> a configured CMake build folder with the cases as ctest tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ..checkout import ROOT, require
from ..errors import BadInput, Infrastructure


def build_folder() -> Path:
    """Where the cases are configured: the wrapper's folder, else ``build/`` of the checkout."""
    return Path(os.environ.get("RESNET50_BENCH_BUILD") or ROOT / "build")


def configure(platform: str | None) -> Path:
    """Configure the build folder where that is needed, and return it.

    Needed is it for the first time, when a CMake file changed, and when ``platform`` differs from
    the configured one.
    """
    require("ctest.sh")
    build = build_folder()
    for tool in ("cmake", "ctest"):
        if not shutil.which(tool):
            raise Infrastructure(f"{tool} is not installed: apt-get install cmake")
    wanted = platform and platform != configured(build, "PLATFORM")
    if wanted or _is_stale(build):
        command = ["cmake", "-S", str(ROOT), "-B", str(build), *([f"-DPLATFORM={platform}"] if platform else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            why = " ".join(done.stderr.split()) or "no message"
            raise Infrastructure(f"cmake could not configure {build}: {why[:500]}")
    return build


def configured(build: Path, name: str) -> str | None:
    """A CMake setting of the build folder; None where it is not configured."""
    cache = build / "CMakeCache.txt"
    found = re.search(rf"^{name}:STRING=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found.group(1) if found else None


def _is_stale(build: Path) -> bool:
    tests = build / "CTestTestfile.cmake"
    sources = [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake"),
               ROOT / "src/resnet50_bench/case/platforms.py"]
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
        from ..case.parameters import nearest

        raise BadInput(f"--testcase {name}: there is no such case{nearest(full, tuple(names))}; "
                       "./ctest.sh -N lists them")
    return full
