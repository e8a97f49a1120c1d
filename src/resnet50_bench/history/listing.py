"""Results -> their KPIs as lines in kpi.sh's format, as table rows and in Prometheus' text format; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from ..case.engines import UNPROVEN_WORDS
from ..case.parameters import Role, having
from ..result.kpi import KPIS, finite, step_ms
from ..result.stats import PERCENTILES
from ..tables import Cell
from .collection import Entry

#: The units in Prometheus' names.
_UNITS = {"samples/sec": "samples_per_second", "%": "percent"}


def kpis(entry: Entry, every: bool) -> dict[tuple[str, str], float]:
    """The values of the primary KPI or of all KPIs by (name, unit), with kpi.sh's names and order.

    Empty without a primary KPI.
    """
    if not entry.primary or not every:
        return {entry.primary[:2]: entry.primary[2]} if entry.primary else {}
    statistics, limits = entry.result.statistics, entry.result.limits
    low, high = statistics.throughput_ci95 or (None, None)
    accuracy, window, server = statistics.accuracy, statistics.window, statistics.server
    compute, memory = limits.get("compute_utilization"), limits.get("memory_utilization")
    values: dict[tuple[str, str], float | None] = {
        ("Throughput", "samples/sec"): statistics.throughput_images_per_s,
        ("Throughput CI95 Low", "samples/sec"): low,
        ("Throughput CI95 High", "samples/sec"): high,
        ("Latency", "ms"): step_ms(statistics.latency_ms, "mean"),
        ("Latency Min", "ms"): step_ms(statistics.latency_ms, "min"),
        ("Latency Max", "ms"): step_ms(statistics.latency_ms, "max"),
        **{(f"Latency P{p}", "ms"): step_ms(statistics.latency_ms, str(p)) for p in PERCENTILES},
        ("Server Rate", "queries/sec"): KPIS["server"].value(statistics),
        ("Server Target", "queries/sec"): server.target_queries_per_s if server else None,
        ("Server Batch", "queries"): server.mean_batch if server else None,
        ("Server Padding", "%"): 100 * server.padding if server else None,
        ("Accuracy", "%"): accuracy.top1 if accuracy else None,
        ("Accuracy Top5", "%"): accuracy.top5 if accuracy else None,
        ("Window Overlap", "%"): 100 * window.overlap if window else None,
        ("Window Duration", "s"): window.duration_s if window else None,
        ("Compute Utilization", "%"): None if compute is None else 100 * compute,
        ("Memory Utilization", "%"): None if memory is None else 100 * memory,
    }
    if len(statistics.instances) > 1:
        values |= {(f"Instance {instance.instance} Throughput", "samples/sec"): instance.throughput_images_per_s
                   for instance in statistics.instances}
    return {name: value for name, measured in values.items() if (value := finite(measured)) is not None}


def lines(entries: Sequence[Entry], every: bool, tunables: bool) -> Iterator[str]:
    """Lines in kpi.sh's format, below a header for each logs folder and, if it has several, for each result."""
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
    """A row for each result, all with the same columns. None for a missing value."""
    table: list[dict[str, Cell]] = []
    for entry in entries:
        name, unit, value = entry.primary or (None, None, None)
        why = "; ".join(filter(None, (_burst(entry), entry.unusable or entry.reasons,
                                      "kernels unproven" if entry.result.is_unproven else "")))
        row: dict[str, Cell] = {
            "logs": entry.logs.name, "case": entry.case, "iteration": entry.iteration, "file": str(entry.path),
            "started_at": entry.started_at, "verdict": entry.outcome,
            "why": why, "kpi": name, "unit": unit, "value": value}
        if tunables:
            row |= entry.result.parameters()
        if every:
            row |= {f"{metric} ({its_unit})": its_value for (metric, its_unit), its_value in kpis(entry, True).items()}
        table.append(row)
    columns = dict.fromkeys(column for row in table for column in row)
    return [{column: row.get(column) for column in columns} for row in table]


def prometheus(entries: Sequence[Entry], every: bool) -> str:
    """The newest result of each configuration on each node: its primary KPI or all, its verdict, its start.

    The format is for node_exporter's textfile collector:
    https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
    """
    newest: dict[str, Entry] = {}
    for entry in entries:
        newest.setdefault(_labels(entry), entry)
    families: dict[tuple[str, str], list[str]] = {}

    def add(name: str, about: str, labels: str, value: float) -> None:
        families.setdefault((name, about), []).append(f"{name}{{{labels}}} {value!r}")

    for labels, entry in newest.items():
        for (kpi, unit), value in kpis(entry, every).items():
            words = re.sub(r"[^a-z0-9]+", "_", f"{kpi} {_UNITS.get(unit, unit)}".lower()).strip("_")
            add(f"resnet50_bench_{words}", f"{kpi} ({unit})", labels, value)
        add("resnet50_bench_result", "1: the verdict on the newest result", f'{labels},verdict="{entry.outcome}"', 1)
        try:
            began = datetime.fromisoformat(entry.started_at).timestamp()
        except ValueError:  # not in this result
            began = float("nan")
        add("resnet50_bench_started_at_seconds", "When that run began, as Unix time", labels, began)
    return "".join(f"# HELP {name} {about}\n# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in lines)
                   for (name, about), lines in families.items())


def _labels(entry: Entry) -> str:
    """The labels that identify a series. Other values mean another configuration."""
    values = {"case": entry.case, "node": entry.node,
              **{name.lower(): entry.result.parameter(name) for name in having(Role.SHOWN)}}
    escapes = str.maketrans({"\\": r"\\", '"': r'\"', "\n": r"\n"})
    return ",".join(f'{name}="{value.translate(escapes)}"' for name, value in values.items())
