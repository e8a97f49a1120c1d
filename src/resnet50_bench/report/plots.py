"""Results enter, the report's charts leave as PNG files: maps, curves, step times and instances, by matplotlib.

What they show is what the HTML shows (``figures``), in the colours of its light style sheet.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..history import fleet, fleet_nodes
from ..history.collection import Entry
from . import figures
from .figures import COLOURS, RATE, SIGNS, Curves, HeatMap, Histogram, Instance
from .markup import plural, short
from .points import grids, newest, points, step_times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_STYLE = Path(__file__).with_name("style.css")
_SIZE_IN, _DPI = (8.0, 5.0), 150
_MARKERS = "os^D"
_LINES = ("-", "--")
_LONGEST_NAME = 80
#: Letters that fit into the width of the picture.
_TITLE, _WORDS, _LABEL = 64, 110, 24
#: So many instances have their cpus below them; more would run into each other.
_NAMED_INSTANCES = 4


def require_matplotlib() -> None:
    """Raises ModuleNotFoundError before anything is written, where nothing can be drawn."""
    import matplotlib  # noqa: F401


def pictures(entries: Sequence[Entry], told: list[str]) -> Iterator[tuple[str, bytes]]:
    """(file name, PNG) of each chart; what could not be drawn, or is left out, is in ``told``.

    As many maps and cases as in the HTML.
    """
    import matplotlib

    taken: set[str] = set()
    # A result's texts are no formulas, whatever they hold.
    with matplotlib.rc_context({"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False,
                                "text.color": _colour("text"), "axes.labelcolor": _colour("text"), "font.size": 10}):
        for name, figure in _figures(entries, told):
            stem = name = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:_LONGEST_NAME].strip("-.")
            count = 1
            while stem in taken:
                count += 1
                stem = f"{name}-{count}"
            taken.add(stem)
            yield f"{stem}.png", _png(figure)


def _figures(entries: Sequence[Entry], told: list[str]) -> Iterator[tuple[str, Figure]]:
    panels = grids(points(entries))
    for name, inside in panels[:figures.PANELS]:
        yield f"heat-map {name}", heat_map(figures.heat_map(name, inside))
        yield f"curves {name}", curves(figures.curves(name, inside))
    if len(panels) > figures.PANELS:
        told.append(f"{plural(len(panels) - figures.PANELS, 'map')} not drawn: name fewer folders to see them")
    shown, left = newest(entries, figures.DETAILED)
    for entry in shown:
        try:
            yield f"step-times {entry.case}", histogram(figures.histogram(entry.case, step_times(entry)))
        except BadInput as error:
            told.append(str(error))
        found = figures.instances(entry)
        if any(each.rate for each in found):
            yield f"instances {entry.case}", instances(f"Instances of {entry.case}", found)
    for (case, unit), compared in fleet_nodes.compared(entries).items():
        kpi = figures.nodes_kpi(unit)
        values = [node.value for node in compared if node.value is not None]
        if values:
            yield f"nodes {case}", histogram(figures.nodes_histogram(case, kpi, unit, values, fleet.threshold(values)))
    if left:
        told.append(f"step times and instances of {plural(left, 'older case')} not drawn")


def curves(shown: Curves) -> Figure:
    """Over powers of two, from zero, with intervals."""
    figure, axes = _new(shown.title)
    axes.set(xlabel=shown.x_name, ylabel=shown.y_name)
    for number, (name, marks) in enumerate(shown.series):
        colour = _colour(f"c{number % COLOURS}")
        ordered = sorted(marks, key=lambda mark: mark.x)
        axes.plot([mark.x for mark in ordered], [mark.y for mark in ordered], color=colour, label=_text(name, _LABEL),
                  marker=_MARKERS[number % len(_MARKERS)], linestyle=_LINES[number // COLOURS % len(_LINES)])
        for mark in ordered:
            if mark.low is not None and mark.high is not None:
                axes.vlines(mark.x, mark.low, mark.high, color=colour, alpha=0.75)
    wanted = sorted({mark.x for _, marks in shown.series for mark in marks})
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.set_xticks(list(_apart(wanted)), [f"{value:g}" for value in _apart(wanted)])
    axes.set_ylim(bottom=0)
    _grid(axes)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    return figure


def _apart(values: Iterable[float]) -> Iterator[float]:
    """Those whose labels on a logarithmic axis do not run into each other."""
    last = 0.0
    for value in values:
        if value >= 1.15 * last:
            yield value
            last = value


def heat_map(shown: HeatMap) -> Figure:
    """Cells from the worst to the best colour, each with its number."""
    from matplotlib.patches import Rectangle

    figure, axes = _new(shown.title, f"{shown.caption}. {SIGNS}")
    for row, batch in enumerate(shown.batches):
        for column, cores in enumerate(shown.cores):
            cell = shown.cells.get((batch, cores))
            if cell:
                axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=_colour(f"h{cell.level}"),
                                         edgecolor=_colour("page"), linewidth=2))
            # As in style.css: the four lightest colours have dark letters.
            ink = "quiet" if not cell else "low-ink" if cell.level < 4 else "high-ink"
            axes.text(column, row, cell.text if cell else "–", ha="center", va="center", color=_colour(ink),
                      fontweight="bold" if cell else "normal",
                      fontsize=max(5, min(11, 90 / max(len(shown.cores), len(shown.batches)))))
    axes.set(xlim=(-0.5, len(shown.cores) - 0.5), ylim=(len(shown.batches) - 0.5, -0.5),
             xlabel="cores per instance", ylabel="batch size")
    axes.set_xticks(range(len(shown.cores)), [str(count) for count in shown.cores])
    axes.set_yticks(range(len(shown.batches)), [str(batch) for batch in shown.batches])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def histogram(shown: Histogram) -> Figure:
    """Bars with the percentiles marked."""
    hidden = [f"{label} {short(value)} {shown.unit}" for label, value in shown.marks.items() if value > shown.high]
    figure, axes = _new(shown.title, "; ".join((shown.caption, *hidden)))
    width = (shown.high - shown.low) / len(shown.counts)
    axes.bar([shown.low + i * width for i in range(len(shown.counts))], shown.counts, 0.95 * width, align="edge",
             color=_colour("c0"))
    _grid(axes)
    most = max(shown.counts)
    axes.set(xlabel=shown.x_name, ylabel=shown.y_name, ylim=(0, 1.25 * most),
             xlim=(shown.low - width / 2, shown.high + width / 2))
    _whole_numbers(axes.yaxis)
    for row, (label, value) in enumerate(shown.marks.items()):
        if value <= shown.high:
            right = value > shown.low + 0.8 * (shown.high - shown.low)
            axes.axvline(value, color=_colour("text"), linestyle="--", linewidth=1)
            axes.annotate(f"{label} {short(value)} {shown.unit}", (value, (1.2 - 0.07 * row) * most),
                          (-4 if right else 4, 0), textcoords="offset points", ha="right" if right else "left",
                          fontweight="bold", bbox={"facecolor": _colour("page"), "edgecolor": "none", "pad": 1})
    return figure


def instances(title: str, found: Sequence[Instance]) -> Figure:
    """A bar for each instance, and the median; what is much below it is pointed at."""
    known = [each for each in found if each.rate is not None]
    figure, axes = _new(title, f"{plural(len(found), 'instance')}; the line is the median; "
                               "▼ is more than 5 % below it" if len(known) > 1 else "")
    axes.bar([each.index for each in known], [each.rate or 0 for each in known],
             color=[_colour(f"c{each.index % COLOURS}") for each in known])
    for each in known:
        if each.slow:
            axes.annotate("▼", (each.index, each.rate or 0), (0, 3), textcoords="offset points", ha="center",
                          color=_colour("bad"))
    middle = next((each.rate / (1 + each.away) for each in known if each.rate and each.away is not None), None)
    if middle:
        axes.axhline(middle, color=_colour("text"), linestyle="--", linewidth=1)
    axes.set(xlabel="instance", ylabel=RATE)
    if len(found) <= _NAMED_INSTANCES:
        axes.set_xticks([each.index for each in found],
                        [f"{each.index}\n{_text(f'cpus {each.cpus}', _LABEL)}" for each in found])
    else:
        _whole_numbers(axes.xaxis)
    _grid(axes)
    return figure


def _new(title: str, words: str = "") -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained", facecolor=_colour("page"))
    axes = figure.add_subplot()
    shown = _text(title, _TITLE)
    figure.set_label(shown)
    figure.suptitle(shown, fontsize=12, fontweight="bold")
    if words:
        axes.set_title(_text(words, _WORDS), fontsize=8, color=_colour("quiet"))
    return figure, axes


def _whole_numbers(axis: Axis) -> None:
    """matplotlib's usual ticks, none of them between whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))


def _grid(axes: Axes) -> None:
    axes.grid(axis="y", color=_colour("grid"))
    axes.set_axisbelow(True)


def _text(text: str, width: int) -> str:
    """What two lines of a picture can hold of it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return "\n".join(textwrap.wrap(plain, width, max_lines=2, placeholder=" …"))


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box: nothing that the user could do about it.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(stream, format="png", metadata={"Title": figure.get_label()})
    return stream.getvalue()


@cache
def _colours() -> dict[str, str]:
    light = re.search(r":root \{(.*?)\}", _STYLE.read_text(encoding="utf-8"), re.S)
    return dict(re.findall(r"--([\w-]+): (#\w{6});", light.group(1) if light else ""))


def _colour(name: str) -> str:
    return _colours()[name]
