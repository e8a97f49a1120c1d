"""TORCH_TYPE -> the engine that prepares ResNet50 for it. The only room that imports torch."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from ...case.engines import ENGINES
from ...errors import Infrastructure

if TYPE_CHECKING:
    from .base import Engine


def load(torch_type: str) -> Engine:
    """The engine of a TORCH_TYPE; importing it imports torch, and its own packages.

    Raises Infrastructure where this Python lacks one of these, naming the stack that has them.
    """
    facts = ENGINES[torch_type]
    try:
        engine: Engine = importlib.import_module(f"{__name__}.{facts.module}").ENGINE
        return engine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in facts.packages:
            raise
        stack = facts.stacks[0]
        raise Infrastructure(f"TORCH_TYPE={torch_type} needs {error.name}, which {sys.executable} does not have: "
                             f"scripts/setup.sh --stack {stack} once, then RESNET50_BENCH_STACK={stack}") from error
