"""A result enters; which instance ran on which core of which socket, and the system under test, leave as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..history.collection import Entry
from ..history.comparability import system_facts
from ..machine.topology import format_cpulist
from ..result.facts import CoreRecord, PlacedInstance
from . import charts, figures
from .drawing import Gallery
from .markup import Html, el, fold, plural, table, when
from .palette import COLOURS

_SYSTEMS = 4
_MAIN = (("CPU", "cpu"), ("Microcode", "microcode"), ("Memory", "memory_bytes"), ("Virtual machine", "virtual_machine"),
         ("Kernel", "kernel"), ("Operating system", "os"), ("Container", "container"), ("Host", "node"))
_PACKAGES = ("torch", "intel-extension-for-pytorch", "torchvision", "python", "resnet50-bench", "git_commit")


def topology(entry: Entry, gallery: Gallery) -> Html:
    """Sockets, nodes and cores with the instance of each; then how fast each instance was."""
    placed, cores = entry.result.placement.instances(), entry.result.topology.cores
    if not placed:
        return el("p", "The result does not say where its instances ran.", class_="hint")
    inside = figures.instances(entry)
    chart = charts.instances(entry.case, inside)
    rates = gallery.figure(f"instances {entry.case}", chart) if sum(each.rate is not None for each in inside) > 1 \
        else table(chart.title, chart.columns, chart.rows, "small")
    return el("div", _grid(placed, cores) if cores else "", rates, class_="places")


def _grid(placed: Sequence[PlacedInstance], cores: Sequence[CoreRecord]) -> Html:
    of_cpu = {cpu: instance.instance for instance in placed for cpu in instance.cpus}
    sockets: dict[int, dict[int, list[Html]]] = {}
    for core in cores:
        index = next((of_cpu[cpu] for cpu in core.cpus if cpu in of_cpu), None)
        what = "idle" if index is None else f"instance {index}"
        square = el("span", "·" if index is None else str(index), title=f"cpu {format_cpulist(core.cpus)}: {what}",
                    class_="core idle" if index is None else f"core k{index % COLOURS}")
        sockets.setdefault(core.socket, {}).setdefault(core.node, []).append(square)
    boxes = [el("div", el("b", f"Socket {socket}"),
                *(el("div", el("span", f"NUMA node {node}", class_="node"),
                    el("div", *squares, class_="cores", style=f"--columns:{_columns(len(squares))}"))
                  for node, squares in nodes.items()), class_="socket") for socket, nodes in sockets.items()]
    words = (f"{plural(len(placed), 'instance')} on {plural(len(cores), 'core')} of "
             f"{plural(len(sockets), 'socket')}; the table of instances names the cpus of each")
    return el("div", *boxes, class_="machine", role="img", aria_label=words)


def _columns(count: int) -> int:
    """How many squares a row gets, so that the last row is as full as can be; ten fit on a phone."""
    return min(count, max(range(6, 10), key=lambda columns: (-(-count % columns), columns)))


def systems(entries: Iterable[Entry]) -> Html:
    """The machines and versions that the results come from, each by its newest result."""
    kept: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        system, software = entry.result.system, entry.result.software
        identity = (system.node, system.cpu, system.cpu_family, system.cpu_model, system.microcode,
                    *(str(software.get(name)) for name in _PACKAGES[:3]))
        kept.setdefault(identity, []).append(entry)
    left = len(kept) - _SYSTEMS
    return el("section", el("h2", "System under test"), *(_system(runs) for runs in list(kept.values())[:_SYSTEMS]),
              el("p", f"{plural(left, 'more system')} left out: name fewer folders to see them.") if left > 0 else "",
              id="system")


def _system(runs: Sequence[Entry]) -> Html:
    result = runs[0].result
    system, software, cores = system_facts(result), result.software, result.topology.cores
    facts = [(label, _words(name, system[name])) for label, name in _MAIN if name in system]
    if cores:
        sockets = len({core.socket for core in cores})
        facts.insert(1, ("Usable cores", f"{len(cores)} on {plural(sockets, 'socket')}"))
    facts += [(name, str(software[name])) for name in _PACKAGES if software.get(name) is not None]
    every = [(f"{group}.{name}", str(value)) for group, known in (("system", system), ("software", software))
             for name, value in known.items()]
    title = f"{system.get('cpu', 'CPU unknown')} ({system.get('node', 'host unknown')})"
    return el("div", el("h3", title),
              el("p", f"{plural(len(runs), 'result')}; facts of the newest, {when(runs[0].started_at)} UTC.",
                 class_="hint"),
              el("dl", *(el("div", el("dt", label), el("dd", value)) for label, value in facts), class_="facts"),
              fold(f"All {len(every)} facts", table("System and software", ("Fact", "Value"), every, "small wrap")),
              class_="card")


def _words(name: str, value: object) -> str:
    if name == "memory_bytes" and isinstance(value, (int, float)):
        return f"{value / 2**30:.1f} GiB"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
