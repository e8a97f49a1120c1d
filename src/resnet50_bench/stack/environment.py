"""A stack's requirement file -> a virtual environment in the user's cache, and the Python that measures.

The folder is named by the digest of its pins, so that checkouts with equal pins share it. A marker file, written last,
makes it complete; a set-up that broke is simply continued. scripts/resnet50-bench.sh reads digest and marker, too.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, Infrastructure
from ..files import locked, read_text
from . import pins, say, user_cache
from .installer import install
from .native_libraries import missing_libraries
from .stacks import DEFAULT, FOLDER, PYTHON, STACK, STACKS, Stack, named

_HOST_GB, _TOOLS_GB = 0.4, 0.5


def is_complete(name: str, where: Path) -> bool:
    """Whether ``where`` has all pins of the requirement file ``name``."""
    return (read_text(_marker(name, where)) or "").strip() == pins.digest(name)


def stack_of(python: Path) -> str | None:
    """The stack whose complete environment this Python belongs to, or None."""
    return next((name for name in STACKS if is_complete(name, python.parent.parent)), None)


@dataclass(frozen=True)
class StackChoice:
    """The user's choice of the environment that measures, as typed. "" for a variable that is not set.

    They are RESNET50_BENCH_STACK, RESNET50_BENCH_ENV and RESNET50_BENCH_PYTHON.
    """

    stack: str = ""
    env: str = ""
    python: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> StackChoice:
        """Read the choice from ``variables``, for example ``os.environ``."""
        return cls(*(variables.get(name, "") for name in (STACK, FOLDER, PYTHON)))

    def __bool__(self) -> bool:
        """Whether the user chose anything."""
        return bool(self.stack or self.env or self.python)

    def overridden(self, own: Mapping[str, str]) -> StackChoice:
        """This choice with the ``own`` variables of a side over it. A stack of its own has its own folder."""
        if not own:
            return self
        env = self.env if PYTHON in own else ""  # it would contain another stack than ``own`` names
        return StackChoice(own.get(STACK, self.stack), own.get(FOLDER, env), own.get(PYTHON, ""))

    def asked(self) -> Stack | None:
        """The chosen stack, None if the user chose none.

        A folder alone means the stack in it, or the default one if it contains none. Raises BadInput for a name
        that is none.
        """
        if self.stack:
            return named(self.stack, STACK)
        return STACKS[next(iter(_held(Path(self.env))), DEFAULT)] if self.env else None

    def chosen(self) -> Stack:
        """The chosen stack, else the default. Raises BadInput for an unknown name."""
        return self.asked() or STACKS[DEFAULT]

    def folder(self, name: str | None = None) -> Path:
        """Where the environment of a stack or of ``host`` is: ``RESNET50_BENCH_ENV``, else in the user's cache."""
        if self.env:
            return Path(self.env).absolute()
        return user_cache.folder() / f"env-{pins.digest(name or self.chosen().name)}"

    def is_set_up(self, name: str) -> bool:
        """Whether the environment of a stack or of ``host`` is complete."""
        return is_complete(name, self.folder(name))

    def not_set_up(self, stack: str) -> str:
        """The error for a named stack that is not set up, with the remedy."""
        where = self.folder(stack)
        if taken := _why_taken(stack, where):
            return f"the stack {stack} is not set up: {taken}"
        place = f" in {where}" if self.env else ""
        return f"the stack {stack} is not set up{place}: run scripts/setup.sh --stack {stack} once"

    def worker_python(self, stack: str | None = None) -> Path:
        """The Python that runs workers: the chosen one, that of the complete environment, or this one.

        ``stack`` names the environment where the case has chosen it. This Python stands in only where nobody named a
        stack: what it measured would be called the other's. Raises BadInput for a name that is none, Infrastructure
        where there is no environment, naming the command that sets it up.
        """
        name = stack or self.chosen().name
        if self.python:
            if not os.access(self.python, os.X_OK):
                raise BadInput(f"{PYTHON}={self.python} is not an executable")
            return Path(self.python)
        if self.is_set_up(name):
            return self.folder(name) / "bin/python"
        if stack or self.stack:
            raise Infrastructure(self.not_set_up(name))
        if importlib.util.find_spec("torch"):
            return Path(sys.executable)
        raise Infrastructure("the environment of the benchmark is not set up: run scripts/setup.sh once "
                             f"(it makes {self.folder(name)})")

    def lacking(self) -> list[str]:
        """The parts that this host lacks for a run, each with the consequence and the command that installs it."""
        lines = [f"{name} is not installed: {cost}; scripts/setup.sh installs it"
                 for name, cost in missing_libraries().items()]
        try:
            self.worker_python()
        except (BadInput, Infrastructure) as error:
            lines.append(str(error))
        return lines

    def set_up(self, stack: Stack, tools: bool = False) -> Path:
        """Make the stack's environment complete (nothing to do where it is), with test tools if wanted -> its Python.

        Raises BadInput where another stack is in the folder: its torch would be replaced, and its marker stay.
        """
        if sys.version_info < stack.oldest_python:
            oldest = ".".join(map(str, stack.oldest_python))
            raise Infrastructure(f"the stack {stack.name} needs Python {oldest} or later, this is "
                                 f"{sys.version_info.major}.{sys.version_info.minor}")
        where = self.folder(stack.name)
        _complete(stack.name, where, stack.needed_gb)
        if tools:
            _complete("tools", where, _TOOLS_GB)
        return where / "bin/python"

    def set_up_host(self) -> Path:
        """Make the small environment of a host that lists, compares and reports but measures nothing -> its Python."""
        where = self.folder("host")
        _complete("host", where, _HOST_GB)
        return where / "bin/python"


def _complete(name: str, where: Path, needed_gb: float) -> None:
    if is_complete(name, where):
        return
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"{where.parent} cannot be made: {error.strerror}; choose another folder by "
                             "RESNET50_BENCH_ENV or XDG_CACHE_HOME") from error
    with locked(where.with_name(where.name + ".lock"), wait=lambda: say(f"waiting for another set-up of {where}")):
        if not is_complete(name, where):
            if name in STACKS and (taken := _why_taken(name, where)):
                raise BadInput(taken)
            install(where, name, needed_gb)
            _marker(name, where).write_text(pins.digest(name) + "\n")


def _held(where: Path) -> list[str]:
    """The stacks in the folder, also of other versions than today's; more than one only of an older set-up."""
    return [name for name in STACKS if _marker(name, where).exists()]


def _why_taken(stack: str, where: Path) -> str:
    """The reason why the folder, which the user named, is not for this stack. Empty if it is."""
    others = [name for name in _held(where) if name != stack]
    return (f"{FOLDER}={where} contains the stack {others[0]}, and {stack} needs a folder of its own: unset {FOLDER}, "
            "or name another folder") if others else ""


def _marker(name: str, where: Path) -> Path:
    return where / f"complete-{name}"
