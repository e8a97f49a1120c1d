"""``ctest.sh --sweep [FOLDER]``: our options and parameter texts -> a sweep on this host in a folder of its own."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..ctest.build_folder import build_folder
from ..ctest.options import Overrides
from ..errors import BadInput, Infrastructure
from ..stack import environment
from ..sweep import axes
from . import sweep_command
from .list_command import WORKLOAD_FOLDER

#: ``--sweep`` without a folder.
NEW = ""


def main(ours: argparse.Namespace, overrides: Overrides, for_ctest: Sequence[str]) -> int:
    """Run the sweep; its status."""
    _refuse_others(ours, overrides, for_ctest)
    flags = [f"--{name.lower()}={text}" for name, text in {**_lists(overrides), **overrides.flags}.items()]
    if overrides.dry_run:
        return sweep_command.main([*flags, "--dry-run"])
    if not os.environ.get("RESNET50_BENCH_PYTHON"):
        environment.main([])
    folder = Path(ours.sweep).absolute() if ours.sweep != NEW else _new_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
    except OSError as error:
        raise Infrastructure(f"the sweep's folder {folder} cannot be used: {error.strerror}") from error
    print(f"sweep: {folder}; after an interruption go on by: ./ctest.sh --sweep {folder}", flush=True)
    return sweep_command.main(flags)


def _refuse_others(ours: argparse.Namespace, overrides: Overrides, for_ctest: Sequence[str]) -> None:
    """What belongs to ctest and its cases means nothing here. Raises BadInput."""
    given = {"--config": ours.config, "--testcase": ours.testcase, "--loop": ours.loop, "--continue": ours.keep_going,
             "--gate": ours.gate, "--attach": ours.attach, "--options": ours.options}
    words = [name for name, value in given.items() if value] + list(for_ctest)
    if words:
        raise BadInput(f"{' '.join(words)}: not with --sweep, which takes --set, --dry-run, --noenv and parameters")
    backend = os.environ.get("BACKEND") or "auto"
    if backend not in ("auto", "native"):
        raise BadInput(f"BACKEND={backend}: a sweep runs on this host (native) or inside a container that is already "
                       "there (scripts/resnet50-bench.sh sweep)")


def _lists(overrides: Overrides) -> dict[str, str]:
    """Every value that --set gives an axis, as one text. Raises BadInput for several values of anything else."""
    values: dict[str, list[str]] = {}
    for point in overrides.points:
        for name, text in point.items():
            values.setdefault(name, []).append(text)
    distinct = {name: list(dict.fromkeys(texts)) for name, texts in values.items()}
    wrong = [name for name, texts in distinct.items() if len(texts) > 1 and name not in axes.NAMES]
    if wrong:
        raise BadInput(f"--set {' '.join(wrong)}: a sweep takes lists of {', '.join(axes.NAMES)} only")
    return {name: " ".join(texts) for name, texts in distinct.items()}


def _new_folder() -> Path:
    return build_folder() / WORKLOAD_FOLDER / f"{datetime.now():%Y%m%d-%H%M%S}-sweep"
