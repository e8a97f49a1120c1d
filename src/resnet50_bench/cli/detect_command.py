"""This CPU -> the name of its platform, or of its best gated case, on stdout."""

from __future__ import annotations

from .. import WORKLOAD
from ..arguments import Parser
from ..case import platforms
from ..machine.cpu import read_cpu


def detect_platform(argv: list[str]) -> int:
    """Print the PLATFORM of this CPU; CMake reads it."""
    Parser("resnet50-bench detect-platform", "The PLATFORM of this CPU.", "cmake reads it").parse_args(argv)
    print(platforms.detect(read_cpu()).name)
    return 0


def best_case(argv: list[str]) -> int:
    """Print the ctest name of the fastest precision's gated throughput case."""
    Parser("resnet50-bench best-case", "The gated throughput case of this CPU's fastest precision.",
           './ctest.sh -V --testcase "$(resnet50-bench best-case)"').parse_args(argv)
    cpu = read_cpu()
    best, *_ = platforms.runnable((), cpu) or platforms.PLATFORMS[platforms.detect(cpu).name].precisions
    print(f"test_{WORKLOAD}_inference_throughput_{best}_gated")
    return 0
