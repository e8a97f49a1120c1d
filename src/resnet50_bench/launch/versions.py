"""A worker's Python and this checkout -> the versions that decide which code runs. Imports none of the packages."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from .. import __version__
from ..case.engines import PACKAGES
from ..checkout import ROOT, git
from ..files import read_text
from ..result.result import SoftwareRecord

#: The last two decode images.
_MEASURED = (*PACKAGES, "numpy", "pillow")
#: Reads metadata only: importing torch would take seconds.
_READ_VERSIONS = """
import importlib.metadata, json, platform, sys
versions = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


def software_record(python: Path) -> SoftwareRecord:
    """Versions of this project and of the packages that ``python`` would import."""
    done = subprocess.run([python, "-c", _READ_VERSIONS, *_MEASURED], capture_output=True, text=True, check=True)
    return {"resnet50-bench": __version__, **json.loads(done.stdout), **_git()}


def _git(root: Path = ROOT) -> SoftwareRecord:
    """The commit of this checkout, or of the one in a container image; else ``git_unknown`` with the reason."""
    baked = read_text(root / "COMMIT")
    if baked:
        return {"git_commit": baked}
    if not (root / ".git").exists():
        return {"git_unknown": "not a git checkout: .git is missing"}
    if not shutil.which("git"):
        return {"git_unknown": "git is not installed"}
    commit, changed = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")
    if commit.returncode or changed.returncode:
        why = (commit.stderr or changed.stderr).strip().splitlines()
        return {"git_unknown": why[0] if why else "git did not say why"}
    return {"git_commit": commit.stdout.strip(), "git_changed": bool(changed.stdout.strip())}
