"""Marks the tests whose programs run AMX kernels, and lists in the summary what each case ran."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from resnet50_bench.errors import BenchError
from support import amx as support_amx
from support import amx_emulator
from support.amx import Amx
from support.stack import chosen


@pytest.fixture
def amx(tmp_path: Path) -> Amx:
    """For programs of the default stack."""
    (tmp_path / "amx").mkdir()
    return support_amx.made(tmp_path / "amx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a case leaves its files."""
    (tmp_path / "worker-0-c0").mkdir()
    return tmp_path / "worker-0-c0"


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Callable[[Amx, dict], None]:
    """Put a result's processor time, kernels and distance from fp32 into the summary."""
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()

    def show(amx: Amx, result: dict) -> None:
        report = result["processes"][0]
        kernels = ", ".join(f"{count} x {name}" for name, count in report["kernels"].items())
        agreed = report["facts"].get("agreement")
        distance = "" if not agreed else (
            f"; largest logit difference from fp32 {agreed['largest_logit_difference']:.4g} of a spread of "
            f"{agreed['logit_spread']:.4g}, top-1 agreement {100 * agreed['top1_agreement']:.0f} %")
        request.node.user_properties.append((
            "amx", f"{amx.kind}, {spent() - before:.0f} s of processor time: {kernels}{distance}"))
    return show


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder; skip it where torch is not set up, or nothing can run AMX."""
    why = None
    try:
        chosen().worker_python()
    except BenchError as error:
        why = str(error)
    if not why and not support_amx.is_real():
        why = amx_emulator.why_not()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.amx)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each case: AMX real or emulated, its time, its kernels."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == "amx":
                test = report.nodeid.rpartition("::")[2]
                terminalreporter.write_line(f"AMX {test}: {report.duration:.0f} s, {text}")
