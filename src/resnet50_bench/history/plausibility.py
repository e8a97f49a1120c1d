"""A new result and earlier ones of the machine -> warnings of ratios that hint at a fall-back, and of accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ..case.parameters import Role, having
from ..case.precision import FP32, PRECISIONS
from ..errors import BadInput
from ..result.result import Result, ResultSummary, read, read_summary

#: Ratio of throughputs of (faster, slower). The first three are of Sapphire Rapids at its default batch sizes. The
#: last was measured on an EPYC of family 25 (2 cores, batch 8).
EXPECTED = {
    ("amx_int8", "avx_int8"): 2.4, ("amx_int8", "avx_fp32"): 9.0, ("amx_bfloat16", "avx_fp32"): 5.0,
    ("avx2_int8", "avx2_fp32"): 2.2,
}
#: Below this share of the expected ratio, the wrong kernels probably ran.
_FAR_BELOW = 0.5
_MOST_FOLDERS = 60
#: The facts that must be equal between two precisions. Each has its own batch size.
_SAME = tuple(name for name in having(Role.NAME | Role.CONFIGURATION) if name not in ("PRECISION", "BATCH_SIZE"))
_Kind = TypeVar("_Kind", bound=ResultSummary)


def lines(logs: Path) -> Iterator[str]:
    """A line for each implausible ratio of the result in ``logs`` to the newest comparable ones beside it."""
    mine = _passed(logs, read)
    beside = sorted(logs.parent.glob("*-logs-*"), reverse=True)[:_MOST_FOLDERS]
    if mine and mine.statistics.accuracy:
        yield from _against_fp32(mine, beside)
    elif mine and not mine.statistics.server:  # the queries decide its rate, not the precision
        yield from _against_precisions(mine, [folder for folder in beside if folder != logs])


def _against_precisions(mine: Result, beside: Sequence[Path]) -> Iterator[str]:
    """The ratios that hint at a fall-back."""
    rates: dict[str, float | None] = {mine.parameter("PRECISION"): mine.statistics.throughput_images_per_s}
    for folder in beside:
        other = _passed(folder, read_summary)
        if other and _key(other) == _key(mine):
            rates.setdefault(other.parameter("PRECISION"), other.statistics.throughput_images_per_s)
    for (fast, slow), expected in EXPECTED.items():
        above, below = rates.get(fast), rates.get(slow)
        if mine.parameter("PRECISION") in (fast, slow) and above and below and above / below < _FAR_BELOW * expected:
            yield (f"PLAUSIBILITY: {fast} is {above / below:.2f} times as fast as {slow} on this machine where about "
                   f"{expected:g} is usual: look for a fall-back, too few steps or other load in either run")


def _against_fp32(mine: Result, beside: Sequence[Path]) -> Iterator[str]:
    """The difference of the accuracy to fp32's with the same weights and images, if that was measured."""
    if _is_fp32(mine):
        return
    for folder in beside:
        other = _passed(folder, read)
        ours, theirs = mine.statistics.accuracy, other.statistics.accuracy if other else None
        if other and ours and theirs and other.inputs == mine.inputs and _is_fp32(other):
            yield (f"ACCURACY: {mine.parameter('PRECISION')} {ours.top1:.3f} % is {ours.top1 - theirs.top1:+.3f} "
                   f"points from {other.parameter('PRECISION')}'s {theirs.top1:.3f} % on the same {ours.count} images "
                   f"({folder.name})")
            return


def _is_fp32(result: ResultSummary) -> bool:
    precision = PRECISIONS.get(result.parameter("PRECISION"))
    return precision is not None and precision.dtype is FP32 and not precision.products_in_bf16


def _passed(logs: Path, read_as: Callable[[Path], _Kind]) -> _Kind | None:
    """The first iteration's result, if it passed."""
    for path in sorted(logs.glob("itr-1/worker-0-c0/benchmark_*.json"))[-1:]:
        with suppress(BadInput):
            result = read_as(path)
            if result.failure is None and (result.statistics.throughput_images_per_s or result.statistics.accuracy):
                return result
    return None


def _key(result: ResultSummary) -> list[object]:
    return [result.system.cpu, result.placement.burst, *(result.parameter(name) for name in _SAME)]
