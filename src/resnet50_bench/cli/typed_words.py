"""Our scripts and a user's files -> how one types them from the current folder."""

from __future__ import annotations

import os
from pathlib import Path

from ..checkout import ROOT


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
