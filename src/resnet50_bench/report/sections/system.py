"""The machines and versions that the results come from, each by its newest result."""

from __future__ import annotations

from collections.abc import Sequence

from ...case.engines import PACKAGES
from ...history.collection import Entry
from ...history.comparability import system_facts
from ...spelling import plural
from ..drawing import Gallery
from ..markup import Html, el, fold, table, when
from . import Results, Section, left_out

_SYSTEMS = 4
_MAIN = (("CPU", "cpu"), ("Microcode", "microcode"), ("Memory", "memory_bytes"), ("Virtual machine", "virtual_machine"),
         ("Kernel", "kernel"), ("Operating system", "os"), ("Container", "container"), ("Host", "node"))
_SOFTWARE = (*PACKAGES, "python", "resnet50-bench", "git_commit", "git_unknown")


def _inside(results: Results, _: Gallery) -> Sequence[Html]:
    systems: dict[tuple[object, ...], list[Entry]] = {}
    for entry in results.entries:
        system, software = entry.result.system, entry.result.software
        identity = (system.node, system.cpu, system.cpu_family, system.cpu_model, system.microcode,
                    *(str(software.get(name)) for name in PACKAGES))
        systems.setdefault(identity, []).append(entry)
    left = len(systems) - _SYSTEMS
    return [*(_system(runs) for runs in list(systems.values())[:_SYSTEMS]),
            left_out(left, plural(left, "more system"))] if systems else []


def _system(runs: Sequence[Entry]) -> Html:
    result = runs[0].result
    system, software, cores = system_facts(result), result.software, result.topology.cores
    facts = [(label, _words(name, system[name])) for label, name in _MAIN if name in system]
    if cores:
        sockets = len({core.socket for core in cores})
        facts.insert(1, ("Usable cores", f"{len(cores)} on {plural(sockets, 'socket')}"))
    facts += [(name, str(software[name])) for name in _SOFTWARE if software.get(name) is not None]
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


SECTION = Section(90, "system", "System", _inside, "System under test")
