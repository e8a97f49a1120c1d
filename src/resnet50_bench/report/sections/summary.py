"""How many results are usable, and the best of each precision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...case.engines import is_unproven
from ...result.kpi import finite
from ..chart import low_to_high
from ..drawing import Gallery
from ..markup import Html, el, short, table
from ..points import Point, best
from . import Results, Section
from .health import badge

_COLUMNS = ("Precision", "Best", "95 % interval", "Interval is", "Differs from", "Batch", "Cores", "Verdict",
            "Of compute peak", "KPI", "Run by")
_LUCK = """The best of many points is partly luck. Trust a difference only if repeated runs show it: use
--loop 5. An interval within one run does not include what changes between restarts."""


def _inside(results: Results, _: Gallery) -> Sequence[Html]:
    counts = Counter(entry.outcome for entry in results.entries)
    tiles = [el("li", el("b", counts[word]), badge(word)) for word in ("valid", "noisy", "invalid", "failed")]
    rows = [_row(*choice) for choice in best(results.points)]
    nothing = "No result has a KPI." if results.entries else "There are no results here."
    return (el("ul", *tiles, class_="tiles"),
            table("The best of each precision", _COLUMNS, rows) if rows else el("p", nothing),
            el("p", _LUCK, class_="hint") if len(results.points) > 1 else Html(""))


def _row(point: Point, others: int, told: int) -> tuple[object, ...]:
    kpi, facts, engine = point.kpi, point.facts, point.facts.get("TORCH_TYPE")
    used = finite(point.entries[0].result.limits.get("compute_utilization"))
    if engine and is_unproven(engine):
        engine += " (kernels unproven)"
    server = point.entries[0].result.statistics.server
    return (facts.get("PRECISION", "?"), el("td", el("b", short(point.value)), f" {kpi.unit}"),
            low_to_high(point.low, point.high), point.source,
            "–" if not others else f"{told or 'none'} of {others}",
            facts.get("BATCH_SIZE", "–"), facts.get("CORES_PER_INSTANCE", "–"),
            el("td", badge("noisy" if point.noisy else "valid")),
            "–" if used is None else f"{100 * used:.0f} %",
            f"{kpi.name} within {server.bound}" if server else kpi.name,
            el("td", " on ".join(filter(None, (engine, facts.get("cpu")))), class_="long"))


SECTION = Section(10, "summary", "Summary", _inside)
