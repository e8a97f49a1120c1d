"""``ctest.sh --sweep [FOLDER]``: our options and parameter texts -> a sweep on this host in a folder of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..checkout import ROOT
from ..ctest.build_folder import new_results
from ..ctest.ctest_call import cases_environment
from ..ctest.options import Options
from ..errors import BadInput
from ..sweep import axes
from . import sweep_command


def run(options: Options, flags: list[str], environment: Mapping[str, str]) -> int:
    """Run the sweep and return its status. --noenv restarts this process without the caller's variables."""
    flags = [*flags, "--dry-run" if options.dry_run else
             f"--folder={Path(options.sweep).absolute() if options.sweep else new_results('sweep')}"]
    if options.noenv:
        kept = cases_environment(options, environment) | {"PYTHONPATH": str(ROOT / "src")}
        os.execve(sys.executable, [sys.executable, "-m", "resnet50_bench", "sweep", *flags], kept)
    return sweep_command.main(flags)


def words(options: Options) -> list[str]:
    """The words for ``sweep``. Raises BadInput for several values of a parameter that is not an axis."""
    values: dict[str, list[str]] = {}
    for point in options.runs():
        for name, text in point.items():
            values.setdefault(name, []).append(text)
    distinct = {name: list(dict.fromkeys(texts)) for name, texts in values.items()}
    wrong = [name for name, texts in distinct.items() if len(texts) > 1 and name not in axes.NAMES]
    if wrong:
        raise BadInput(f"--set {' '.join(wrong)}: a sweep takes lists only for {', '.join(axes.NAMES)}; give one value")
    texts = {name: " ".join(texts) for name, texts in distinct.items()} | dict(options.flags)
    return [f"--{name.lower()}={text}" for name, text in texts.items()]
