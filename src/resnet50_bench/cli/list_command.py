"""``list-kpi.sh``: folders with results enter, their KPIs in one of several formats leave on stdout."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..arguments import Parser, number_of
from ..case.engines import UNPROVEN_WORDS
from ..ctest.build_folder import WORKLOAD_FOLDER, readable_results
from ..files import json_text
from ..history.collection import Entry, find
from ..result.kpi import finite, step_ms
from ..result.stats import PERCENTILES
from . import prometheus


def parser() -> Parser:
    """The options, with the meanings that WSF gives them."""
    made = Parser("resnet50-bench list", "List the KPIs of the results below folders.",
                  "resnet50-bench list --all --recent 5")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--primary", action="store_true", help="only the primary KPI (default)")
    which.add_argument("--all", action="store_true", help="every KPI")
    made.add_argument("--params", action="store_true", help="the parameters, too")
    made.add_argument("--recent", type=number_of(1), metavar="N", help="only the N newest logs folders")
    made.add_argument("--format", choices=("list", "json", "csv", "markdown", "prometheus"), default="list")
    made.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")
    made.add_argument("folders", nargs="*", type=Path, metavar="FOLDER",
                      help=f"default: {WORKLOAD_FOLDER} of the build folder, else the current folder")
    return made


def main(argv: list[str]) -> int:
    """Print the KPIs; what is no result is named on stderr."""
    words = parser().parse_args(argv)
    notices: list[str] = []
    entries = find(words.folders or [readable_results()], notices)
    if words.recent:
        newest = list(dict.fromkeys(entry.logs for entry in entries))[:words.recent]
        entries = [entry for entry in entries if entry.logs in newest]
    for notice in notices:
        print(f"NOTICE: {notice}", file=sys.stderr)
    if words.format == "list":
        text = "".join(f"{line}\n" for line in listing(entries, words.all, words.params))
    elif words.format == "prometheus":
        text = prometheus.text(entries, metrics if words.all else primary)
    else:
        made = {"json": as_json, "csv": as_csv, "markdown": as_markdown}[words.format]
        text = made(rows(entries, words.all, words.params))
    print(text, end="")
    return 0


def metrics(entry: Entry) -> dict[tuple[str, str], float]:
    """(KPI, unit) -> value, by the names and in the order of kpi.sh; empty where there is no primary KPI."""
    if not entry.primary:
        return {}
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


def primary(entry: Entry) -> dict[tuple[str, str], float]:
    """The primary KPI alone; empty where there is none."""
    return {entry.primary[:2]: entry.primary[2]} if entry.primary else {}


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def listing(entries: Sequence[Entry], every: bool, tunables: bool) -> Iterator[str]:
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
    primary, unit, value = entry.primary
    wanted = metrics(entry) if every else {(primary, unit): value}
    yield from (f"{'*' if name == primary else ''}{name} ({its_unit}): {its_value:.4f}"
                for (name, its_unit), its_value in wanted.items())


def _burst(entry: Entry) -> str:
    return f"one of {entry.burst} runs at once on the same cores" if entry.burst > 1 else ""


def rows(entries: Sequence[Entry], every: bool, tunables: bool) -> list[dict[str, object]]:
    """A row for each result, all with the same columns; None for what a result does not have."""
    found: list[dict[str, object]] = []
    for entry in entries:
        name, unit, value = entry.primary or (None, None, None)
        why = "; ".join(filter(None, (_burst(entry), entry.unusable or entry.reasons,
                                      "kernels unproven" if entry.result.is_unproven else "")))
        row: dict[str, object] = {
            "logs": entry.logs.name, "case": entry.case, "iteration": entry.iteration, "file": str(entry.path),
            "started_at": entry.started_at, "verdict": "failed" if entry.failure is not None else entry.verdict,
            "why": why, "kpi": name, "unit": unit, "value": value}
        if tunables:
            row |= entry.result.parameters()
        if every:
            row |= {f"{metric} ({its_unit})": its_value for (metric, its_unit), its_value in metrics(entry).items()}
        found.append(row)
    columns = dict.fromkeys(column for row in found for column in row)
    return [{column: row.get(column) for column in columns} for row in found]


def as_json(table: Sequence[dict[str, object]]) -> str:
    """A list of objects."""
    return json_text(table, indent=1) + "\n"


def as_csv(table: Sequence[dict[str, object]]) -> str:
    """A header and a line for each row, as RFC 4180 has it but for the line ends."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    if table:
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue()


def as_markdown(table: Sequence[dict[str, object]]) -> str:
    """A table of GitHub's Markdown."""
    if not table:
        return ""
    lines = [list(table[0]), ["---"] * len(table[0]), *([_cell(value) for value in row.values()] for row in table)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")
