"""Where the files of this project lie: in a checkout, in a container that has its parts, or installed by pip; and how
one types their names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .errors import Infrastructure

#: The checkout, or in a container the folder that it was copied to.
ROOT = Path(__file__).parents[2]


def require(what: str) -> Path:
    """The checkout, for ``what`` that needs its files. Raises Infrastructure where the package stands alone."""
    if not (ROOT / "CMakeLists.txt").exists():
        raise Infrastructure(f"{what} needs a checkout of the project. This installed copy has no CMake files and no "
                             "Dockerfiles: clone the repository")
    return ROOT


def git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What git says of the checkout ``root``.

    Another user's checkout is read, too: its code runs here. GIT_DIR and such variables would name another checkout.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), *words], capture_output=True, text=True,
                          errors="replace", check=False, env=environment | {"GIT_OPTIONAL_LOCKS": "0"})


def typed(script: str) -> str:
    """How a script of the checkout is called from here; of an installed copy, which has none, the command."""
    if not (ROOT / script).exists():
        return "resnet50-bench" + {"ctest.sh": " ctest", "run_test.sh": " run"}.get(script, "")
    path = near(ROOT / script)
    return path if "/" in path else f"./{path}"


def near(path: Path) -> str:
    """From the current folder where that is short, else the whole path."""
    relative = os.path.relpath(path)
    return str(path.absolute()) if relative.startswith("../../..") else relative
