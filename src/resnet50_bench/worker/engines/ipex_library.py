"""IPEX's library without its Python package, which takes twice as long to import as all the rest of a start.

The library registers the operators and fusions that a frozen module needs; the package is for making one. What ran
is proven by oneDNN's log either way.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import torch

PACKAGE = "intel_extension_for_pytorch"
_NAME = f"{PACKAGE}._C"


def library() -> ModuleType:
    """The extension module, loaded once. Raises ModuleNotFoundError where IPEX is not installed.

    It stands where the package will look for it, so that both have the same one.
    """
    if _NAME not in sys.modules:
        package = Path(torch.__file__).parents[1] / PACKAGE
        file = next((path for suffix in EXTENSION_SUFFIXES if (path := package / f"_C{suffix}").exists()), None)
        spec = importlib.util.spec_from_file_location(_NAME, file) if file else None
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"no module named {PACKAGE!r}", name=PACKAGE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[_NAME] = module
    return sys.modules[_NAME]


def package() -> ModuleType:
    """The whole Python package, for making a model."""
    if PACKAGE not in sys.modules:
        # Its import has to find the library by itself, to hang it into the package; it finds the one that is loaded.
        sys.modules.pop(_NAME, None)
    with warnings.catch_warnings():
        # It warns about its end of life and about pkg_resources; neither concerns a result.
        warnings.simplefilter("ignore")
        return importlib.import_module(PACKAGE)


@contextmanager
def verbose() -> Iterator[None]:
    """IPEX's oneDNN, which is not PyTorch's, prints what it runs. Raises RuntimeError where it does not switch."""
    if not library().mkldnn_set_verbose(1):
        raise RuntimeError("IPEX's oneDNN does not switch its verbose mode on")
    try:
        yield
    finally:
        library().mkldnn_set_verbose(0)
