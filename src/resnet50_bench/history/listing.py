"""Results -> their KPIs, as lines in the format of kpi.sh and as rows of a table; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..case.engines import UNPROVEN_WORDS
from ..result.kpi import finite, step_ms
from ..result.stats import PERCENTILES
from ..tables import Cell
from .collection import Entry

#: (KPI, unit) -> value.
Kpis = dict[tuple[str, str], float]


def kpis(entry: Entry, every: bool) -> Kpis:
    """The primary KPI or every one, by the names and in the order of kpi.sh; empty where there is no primary KPI."""
    if not entry.primary:
        return {}
    return _every_kpi(entry) if every else {entry.primary[:2]: entry.primary[2]}


def _every_kpi(entry: Entry) -> Kpis:
    statistics, limits = entry.result.statistics, entry.result.limits
    low, high = statistics.throughput_ci95 or (None, None)
    accuracy, window = statistics.accuracy, statistics.window
    latency = {"Latency": "mean", "Latency Min": "min", "Latency Max": "max"}
    found: dict[tuple[str, str], float | None] = {
        ("Throughput", "samples/sec"): statistics.throughput_images_per_s,
        ("Throughput CI95 Low", "samples/sec"): low,
        ("Throughput CI95 High", "samples/sec"): high,
        **{(name, "ms"): step_ms(statistics.latency_ms, which) for name, which in latency.items()},
        **{(f"Latency P{p}", "ms"): step_ms(statistics.latency_ms, str(p)) for p in PERCENTILES},
        ("Accuracy", "%"): accuracy.top1 if accuracy else None,
        ("Accuracy Top5", "%"): accuracy.top5 if accuracy else None,
        ("Window Overlap", "%"): _percent(window.overlap if window else None),
        ("Window Duration", "s"): window.duration_s if window else None,
        ("Compute Utilization", "%"): _percent(limits.get("compute_utilization")),
        ("Memory Utilization", "%"): _percent(limits.get("memory_utilization")),
    }
    if len(statistics.instances) > 1:
        found |= {(f"Instance {instance.instance} Throughput", "samples/sec"): instance.throughput_images_per_s
                  for instance in statistics.instances}
    return {name: value for name, measured in found.items() if (value := finite(measured)) is not None}


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def lines(entries: Sequence[Entry], every: bool, tunables: bool) -> Iterator[str]:
    """Lines as kpi.sh prints them, below a header for each logs folder and, where it has several, each result."""
    folders: dict[Path, list[Entry]] = {}
    for entry in entries:
        folders.setdefault(entry.logs, []).append(entry)
    for logs, inside in folders.items():
        yield f"# {logs}"
        for entry in sorted(inside, key=lambda entry: (entry.iteration or 0, str(entry.path))):
            if len(inside) > 1:
                yield f"# {entry.path.relative_to(logs)}"
            if tunables:
                yield from (f"## {name}: {value}" for name, value in entry.result.parameters().items())
            yield from _kpi_lines(entry, every)


def _kpi_lines(entry: Entry, every: bool) -> Iterator[str]:
    if not entry.primary:
        yield f"# INVALID RESULT: {entry.unusable}"
        return
    if entry.burst > 1:
        yield f"# BURST RESULT: {_burst(entry)}"
    if entry.verdict == "noisy":
        yield f"# NOISY RESULT: {entry.reasons}"
    if entry.result.is_unproven:
        yield f"# UNPROVEN RESULT: {entry.result.parameter('TORCH_TYPE')}: {UNPROVEN_WORDS}"
    yield from (f"{'*' if name == entry.primary[0] else ''}{name} ({unit}): {value:.4f}"
                for (name, unit), value in kpis(entry, every).items())


def _burst(entry: Entry) -> str:
    return f"one of {entry.burst} runs at once on the same cores" if entry.burst > 1 else ""


def rows(entries: Sequence[Entry], every: bool, tunables: bool) -> list[dict[str, Cell]]:
    """A row for each result, all with the same columns; None for what a result does not have."""
    found: list[dict[str, Cell]] = []
    for entry in entries:
        name, unit, value = entry.primary or (None, None, None)
        why = "; ".join(filter(None, (_burst(entry), entry.unusable or entry.reasons,
                                      "kernels unproven" if entry.result.is_unproven else "")))
        row: dict[str, Cell] = {
            "logs": entry.logs.name, "case": entry.case, "iteration": entry.iteration, "file": str(entry.path),
            "started_at": entry.started_at, "verdict": "failed" if entry.failure is not None else entry.verdict,
            "why": why, "kpi": name, "unit": unit, "value": value}
        if tunables:
            row |= entry.result.parameters()
        if every:
            row |= {f"{metric} ({its_unit})": its_value for (metric, its_unit), its_value in kpis(entry, every).items()}
        found.append(row)
    columns = dict.fromkeys(column for row in found for column in row)
    return [{column: row.get(column) for column in columns} for row in found]
