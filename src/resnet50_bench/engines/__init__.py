"""TORCH_TYPE -> the engine that prepares ResNet50 for it. The only room that imports torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Engine

_MODULES = {"IPEX": "ipex", "EAGER": "eager", "COMPILE-INDUCTOR": "inductor"}


def load(torch_type: str) -> Engine:
    """The engine of a TORCH_TYPE; importing it imports torch (and IPEX only for ``IPEX``)."""
    return importlib.import_module(f"{__name__}.{_MODULES[torch_type]}").ENGINE
