"""Results and notices enter; one HTML page that contains its style and script, and refers to nothing, leaves."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from ..case.engines import is_unproven
from ..errors import BadInput
from ..history.collection import Entry
from ..result.kpi import finite, step_ms
from . import charts, figures, health, machine, nodes, sweep
from .figures import DETAILED
from .markup import Html, el, escape, join, plural, raw, scroll, short, table, when
from .points import Point, best, interval, newest, points, step_times

_HERE = Path(__file__).parent
_SECTIONS = (("summary", "Summary"), ("nodes", "Nodes"), ("sweep", "Batch and cores"), ("cases", "Newest runs"),
             ("results", "All results"), ("health", "Health"), ("system", "System"))


def page(entries: Sequence[Entry], notices: Sequence[str], title: str) -> str:
    """The page about ``entries`` (the newest first); what could not be used as a result is in ``notices``."""
    found = points(entries)
    told = list(notices)
    body = [_summary(entries, found), nodes.section(entries), sweep.section(found), _cases(entries, told),
            _results(entries)]
    body += [health.section(entries), machine.systems(entries)] if entries else []
    if told:
        body.append(el("section", el("h2", "Left out"), el("ul", *(el("li", each) for each in told)), id="left-out"))
    there = [(name, words) for name, words in _SECTIONS if any(f'id="{name}"' in part for part in body)]
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    top = el("header", el("h1", title), el("p", f"{plural(len(entries), 'result')}; made {made}", class_="hint"),
             el("nav", el("ul", *(el("li", el("a", words, href=f"#{name}")) for name, words in there)),
                aria_label="Sections"))
    made_page = _document(title, join((el("a", "Skip to the results", href="#results", class_="skip"), top,
                                       el("main", *body))))
    # Names of files, and JSON, may hold what no text file can.
    return made_page.encode("utf-8", "replace").decode()


def _document(title: str, body: Html) -> str:
    """The frame. Only this very script may run: whatever a result smuggled in would not have its hash."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
              "base-uri 'none'; form-action 'none'")
    head = [el("meta", charset="utf-8"), el("meta", http_equiv="Content-Security-Policy", content=policy),
            el("meta", name_="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name_="color-scheme", content="light dark"), el("link", rel="icon", href="data:,"),
            el("title", title), el("style", raw(style))]
    page_body = el("body", body, el("script", raw(script)))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{join(head)}</head>\n{page_body}</html>\n'


def _summary(entries: Sequence[Entry], found: Sequence[Point]) -> Html:
    counts = Counter(map(health.verdict, entries))
    tiles = [el("li", el("b", str(counts[word])), health.badge(word))
             for word in ("valid", "noisy", "invalid", "failed")]
    rows = [_best(*each) for each in best(found)]
    head = ("Precision", "Best", "95 % interval", "Interval is", "Told from others", "Batch", "Cores", "Verdict",
            "Of compute peak", "KPI", "Run by")
    return el("section", el("h2", "Summary"), el("ul", *tiles, class_="tiles"),
              table("The best of each precision", head, rows) if rows else
              el("p", "No result has a KPI." if entries else "There are no results here."),
              el("p", "Best of several points: the more points, the more of it is luck. It is told from those that it "
                      "differs from by more than restarts do; one restart cannot tell: repeat with --loop 5. An "
                      "interval within one run does not hold what changes between restarts.", class_="hint")
              if len(found) > 1 else "",
              id="summary")


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


def _cases(entries: Sequence[Entry], told: list[str]) -> Html:
    """The newest result of each case: step times, percentiles and where its instances ran."""
    shown, left = newest(entries, DETAILED)
    if not shown:
        return Html("")
    cards = []
    for index, entry in enumerate(shown):
        name, unit, value = entry.primary or ("", "", 0.0)
        words = (f"{name} {short(value)} {unit}, batch {entry.result.parameter('BATCH_SIZE') or '?'}, "
                 f"{when(entry.started_at)} UTC")
        try:
            drawn = charts.histogram(f"steps{index}", figures.histogram(entry.case, step_times(entry)))
        except BadInput as error:
            told.append(str(error))
            drawn = el("p", "The single steps of this result cannot be read; see Left out.", class_="hint")
        cards.append(el("article", el("h3", entry.case), el("p", health.badge(health.verdict(entry)), f" {words}"),
                        health.percentiles(entry),
                        el("div", drawn, machine.topology(entry), class_="pair"), class_="card"))
    return el("section", el("h2", "Newest run of each case"),
              el("p", "Step times of all instances in the window in which all of them measured; a core shows the "
                      "number of its instance, · is idle.", class_="hint"), *cards,
              el("p", f"{plural(left, 'older case')} left out; their results are in the table.") if left else "",
              id="cases")


#: (heading, what a click sorts by: "n" a number, "t" a text)
_COLUMNS = (("Verdict", "t"), ("Case", "t"), ("KPI", "n"), ("Unit", "t"), ("95 % interval", "n"),
            ("Batch", "n"), ("Cores", "n"), ("P50 (ms)", "n"), ("P99 (ms)", "n"), ("Peak (%)", "n"), ("Precision", "t"),
            ("Itr", "n"), ("Started (UTC)", "t"))


def _results(entries: Sequence[Entry]) -> Html:
    if not entries:
        return Html("")
    arrow = el("span", "", class_="arrow", aria_hidden="true")
    head = [el("th", el("button", words, arrow, type="button"), scope="col", data_kind=kind,
               aria_sort="descending" if words.startswith("Started") else "none") for words, kind in _COLUMNS]
    label = "All results; the newest first"
    inside = el("table", el("caption", label), el("thead", el("tr", *head)),
                el("tbody", *(_row(index, entry) for index, entry in enumerate(entries))), class_="sortable")
    return el("section", el("h2", "All results"),
              el("p", el("label", "Show only rows with ", el("input", type="search", id="filter", autocomplete="off")),
                 " ", el("span", "", id="shown", role="status"), class_="filter"), scroll("All results", inside),
              id="results")


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
    text = "–" if value is None else short(value) if isinstance(value, float) else escape(str(value))
    return el("td", Html(text), class_="n", data_v="" if value is None else repr(value)
              if isinstance(value, float) else str(value))
