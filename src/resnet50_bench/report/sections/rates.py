"""MODE=server: the bounded percentile over the rates that a search tried, with the bound."""

from __future__ import annotations

from collections.abc import Sequence

from ...history.collection import Entry
from ...result.server import Rate, Server
from ..chart import HEIGHT, Chart, Spec, axis, frame, look, nice_ticks
from ..drawing import Gallery
from ..markup import Html, el, short, when
from ..palette import Palette
from . import Results, Section, left_out

#: The most charts: each costs time and space.
_DRAWN = 8
#: LoadGen's verdict -> (colour, shape).
_LOOKS = {"VALID": ("good", "circle"), "INVALID": ("bad", "triangle-down"), "the result": ("c0", "diamond")}


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    searched = [(entry, server) for entry in results.entries
                if entry.primary and (server := entry.result.statistics.server) and server.search]
    cards = [el("article", el("h3", _name(entry)), gallery.figure(f"rates {_name(entry)}", _chart(entry, server)),
                class_="card") for entry, server in searched[:_DRAWN]]
    left = len(searched) - _DRAWN
    return [el("div", *cards, class_="gallery"), left_out(left, f"{left} more are", class_="hint")] if cards else []


def _name(entry: Entry) -> str:
    texts = entry.result.parameters()
    return (f"{entry.case} · batch {texts.get('BATCH_SIZE', '?')} · {texts.get('CORES_PER_INSTANCE', '?')} cores an "
            f"instance · {when(entry.started_at)}")


def _chart(entry: Entry, server: Server) -> Chart:
    """A mark for each rate, the result's own among them; a percentile far above the bound is drawn at the top."""
    latency, own = entry.result.statistics.latency_ms, f"P{server.percentile:g}"
    reached = Rate(queries_per_s=server.completed_queries_per_s, valid=True, folder="",
                   latency_ms=latency.percentiles.get(f"{server.percentile:g}") if latency else None)
    tried = server.search.tried if server.search else ()
    kinds = [(rate, "VALID" if rate.valid else "INVALID") for rate in tried] + [(reached, "the result")]
    known = sorted(((rate.queries_per_s, rate.latency_ms, kind) for rate, kind in kinds if rate.latency_ms is not None),
                   key=lambda mark: mark[0])
    caption = f"{own} over the rate, with the bound of {server.bound_ms:g} ms"
    return Chart(f"Rates of {_name(entry)}", f"{caption}. What is more than three times the bound is at the top.",
                 f"{len(known)} rates; {short(server.completed_queries_per_s)} queries/s are within {server.bound}.",
                 lambda colours: _spec(colours, known, own, server.bound_ms),
                 ("Queries/s", f"{own} (ms)", "LoadGen"), [(short(rate), short(ms), kind) for rate, ms, kind in known])


def _spec(colours: Palette, known: Sequence[tuple[float, float, str]], own: str, bound: float) -> Spec:
    top = 3 * bound
    values = [{"x": rate, "y": min(ms, top), "kind": kind, "bound": bound} for rate, ms, kind in known]
    last = max(rate for rate, _, _ in known) * 1.04
    x = axis("x", "queries/s", [0, last], grid=False, values=nice_ticks(0, last))
    names = [name for name in _LOOKS if any(kind == name for _, _, kind in known)]
    y = axis("y", f"{own} (ms)", [0, top * 1.04], values=nice_ticks(0, top))
    colour = look("kind", names, [colours[_LOOKS[name][0]] for name in names], {"columns": 3})
    shape = look("kind", names, [_LOOKS[name][1] for name in names], {"columns": 3})
    return frame(colours, [
        {"mark": {"type": "rule", "color": colours["warn"], "strokeWidth": 1.5, "strokeDash": [5, 3]},
         "encoding": {"y": axis("bound", f"{own} (ms)", [0, top * 1.04], values=nice_ticks(0, top))}},
        {"mark": {"type": "line", "color": colours["c0"], "strokeWidth": 1, "opacity": 0.5},
         "encoding": {"x": x, "y": y}},
        {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 60},
         "encoding": {"x": x, "y": y, "color": colour, "shape": shape}}],
        height=HEIGHT + 10, data={"values": values})


SECTION = Section(25, "rates", "Rates within a bound", _inside, hint=(
    "Each mark is a rate that TARGET_QPS=auto tried, with the latency percentile that LATENCY_BOUND_MS limits. LoadGen "
    "decides which rates are valid. Near the bound, its early stopping may reject a rate with a percentile below it."))
