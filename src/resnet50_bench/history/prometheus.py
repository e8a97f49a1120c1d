"""Results, the newest first -> Prometheus' text format, as node_exporter's textfile collector reads it; pure.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from ..case.parameters import Role, having
from .collection import Entry
from .listing import kpis

_UNITS = {"samples/sec": "samples_per_second", "%": "percent"}
#: With the case and the node they make a series: other values are another configuration, not another point of it.
_LABELS = having(Role.SHOWN)


def text(entries: Sequence[Entry], every: bool) -> str:
    """Of each configuration on each node its newest result: its primary KPI or all, its verdict, when it began."""
    newest: dict[str, Entry] = {}
    for entry in entries:
        newest.setdefault(_labels(entry), entry)
    families: dict[tuple[str, str], list[str]] = {}
    for labels, entry in newest.items():
        for (kpi, unit), value in kpis(entry, every).items():
            name = _name(kpi, unit)
            families.setdefault((name, f"{kpi} ({unit})"), []).append(f"{name}{{{labels}}} {value!r}")
        verdict = "failed" if entry.failure is not None else entry.verdict
        families.setdefault(("resnet50_bench_result", "1: the verdict on the newest result"), []).append(
            f'resnet50_bench_result{{{labels},verdict="{verdict}"}} 1')
        families.setdefault(("resnet50_bench_started_at_seconds", "When that run began, as Unix time"), []).append(
            f"resnet50_bench_started_at_seconds{{{labels}}} {_unix(entry.started_at)!r}")
    return "".join(f"# HELP {name} {about}\n# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in lines)
                   for (name, about), lines in families.items())


def _name(kpi: str, unit: str) -> str:
    """``resnet50_bench_latency_p99_9_ms``."""
    words = f"{kpi} {_UNITS.get(unit, unit)}".lower()
    return "resnet50_bench_" + re.sub(r"[^a-z0-9]+", "_", words).strip("_")


def _labels(entry: Entry) -> str:
    values = {"case": entry.case, "node": entry.node,
              **{name.lower(): entry.result.parameter(name) for name in _LABELS}}
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r'\"').replace("\n", r"\n")


def _unix(started_at: str) -> float:
    """NaN for a result that does not say it."""
    try:
        return datetime.fromisoformat(started_at).timestamp()
    except ValueError:
        return float("nan")
