"""The measurements of ``engines`` -> a file for TORCH_TYPE=auto; that file -> the measurements that are valid now.

For each CPU and precision it contains the fastest engine with proven kernels of every stack. One counts only while its
stack is set up with the versions that it was measured with.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import msgspec

from ..case.defaults import Machine
from ..case.engines import ENGINES, KnownEngine, KnownEngines, remedy
from ..files import write_json
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..stack import pins, user_cache
from ..stack.environment import StackChoice
from ..stack.stacks import FOLDER, PYTHON, STACK
from ..sweep.best import make_folder

_SCHEMA = "resnet50-bench-known-engines"


class _Found(msgspec.Struct, frozen=True):
    """One stored measurement. ``pins`` is the digest of the stack's versions."""

    engine: str
    stack: str
    pins: str
    images_per_s: float
    batch_size: int
    cores_per_instance: int
    found_at: str

    def is_sound(self) -> bool:
        """Whether the entry is plausible: an engine with proven kernels, on a stack that has it."""
        facts = ENGINES.get(self.engine)
        return bool(facts and facts.proven and self.stack in facts.stacks and math.isfinite(self.images_per_s)
                    and min(self.images_per_s, self.batch_size, self.cores_per_instance) > 0 and self.found_at)

    def why_not_now(self, choice: StackChoice) -> str:
        """The reason why it is no longer valid, "" if it is."""
        if not choice.is_set_up(self.stack):
            return f"its stack is not set up ({choice.folder(self.stack)}): run scripts/setup.sh --stack {self.stack}"
        return "" if self.pins == pins.digest(self.stack) else "its stack has other versions now"

    def known(self) -> KnownEngine:
        """The form that a case uses."""
        return KnownEngine(**{field.name: getattr(self, field.name) for field in fields(KnownEngine)})


_ByPrecision = dict[str, list[_Found]]


class _MemoryFile(msgspec.Struct):
    """The content of the file. ``cpus``: by the CPU's name and the number of usable cpus."""

    schema: str = _SCHEMA
    schema_version: int = 1
    cpus: dict[str, _ByPrecision] = {}


def path() -> Path:
    """The file, beside the best points that are known."""
    return user_cache.models() / "best" / "engines.json"


def this_machine(choice: StackChoice) -> Machine:
    """The present machine, with its valid measurements."""
    cpu = read_cpu()
    return Machine(cpu, read_topology(), known(cpu.name, choice))


def known(cpu: str, choice: StackChoice) -> KnownEngines:
    """The valid measurements for the CPU of this name, with the chosen stack or Python."""
    if choice.python:
        return KnownEngines(why_none=f"no measurement of engines is known for {PYTHON}={choice.python}; choose one of "
                            f"{', '.join(ENGINES)}")
    asked = choice.asked()
    stack = asked.name if asked else None
    if stack and not choice.is_set_up(stack):
        return KnownEngines(why_none=f"{choice.not_set_up(stack)}; then run scripts/resnet50-bench.sh engines "
                                     "to find its fastest engine")
    fastest, why_not = {}, {}
    for precision, found in _read().cpus.get(_key(cpu), {}).items():
        able = [one for one in found if one.is_sound() and stack in (None, one.stack)]
        best = max(able, key=lambda one: one.images_per_s, default=None)
        if best is None and stack:
            named = f"{STACK}={stack}" if choice.stack else f"{FOLDER}={choice.folder()} ({stack})"
            why_not[precision] = (f"the fastest engine of {named} at {precision} is not known; "
                                  f"{remedy(precision)}")
        elif best and (why := best.why_not_now(choice)):
            why_not[precision] = (f"{best.engine} of the stack {best.stack} was the fastest at {precision}, but {why}; "
                                  f"or measure again: scripts/resnet50-bench.sh engines --precision={precision}")
        elif best:
            fastest[precision] = best.known()
    return KnownEngines(fastest, why_not)


def remember(cpu: str, precision: str, found: Sequence[KnownEngine]) -> None:
    """Store ``found`` in place of earlier measurements at the precision. All have proven kernels.

    Raises Infrastructure if the file cannot be written.
    """
    by_stack: dict[str, _Found] = {}
    for one in sorted(found, key=lambda one: -one.images_per_s):
        by_stack.setdefault(one.stack, _Found(**asdict(one), pins=pins.digest(one.stack)))
    file = _read()
    file.cpus.setdefault(_key(cpu), {})[precision] = list(by_stack.values())
    make_folder(path().parent)
    write_json(path(), msgspec.to_builtins(file))


def _key(cpu: str) -> str:
    """The key of this machine. It includes the number of cpus, because the fastest engine may depend on it."""
    return f"{cpu}, {len(os.sched_getaffinity(0))} CPUs"


def _read() -> _MemoryFile:
    """Read the file. Empty if it is unreadable: ``engines`` can measure again."""
    try:
        file = msgspec.json.decode(path().read_bytes(), type=_MemoryFile)
    except (OSError, ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        return _MemoryFile()
    return file if (file.schema, file.schema_version) == (_SCHEMA, 1) else _MemoryFile()
