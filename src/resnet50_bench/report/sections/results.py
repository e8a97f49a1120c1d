"""Every result as a row of a table that can be sorted and filtered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...history.collection import Entry
from ...result.kpi import finite, step_ms
from ..chart import low_to_high
from ..drawing import Gallery
from ..markup import Html, el, scroll, short, when
from ..points import interval
from . import Results, Section
from .health import badge

#: (heading, what a click sorts by: "n" a number, "t" a text)
_COLUMNS = (("Verdict", "t"), ("Case", "t"), ("KPI", "n"), ("Unit", "t"), ("95 % interval", "n"),
            ("Batch", "n"), ("Cores", "n"), ("P50 (ms)", "n"), ("P99 (ms)", "n"), ("Peak (%)", "n"), ("Precision", "t"),
            ("Itr", "n"), (_STARTED := "Started (UTC)", "t"))


def _inside(results: Results, _: Gallery) -> Sequence[Html]:
    if not results.entries:
        return ()
    search = el("label", "Show only rows with ", el("input", type="search", id="filter", autocomplete="off"))
    head = [el("th", el("button", words, el("span", class_="arrow", aria_hidden="true"), type="button"), scope="col",
               data_kind=kind, aria_sort="descending" if words == _STARTED else "none")
            for words, kind in _COLUMNS]
    rows = [_row(index, entry) for index, entry in enumerate(results.entries)]
    return (el("p", search, "\n", el("span", id="shown", role="status"), class_="filter"),
            scroll("All results", el("table", el("caption", "All results; the newest first"),
                                     el("thead", el("tr", *head)), el("tbody", *rows), class_="sortable")))


def _row(index: int, entry: Entry) -> Html:
    case, result = entry.result.parameters(), entry.result
    _, unit, value = entry.primary or ("", "–", None)
    low, high = interval(entry) or (None, None)
    # Numbers of an invalid result would be taken for its KPIs.
    latency = partial(step_ms, result.statistics.latency_ms if entry.primary else None)
    used = finite(result.limits.get("compute_utilization")) if entry.primary else None
    word = entry.outcome
    why = (el("span", entry.unusable, class_="why"),) if entry.unusable else ()
    # The browser adds nothing to an empty data-v: what is missing sorts last.
    cells = [_number(value), el("td", unit),
             el("td", low_to_high(low, high), class_="n", data_v="" if low is None else repr(low)),
             _number(case.get("BATCH_SIZE")), _number(case.get("CORES_PER_INSTANCE")),
             _number(latency("50")), _number(latency("99")), _number(None if used is None else 100 * used),
             el("td", case.get("PRECISION", "–")), _number(entry.iteration),
             el("td", when(entry.started_at), data_v=entry.started_at)]
    return el("tr", el("td", el("a", badge(word), href=f"#r{index}"), data_v=word),
              el("th", entry.case, *why, scope="row", data_v=entry.case), *cells, class_=word)


def _number(value: object) -> Html:
    text, order = (short(value), repr(value)) if isinstance(value, float) else (str(value), str(value))
    return el("td", "–" if value is None else text, class_="n", data_v="" if value is None else order)


SECTION = Section(70, "results", "All results", _inside)
