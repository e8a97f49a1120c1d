"""TORCH_TYPE -> the engine that prepares ResNet50 for it. The only room that imports torch."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from ...errors import Infrastructure

if TYPE_CHECKING:
    from .base import Engine

_MODULES = {"IPEX": "ipex", "EAGER": "eager", "COMPILE-INDUCTOR": "inductor"}


def load(torch_type: str) -> Engine:
    """The engine of a TORCH_TYPE; importing it imports torch (and IPEX only for ``IPEX``).

    Raises Infrastructure where this Python has no IPEX and IPEX is asked for.
    """
    try:
        engine: Engine = importlib.import_module(f"{__name__}.{_MODULES[torch_type]}").ENGINE
        return engine
    except ModuleNotFoundError as error:
        if error.name != "intel_extension_for_pytorch":
            raise
        raise Infrastructure(f"TORCH_TYPE={torch_type} needs IPEX, which {sys.executable} does not have: use "
                             "TORCH_TYPE=COMPILE-INDUCTOR, or the other stack (unset RESNET50_BENCH_STACK)") from error
