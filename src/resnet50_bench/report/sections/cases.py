"""The newest result of each case: its step times, its percentiles, and where its instances ran and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ...errors import BadInput
from ...history.collection import Entry
from ...machine.topology import Core, format_cpulist
from ...result.kpi import finite, step_ms
from ...result.measurement import common_window
from ...result.placement import PlacedInstance
from ...result.result import read
from ...spelling import plural
from .. import histogram
from ..chart import Chart, Spec, axis, frame, look, nice_ticks
from ..drawing import Gallery
from ..markup import Html, el, short, table, when
from ..palette import COLOURS, Palette
from . import Results, Section
from .health import badge

#: The most cases shown. Each needs a file read with all its step times.
_DETAILED = 8
#: A file with the steps of a whole day would take longer to read than all others.
_LARGEST_BYTES = 64 << 20
#: An instance this much below the median is marked.
_SLOW = -0.05


def _inside(results: Results, gallery: Gallery) -> Sequence[Html]:
    newest: dict[tuple[str, str], Entry] = {}
    for entry in results.entries:
        if entry.primary:
            newest.setdefault((entry.case, str(entry.result.system.cpu)), entry)
    older = len(newest) - _DETAILED
    rest = [el("p", f"{plural(older, 'older case')} left out; their results are in the table.")] * (older > 0)
    return [*(_case(entry, results, gallery) for entry in list(newest.values())[:_DETAILED]), *rest]


def _case(entry: Entry, results: Results, gallery: Gallery) -> Html:
    name, unit, value = entry.primary or ("", "", 0.0)
    words = (f" {name} {short(value)} {unit}, batch {entry.result.parameter('BATCH_SIZE') or '?'}, "
             f"{when(entry.started_at)} UTC")
    try:
        steps = gallery.figure(f"step-times {entry.case}", histogram.of_steps(entry.case, _step_times(entry)))
    except BadInput as error:
        results.left_out.append(str(error))
        steps = el("p", "The single steps of this result cannot be read; see Left out.", class_="hint")
    return el("article", el("h3", entry.case), el("p", badge(entry.outcome), words), _percentiles(entry),
              el("div", steps, _places(entry, gallery), class_="pair"), class_="card")


def _step_times(entry: Entry) -> list[float]:
    """Every step's time in ms within the window common to all instances. Raises BadInput where there are none."""
    try:
        size = entry.path.stat().st_size
        if size > _LARGEST_BYTES:
            raise BadInput(f"{entry.path} has {size >> 20} MiB: its single steps are not shown")
        runs = read(entry.path).runs()
        first, last, _ = common_window(runs)
        times = [time_ms for run in runs for time_ms in run.times_ms(first, last)]
    except (OSError, ValueError, IndexError) as error:
        raise BadInput(f"{entry.path}: its single steps cannot be read ({type(error).__name__}: {error})") from error
    if not times or min(times) < 0:
        raise BadInput(f"{entry.path} contains no steps in the window common to all instances")
    return times


def _percentiles(entry: Entry) -> Html:
    """The latency of a result in one row of numbers, from its statistics (no step times needed)."""
    names = ("min", "50", "90", "95", "99", "99.9", "max", "mean")
    values = {name if name.isalpha() else f"P{name}": step_ms(entry.result.statistics.latency_ms, name)
              for name in names}
    shown = {name: short(value) for name, value in values.items() if value is not None}
    if not shown:
        return el("p", "The result has no step times.", class_="hint")
    return table("Latency of one step (ms)", ("Unit", *shown), [("ms", *shown.values())], "small")


def _places(entry: Entry, gallery: Gallery) -> Html:
    """Sockets, nodes and cores with the instance of each; then how fast each instance was."""
    placed, cores = entry.result.placement.instances, entry.result.topology.cores
    if not placed:
        return el("p", "The result does not say where its instances ran.", class_="hint")
    chart, rates = _instances(entry)
    drawn = gallery.figure(f"instances {entry.case}", chart) if len(rates) > 1 \
        else table(chart.title, chart.columns, chart.rows, "small")
    return el("div", _grid(placed, cores) if cores else "", drawn, class_="places")


def _instances(entry: Entry) -> tuple[Chart, dict[int, float]]:
    """(a bar for each instance that has a rate, the rates in images/s by the instances' numbers)."""
    measured = {instance.instance: instance for instance in entry.result.statistics.instances}
    placed = entry.result.placement.instances
    rates = {place.index: rate for place in placed if place.index in measured
             and (rate := finite(measured[place.index].throughput_images_per_s)) is not None}
    middle = median(rates.values()) if len(rates) > 1 else 0.0
    away = {index: rate / middle - 1 for index, rate in rates.items()} if middle else {}

    def row(place: PlacedInstance) -> tuple[str, ...]:
        index = place.index
        latency = measured[index].latency_ms if index in measured else None
        return (str(index), format_cpulist(place.cpus), ", ".join(map(str, place.nodes)) or "–",
                short(rates.get(index)),
                f"{100 * away[index]:+.1f} %{' ▼' if away[index] < _SLOW else ''}" if index in away else "–",
                short(step_ms(latency, "50")), short(step_ms(latency, "99")))

    caption = f"{plural(len(placed), 'instance')}; the dashed line is the median" + (
        ", ▼ is more than 5 % below it" if any(share < _SLOW for share in away.values()) else "")
    lowest, highest = min(rates.values(), default=0.0), max(rates.values(), default=0.0)
    return Chart(f"Instances of {entry.case}", caption,
                 f"{plural(len(rates), 'bar')} from {short(lowest)} to {short(highest)} samples/sec.",
                 lambda colours: _bars(colours, rates, away, middle),
                 ("Instance", "cpus", "Node", "samples/sec", "to median", "P50 (ms)", "P99 (ms)"),
                 [row(place) for place in placed]), rates


def _bars(colours: Palette, rates: dict[int, float], away: dict[int, float], middle: float) -> Spec:
    """Draw the rates as bars, the median as a line, and a sign above bars far below it."""
    top = 1.1 * max(rates.values()) or 1.0
    values = [{"index": index, "rate": rate, "colour": index % COLOURS, "slow": away.get(index, 0) < _SLOW}
              for index, rate in rates.items()]
    x = {"field": "index", "type": "ordinal", "title": "instance",
         "axis": {"labelAngle": 0, "labelOverlap": True, "ticks": False, "grid": False}}
    y = axis("rate", "samples/sec", [0, top], values=nice_ticks(0, top))
    colour = look("colour", range(COLOURS), [colours[f"c{i}"] for i in range(COLOURS)])
    layers: list[Spec] = [
        {"data": {"values": values}, "mark": {"type": "bar"}, "encoding": {"x": x, "y": y, "color": colour}},
        {"data": {"values": [value for value in values if value["slow"]]},
         "mark": {"type": "text", "text": "▼", "dy": -8, "color": colours["bad"], "fontSize": 13},
         "encoding": {"x": x, "y": y}}]
    if middle:
        layers.append({"data": {"values": [{"rate": middle}]}, "encoding": {"y": y},
                       "mark": {"type": "rule", "color": colours["text"], "strokeDash": [4, 3]}})
    return frame(colours, layers)


def _grid(placed: Sequence[PlacedInstance], cores: Sequence[Core]) -> Html:
    of_cpu = {cpu: instance.index for instance in placed for cpu in instance.cpus}
    sockets: dict[int, dict[int, list[Html]]] = {}
    for core in cores:
        index = next((of_cpu[cpu] for cpu in core.cpus if cpu in of_cpu), None)
        what = "idle" if index is None else f"instance {index}"
        square = el("span", "·" if index is None else str(index), title=f"cpu {format_cpulist(core.cpus)}: {what}",
                    class_="core idle" if index is None else f"core k{index % COLOURS}")
        sockets.setdefault(core.socket, {}).setdefault(core.node, []).append(square)

    def columns(count: int) -> int:
        """The number of squares in a row that fills the last row best. Ten squares fit on a phone."""
        return min(count, max(range(6, 10), key=lambda columns: (-(-count % columns), columns)))

    boxes = [el("div", el("b", f"Socket {socket}"),
                *(el("div", el("span", f"NUMA node {node}", class_="node"),
                    el("div", *squares, class_="cores", style=f"--columns:{columns(len(squares))}"))
                  for node, squares in nodes.items()), class_="socket") for socket, nodes in sockets.items()]
    words = (f"{plural(len(placed), 'instance')} on {plural(len(cores), 'core')} of "
             f"{plural(len(sockets), 'socket')}; the table of instances names the cpus of each")
    return el("div", *boxes, class_="machine", role="img", aria_label=words)


SECTION = Section(60, "cases", "Newest runs", _inside, "Newest run of each case",
                  "Step times of all instances in the window in which all of them measured; a core shows the number of "
                  "its instance, · is idle.")
