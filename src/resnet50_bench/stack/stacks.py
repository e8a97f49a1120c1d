"""The stacks: the available sets of PyTorch and engine versions. ``case/engines.py`` has the engines of each.

A stack is a row below and a requirement file of its name, which ``scripts/lock.sh`` makes of its extra in
pyproject.toml.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadInput
from ..spelling import nearest


@dataclass(frozen=True)
class Stack:
    """One set of versions that measures; ``oldest_python`` and ``needed_gb`` are those of PyTorch's default builds."""

    name: str
    purpose: str
    oldest_python: tuple[int, int]
    needed_gb: float


_ALL = (
    Stack("ipex", "PyTorch 2.8 with IPEX 2.8, its last release", (3, 10), 8.0),
    Stack("current", "today's PyTorch, without IPEX", (3, 11), 8.0),
    Stack("openvino", "today's PyTorch with OpenVINO and ONNX Runtime", (3, 11), 9.0),
    Stack("zentorch", "PyTorch 2.14 with AMD's zentorch", (3, 11), 8.0),
)
STACKS = {stack.name: stack for stack in _ALL}
DEFAULT = "ipex"
#: The variables that choose what measures: a Python, a stack, an environment's folder.
PYTHON, STACK, FOLDER = "RESNET50_BENCH_PYTHON", "RESNET50_BENCH_STACK", "RESNET50_BENCH_ENV"


def named(name: str, where: str) -> Stack:
    """The stack of this name. Raises BadInput, which says where the name was given, and the nearest that there is."""
    if name not in STACKS:
        raise BadInput(f"{where}={name} is not one of {', '.join(STACKS)}{nearest(name, STACKS)}")
    return STACKS[name]
