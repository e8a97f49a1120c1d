"""Names, texts and attributes -> HTML. Escapes every text that was not made here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

#: What the page is made of.
Html = Markup

_VOID = ("br", "input", "link", "meta")


def join(parts: Iterable[object]) -> Html:
    """Escape the parts and join them."""
    return Html("".join(map(escape, parts)))


def el(name: str, /, *children: object, **attributes: object) -> Html:
    """Build an HTML element. ``class_`` becomes ``class``, ``data_v`` becomes ``data-v``.

    An attribute that is None or False is left out. True is a bare name.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(key if value is True else f'{key}="{escape(value)}"')
    start = f"<{' '.join(words)}>"
    if name in _VOID:
        return Html(start)
    return Html(f"{start}{''.join(map(escape, children))}</{name}>")


def table(caption: object, header: Sequence[object], rows: Iterable[Sequence[object]], class_: str = "") -> Html:
    """A table whose rows begin with their headers, in a container that scrolls on its own."""
    head = el("tr", *(cell if isinstance(cell, Html) and cell.startswith("<th") else el("th", cell, scope="col")
                      for cell in header))
    body = [el("tr", *(el("th", cell, scope="row") if not i else
                       cell if isinstance(cell, Html) and cell.startswith("<td") else el("td", cell)
                       for i, cell in enumerate(row))) for row in rows]
    return scroll(caption, el("table", el("caption", caption), el("thead", head), el("tbody", *body), class_=class_))


def scroll(label: object, inside: Html) -> Html:
    """A box that scrolls sideways, by keyboard, too."""
    return el("div", inside, class_="scroll", role="region", tabindex="0", aria_label=label)


def fold(summary: object, *inside: object, **attributes: object) -> Html:
    """A block that opens on a click."""
    return el("details", el("summary", summary), *inside, **attributes)


def short(value: float | None) -> str:
    """A number by four significant digits, without exponent where a person would write none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:.0f}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3}f}" if size >= 0.001 or not size else f"{value:.2e}"


def when(started_at: str) -> str:
    """``2026-01-01T00:00:00+00:00`` -> ``2026-01-01 00:00``."""
    return started_at[:16].replace("T", " ")
