"""A Case with BATCH_SIZE=auto or CORES_PER_INSTANCE=auto -> the same with the best numbers for this machine.

What a whole sweep or an earlier search found is remembered beside the prepared models; else a short search
measures a few points first. It is a sweep in a folder of its own there, so one that was ended goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..case.case import Case, Layer, Machine
from ..case.parameters import AUTO
from ..errors import BadInput, RunFailed
from ..launch import burst
from . import best
from .axes import axes
from .sweep import Sweep
from .tables import Outcome

_BATCHES = "1 4 16 64"
#: How a point of the search is measured, whatever the case itself asks for.
_SHORT = {"STEPS": "4", "WARMUP_STEPS": "2", "MIN_DURATION": "1", "FAIL_ON_NOISY": "False", "VERBOSE": "False",
          "CASE_TYPE": ""}


def decided(case: Case, machine: Machine, python: Path) -> Case:
    """``case`` with numbers. Raises BadInput where it measures no speed, RunFailed where no point could be measured."""
    texts = case.texts()
    sought = [name for name in best.NAMES if texts[name] == AUTO]
    if not sought:
        return case
    if case.accuracy or case.training:
        raise BadInput(f"{sought[0]}=auto looks for the greatest speed of inference, not with FUNCTION={case.function} "
                       f"MODE={case.mode}: give a number")
    path = best.file_for(case, sought, machine, python)
    known = best.read(path)
    how = f"known since {known['found_at']}" if known else ""
    if not known:
        if burst.copies() > 1:
            raise BadInput(f"{sought[0]}=auto with --burst: the search needs the cores alone; run the case once before")
        print(f"auto: no best {' and '.join(sought)} is known for {case.precision} here: a short search", flush=True)
        known = best.write(path, _search(case, texts, machine, path.with_suffix("")))
        how = f"of a search of {known['points']} points"
    numbers = {name: int(known[name]) for name in sought}
    notice = (f"{', '.join(f'{name}: auto is {number}' for name, number in numbers.items())}, the best {how} "
              f"({known['value']:.2f} {known['unit']}; {path})")
    origins = tuple((name, AUTO if name in sought else origin) for name, origin in case.origins)
    return replace(case, **{name.lower(): number for name, number in numbers.items()}, origins=origins,
                   notices=(*case.notices, notice))


def _search(case: Case, texts: Mapping[str, str], machine: Machine, folder: Path) -> Outcome:
    points = {"PRECISION": case.precision} | {name: texts[name] for name in best.NAMES if texts[name] != AUTO}
    points.setdefault("BATCH_SIZE", _BATCHES)
    rest = {name: text for name, text in texts.items() if name not in (*_SHORT, *best.NAMES, "PRECISION")}
    planned = axes([Layer("auto", points), Layer("auto", _SHORT), Layer("case", rest)], machine)
    best.make_folder(folder)
    outcome, = Sweep(folder, planned, machine).search()
    if not outcome.best:
        why = next(iter(outcome.unmeasured.values()), "none was tried")
        raise RunFailed(f"auto: no point could be measured: {why}")
    return outcome
