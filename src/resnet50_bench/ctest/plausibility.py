"""A new result and earlier ones of the same machine -> lines on ratios that hint at a fall-back, and on accuracy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..case.precision import PRECISIONS

#: (faster, slower): ratio of throughputs. Sapphire Rapids: the description's table and issue C; the last
#: was measured on an EPYC of family 25 (2 cores, batch 8).
EXPECTED = {
    ("amx_int8", "avx_int8"): 2.4, ("amx_int8", "avx_fp32"): 9.0, ("amx_bfloat16", "avx_fp32"): 5.0,
    ("avx2_int8", "avx2_fp32"): 2.2,
}
#: Below this share of the expectation something else ran than was thought.
_FAR_BELOW = 0.5
_MOST_FOLDERS = 60
_SAME = ("MODE", "CASE_TYPE", "CORES_PER_INSTANCE", "INSTANCE_MODE", "TORCH_TYPE", "DATA_TYPE", "CUSTOMER_ENV")


def lines(logs: Path) -> Iterator[str]:
    """A line for each implausible ratio of the result in ``logs`` to the newest comparable ones beside it."""
    mine = _result(logs)
    if mine is None:
        return
    if mine["statistics"].get("accuracy"):
        yield from _against_fp32(mine, logs)
        return
    newest: dict[str, float] = {}
    for folder in sorted(logs.parent.glob("*-logs-*"), reverse=True)[:_MOST_FOLDERS]:
        other = _result(folder) if folder != logs else None
        if other and _key(other) == _key(mine):
            newest.setdefault(other["case"]["PRECISION"], _rate(other))
    for (fast, slow), expected in EXPECTED.items():
        rates = newest | {mine["case"]["PRECISION"]: _rate(mine)}
        if mine["case"]["PRECISION"] in (fast, slow) and fast in rates and slow in rates:
            ratio = rates[fast] / rates[slow]
            if ratio < _FAR_BELOW * expected:
                yield (f"PLAUSIBILITY: {fast} is {ratio:.2f} times as fast as {slow} on this machine where about "
                       f"{expected:g} is usual: look for a fall-back, too few steps or other load in either run")


def _against_fp32(mine: dict[str, Any], logs: Path) -> Iterator[str]:
    """How far the accuracy lies from fp32's with the same weights on the same images, where that was measured."""
    if PRECISIONS[mine["case"]["PRECISION"]].data_type == "float32":
        return
    for folder in sorted(logs.parent.glob("*-logs-*"), reverse=True)[:_MOST_FOLDERS]:
        other = _result(folder)
        if (other and other["statistics"].get("accuracy") and other["inputs"] == mine["inputs"]
                and PRECISIONS[other["case"]["PRECISION"]].data_type == "float32"):
            ours, theirs = (each["statistics"]["accuracy"] for each in (mine, other))
            yield (f"ACCURACY: {mine['case']['PRECISION']} {ours['top1']:.3f} % is "
                   f"{ours['top1'] - theirs['top1']:+.3f} points from {other['case']['PRECISION']}'s "
                   f"{theirs['top1']:.3f} % on the same {ours['count']} images ({folder.name})")
            return


def _result(logs: Path) -> dict[str, Any] | None:
    """The first iteration's result where it passed."""
    for path in sorted(logs.glob("itr-1/worker-0-c0/benchmark_*.json"))[-1:]:
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        if document.get("failure") is None and document.get("statistics"):
            return document
    return None


def _key(document: dict[str, Any]) -> list[object]:
    return [document["system"].get("cpu"), document["placement"].get("burst"),
            *(document["case"].get(name) for name in _SAME)]


def _rate(document: dict[str, Any]) -> float:
    return float(document["statistics"]["throughput_images_per_s"])
