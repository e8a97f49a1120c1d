"""This CPU -> the name of its platform, or of its best gated case, on stdout."""

from __future__ import annotations

from .. import WORKLOAD
from ..arguments import Parser
from ..case import platforms
from ..case.precision import PRECISIONS
from ..machine.cpu import read_cpu


def detect_platform(argv: list[str]) -> int:
    """Print the PLATFORM of this CPU; CMake reads it."""
    Parser("resnet50-bench detect-platform", "The PLATFORM of this CPU.", "cmake reads it").parse_args(argv)
    print(_platform())
    return 0


def best_case(argv: list[str]) -> int:
    """Print the ctest name of the fastest precision's gated throughput case."""
    Parser("resnet50-bench best-case", "The gated throughput case of this CPU's fastest precision.",
           './ctest.sh -V --testcase "$(resnet50-bench best-case)"').parse_args(argv)
    flags = read_cpu().flags
    mine = platforms.PLATFORMS[_platform()].precisions
    best = next((name for name, precision in PRECISIONS.items()
                 if name in mine and not precision.missing_flags(flags)), mine[0])
    print(f"test_{WORKLOAD}_inference_throughput_{best}_gated")
    return 0


def _platform() -> str:
    cpu = read_cpu()
    return platforms.detect(cpu.vendor, cpu.family, cpu.model, cpu.flags)[0]
