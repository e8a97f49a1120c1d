"""Charts -> inline SVG for the page and PNG files. vl-convert draws both from one Vega-Lite specification.

vl-convert is Vega itself in one wheel, offline and without a browser or further packages. It takes CSS variables as
colours, so that one SVG serves a light and a dark screen; a chart costs about 0.07 s, the first one of a process 1 s.
It is imported when the first chart is drawn.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator

from .chart import WIDTH, Chart, Spec, plain
from .markup import Html, el, fold, table
from .palette import PICTURE, VARIABLES

#: The newest that vl-convert 1.9 brings; named, so that a newer vl-convert draws the same.
_VEGA_LITE = "6.4"
_SCALE = 3
_LONGEST_NAME = 80
#: Letters that fit into the chart's narrowest width, as title and as words below it.
_TITLE_LETTERS, _WORDS_LETTERS = 52, 64
#: What Vega writes and a still picture has no use for; half of its size.
_IDLE = re.compile(r' (?:pointer-events="none"|aria-(?:hidden|roledescription)="[^"]*"|(?:class|role)="[^"]*"'
                   r'|opacity="1"|stroke-miterlimit="10"|transform="translate\(0,0\)")'
                   r'|<path[^>]* d="(?:M0,0h0v0h0Z)?"[^>]*/>')


class Gallery:
    """The charts of the page. ``figure`` adds one, and ``pictures`` draws all of them as PNG."""

    def __init__(self) -> None:
        self._charts: dict[str, Chart] = {}

    def figure(self, name: str, chart: Chart) -> Html:
        """Return the chart as SVG, with title and description for screen readers, and its numbers as a table.

        ``name`` becomes the name of its PNG file.
        """
        ident = f"chart{len(self._charts)}"
        self._charts[_file_stem(name, self._charts)] = chart
        spec = chart.spec(VARIABLES)
        drawing = el("svg", el("title", chart.title, id=f"{ident}-t"), el("desc", chart.description, id=f"{ident}-d"),
                     Html(_inner_svg(spec)), viewBox=f"0 0 {spec['width']} {spec['height']}", role="img",
                     aria_labelledby=f"{ident}-t {ident}-d",
                     style=f"--wide:{spec['width']}px" if spec["width"] > WIDTH else None)
        if spec["width"] > WIDTH:
            drawing = el("div", drawing, class_="scroll", role="region", tabindex="0", aria_label=chart.title)
        numbers = table(chart.title, chart.columns, chart.rows, "small")
        return el("figure", el("figcaption", chart.caption), drawing, fold("The numbers", numbers, class_="numbers"))

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """(file name, PNG) of each chart of the page, in its order, with the title and caption in the picture."""
        import vl_convert

        for stem, chart in self._charts.items():
            spec = chart.spec(PICTURE)
            wide = spec["width"] / WIDTH
            title, words = (_lines(text, int(letters * wide)) for text, letters in
                            ((chart.title, _TITLE_LETTERS), (chart.caption, _WORDS_LETTERS)))
            if chart.caption == chart.title:
                words = []
            spec |= {"background": PICTURE["page"], "padding": 10,
                     "height": spec["height"] + 20 + 15 * len(title) + 14 * len(words), "width": spec["width"] + 20,
                     "title": {"text": title, "subtitle": words}}
            yield f"{stem}.png", bytes(vl_convert.vegalite_to_png(json.dumps(spec), vl_version=_VEGA_LITE,
                                                                  scale=_SCALE))


def _inner_svg(spec: Spec) -> str:
    """The content of the ``svg`` element. Vega escapes texts."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(json.dumps(spec), vl_version=_VEGA_LITE)
    return _IDLE.sub("", drawn[drawn.index(">") + 1:drawn.rindex("</svg>")])


def _file_stem(name: str, taken: dict[str, Chart]) -> str:
    """Turn ``name`` into a unique file name."""
    stem = short = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:_LONGEST_NAME].strip("-.")
    count = 1
    while stem in taken:
        count += 1
        stem = f"{short}-{count}"
    return stem


def _lines(text: str, width: int) -> list[str]:
    """Wrap the text, and cut it after three lines of a picture."""
    return textwrap.wrap(plain(text), width, max_lines=3, placeholder=" …")
