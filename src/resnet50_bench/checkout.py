"""Where the files of this project lie: in a checkout, in a container that has its parts, or installed by pip."""

from __future__ import annotations

from pathlib import Path

from .errors import Infrastructure

#: The checkout, or in a container the folder that it was copied to.
ROOT = Path(__file__).parents[2]


def require(what: str) -> Path:
    """The checkout, for ``what`` that needs its files. Raises Infrastructure where the package stands alone."""
    if not (ROOT / "CMakeLists.txt").exists():
        raise Infrastructure(f"{what} needs a checkout of the project: this is an installed copy, without its CMake "
                             "files and Dockerfiles")
    return ROOT
