"""Results and notices enter; one HTML page that contains its style and script, and refers to nothing, leaves."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import jinja2

from ..case.engines import is_unproven
from ..errors import BadInput
from ..history.collection import Entry
from ..result.kpi import finite, step_ms
from . import against, charts, figures, health, machine, nodes, palette, sweep, timelines
from .drawing import Gallery
from .figures import DETAILED
from .markup import Html, el, join, plural, short, table, when
from .points import Point, best, interval, newest, points, step_times

_HERE = Path(__file__).parent
_SECTIONS = (("summary", "Summary"), ("versus", "A against B"), ("time", "Over time"), ("nodes", "Nodes"),
             ("sweep", "Batch and cores"), ("cases", "Newest runs"), ("results", "All results"), ("health", "Health"),
             ("system", "System"))
_BEST_COLUMNS = ("Precision", "Best", "95 % interval", "Interval is", "Told from others", "Batch", "Cores", "Verdict",
                 "Of compute peak", "KPI", "Run by")
#: (heading, what a click sorts by: "n" a number, "t" a text)
_COLUMNS = (("Verdict", "t"), ("Case", "t"), ("KPI", "n"), ("Unit", "t"), ("95 % interval", "n"),
            ("Batch", "n"), ("Cores", "n"), ("P50 (ms)", "n"), ("P99 (ms)", "n"), ("Peak (%)", "n"), ("Precision", "t"),
            ("Itr", "n"), ("Started (UTC)", "t"))


def page(entries: Sequence[Entry], told: list[str], title: str, gallery: Gallery | None = None) -> str:
    """The page about ``entries`` (the newest first); what could not be used is in ``told``.

    Its charts are then in ``gallery``.
    """
    gallery = gallery if gallery is not None else Gallery()
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    all_points = points(entries)
    shown, older = newest(entries, DETAILED)
    sections = {"versus": against.section(entries, gallery, told), "time": timelines.section(entries, gallery),
                "nodes": nodes.section(entries, gallery), "sweep": sweep.section(all_points, gallery)}
    cases = list(_cases(shown, told, gallery))
    there = {"summary": True, **sections, "cases": cases, "results": entries, "health": entries, "system": entries}
    counts = Counter(map(health.verdict, entries))
    text = _template().render(
        title=title, entries=entries, made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        contents=[(name, words) for name, words in _SECTIONS if there[name]],
        counts=[(word, counts[word]) for word in ("valid", "noisy", "invalid", "failed")],
        best=[_best(*each) for each in best(all_points)], best_columns=_BEST_COLUMNS, several=len(all_points) > 1,
        middle=join(sections.values()), cases=cases, older_cases=older, columns=_COLUMNS,
        rows=join(_row(index, entry) for index, entry in enumerate(entries)), told=told,
        end=join((health.section(entries), machine.systems(entries))) if entries else "",
        style=Html(palette.style() + style), script=Html(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode())
    # Names of files, and JSON, may hold what no text file can.
    return text.encode("utf-8", "replace").decode()


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["plural"] = plural
    environment.globals |= {"badge": health.badge, "table": table}
    return environment.from_string((_HERE / "page.html.j2").read_text(encoding="utf-8"))


def _cases(shown: Sequence[Entry], told: list[str], gallery: Gallery) -> Iterator[dict[str, object]]:
    """The newest result of each case: step times, percentiles and where its instances ran."""
    for entry in shown:
        name, unit, value = entry.primary or ("", "", 0.0)
        try:
            times = step_times(entry)
            steps = gallery.figure(f"step-times {entry.case}",
                                   charts.histogram(figures.histogram(entry.case, times)))
        except BadInput as error:
            told.append(str(error))
            steps = el("p", "The single steps of this result cannot be read; see Left out.", class_="hint")
        yield {"name": entry.case, "verdict": health.verdict(entry),
               "words": f"{name} {short(value)} {unit}, batch {entry.result.parameter('BATCH_SIZE') or '?'}, "
                        f"{when(entry.started_at)} UTC",
               "percentiles": health.percentiles(entry), "steps": steps, "topology": machine.topology(entry, gallery)}


def _best(point: Point, others: int, told: int) -> tuple[object, ...]:
    name, unit = point.kpi
    facts = point.facts
    gap = f"{short(point.low)} to {short(point.high)}" if point.low is not None else "–"
    used = finite(point.entries[0].result.limits.get("compute_utilization"))
    return (facts.get("PRECISION", "?"), el("td", el("b", short(point.value)), f" {unit}"), gap, point.source,
            "–" if not others else f"{told} of {others}" if told else f"no difference shown to {others}",
            facts.get("BATCH_SIZE", "–"), facts.get("CORES_PER_INSTANCE", "–"),
            el("td", health.badge("noisy" if point.noisy else "valid")),
            "–" if used is None else f"{100 * used:.0f} %", name,
            el("td", " on ".join(filter(None, (_engine(facts.get("TORCH_TYPE")), facts.get("cpu")))), class_="long"))


def _engine(name: str | None) -> str | None:
    return f"{name} (kernels unproven)" if name and is_unproven(name) else name


def _row(index: int, entry: Entry) -> Html:
    case, result = entry.result.parameters(), entry.result
    _, unit, value = entry.primary or ("", "–", None)
    low, high = interval(entry) or (None, None)
    # Numbers of an invalid result would be taken for its KPIs.
    latency = partial(step_ms, result.statistics.latency_ms if entry.primary else None)
    used = finite(result.limits.get("compute_utilization")) if entry.primary else None
    word = health.verdict(entry)
    why = (el("span", entry.unusable, class_="why"),) if entry.unusable else ()
    # The browser adds nothing to an empty data-v: what is missing sorts last.
    spread = "–" if low is None else f"{short(low)} to {short(high)}"
    cells = [_number(value), el("td", unit),
             el("td", spread, class_="n", data_v="" if low is None else repr(low)),
             _number(case.get("BATCH_SIZE")), _number(case.get("CORES_PER_INSTANCE")),
             _number(latency("50")), _number(latency("99")), _number(None if used is None else 100 * used),
             el("td", case.get("PRECISION", "–")), _number(entry.iteration),
             el("td", when(entry.started_at), data_v=entry.started_at)]
    return el("tr", el("td", el("a", health.badge(word), href=f"#r{index}"), data_v=word),
              el("th", entry.case, *why, scope="row", data_v=entry.case), *cells, class_=word)


def _number(value: object) -> Html:
    text = "–" if value is None else short(value) if isinstance(value, float) else str(value)
    return el("td", text, class_="n", data_v="" if value is None else repr(value)
              if isinstance(value, float) else str(value))
