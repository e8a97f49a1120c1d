"""The outcome of a case -> the summary card printed at its end, and a table of several cases; pure, plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..spelling import plural
from ..tables import aligned
from .ended import End, Ended
from .kpi import KPIS, Kpi
from .records import Check, Verdict
from .stats import values_for

MOST_LINES = 10
_HEAD, _INDENT = "-- ", "   "
_MOST_KERNELS, _MOST_VALUES, _MOST_LETTERS, _MOST_IN_ROW = 3, 4, 300, 80


@dataclass(frozen=True)
class Commands:
    """The commands of this checkout as the user must type them in the current folder."""

    #: Runs the case again. Further options may follow.
    again: str
    tool: str = "resnet50-bench"
    #: Lists the cases of this machine.
    cases: str = "resnet50-bench ctest -N"
    #: The option of ``again`` for restarts, "" if it has none.
    restarts: str = ""


def card(ended: Ended, commands: Commands) -> list[str]:
    """At most ``MOST_LINES`` lines. None begins with a word and a colon, because kpi.sh may read them in a log."""
    rows = [(name, _cut(text)) for name, text in (*_measured(ended), *_ran(ended), *_verdict(ended), *_gate(ended))]
    if ended.logs:
        rows.append(("Logs", ended.logs))
    rows.append(("Next", next_command(ended, commands)))
    if len(rows) == MOST_LINES:  # the user asked for all of the output
        rows = [row for row in rows if row[0] != "Limit"]
    return [f"{_HEAD}{ended.case}", *(f"{_INDENT}{name:<11} {text}" for name, text in rows)]


def is_line(text: str) -> bool:
    """Whether ``text`` is a line of a card."""
    return text.startswith(_HEAD) or (text.startswith(_INDENT) and text[len(_INDENT):][:1].isupper())


def _measured(ended: Ended) -> Iterator[tuple[str, str]]:
    """The lines of the KPI with its interval, and of step times."""
    kpi, times = ended.kpi, _latency(ended)
    if kpi is None:
        return
    value, rate = f"{_middle(ended, kpi)}{_interval(ended, kpi)}", KPIS["throughput"]
    if server := ended.results[0].statistics.server:
        between = _interval(ended, kpi) if ended.is_restarted else ""
        yield kpi.name, f"{_middle(ended, kpi)} within {server.bound}{between}{_below_throughput(ended)}"
        known = [(name, ended.percentile(name)) for name in ("50", "90", "99", "99.9")]
        times = ", ".join(f"P{name} {short(ms)}" for name, ms in known if ms is not None)
        yield "Latency", f"{times} ms; {server.mean_batch:.2f} queries per batch, {100 * server.padding:.1f} % padding"
        return
    if kpi.name != "Latency":
        yield kpi.name, value
        if times:
            yield "Latency", times
        return
    yield kpi.name, f"mean {value}{'; ' * bool(times)}{times}"
    if not ended.different and all(rate.value(result.statistics) is not None for result in ended.results):
        yield rate.name, f"{_middle(ended, rate)}{_interval(ended, rate)}"


def _below_throughput(ended: Ended) -> str:
    """How far a searched rate is below the throughput of the same instances when they never wait for images."""
    servers = [result.statistics.server for result in ended.results]
    reached = sum(one.search.throughput_images_per_s or 0.0 for one in servers if one and one.search)
    rate = sum(one.completed_queries_per_s for one in servers if one)
    if not reached or ended.different:
        return ""
    nodes = len(servers) / len(ended.iterations[0]) if ended.iterations else 1
    return f", {100 * (1 - rate / reached):.0f} % below the throughput of {short(reached / nodes)} images/s"


def _middle(ended: Ended, kpi: Kpi) -> str:
    """``61.23 samples/sec``: the mean of restarts. If the iterations differ, their minimum and maximum."""
    values = ended.values(kpi)
    value = f"{short(min(values))} .. {short(max(values))}" if ended.different else short(sum(values) / len(values))
    return f"{value} {kpi.unit}"


def _interval(ended: Ended, kpi: Kpi) -> str:
    """The interval and its meaning, or the reason why there is none. If the iterations differ, the best one instead."""
    if ended.different:
        values = ended.values(kpi)
        best = max(range(len(values)), key=lambda index: kpi.sign * values[index])
        what = " ".join(f"{name}={ended.iterations[best][0].parameter(name)}" for name in ended.different[:2])
        return f", the best of {len(values)} iterations is {what}"
    if ended.burst > 1:
        return f", no interval: {ended.burst} runs at once are not independent of each other"
    bounds = ended.interval(kpi)
    if bounds is None:
        return ", a single run has no interval" if kpi.name == "Latency" else ", no interval: too few steps"
    accuracy, nodes = ended.results[0].statistics.accuracy, len(ended.iterations[0])
    varied = (f"between {len(ended.iterations)} restarts" if ended.is_restarted
              else f"of {accuracy.count} images" if kpi.name == "Accuracy" and accuracy
              else "between steps of one run" + (f" on each of {nodes} nodes" if nodes > 1 else ""))
    return f", 95 % interval {short(bounds[0])} to {short(bounds[1])} {varied}"


def _latency(ended: Ended) -> str:
    p50, p99 = ended.percentile("50"), ended.percentile("99")
    if p50 is None:
        return ""
    if p99 is not None:
        return f"P50 {short(p50)} ms, P99 {short(p99)} ms"
    steps = min(result.statistics.latency_ms.count for result in ended.results if result.statistics.latency_ms)
    return f"P50 {short(p50)} ms (P99 needs {values_for(99):.0f} steps, there are {steps})"


def _ran(ended: Ended) -> Iterator[tuple[str, str]]:
    """Precision, engine, kernels, number of images and cores, and the distance to the hardware limit."""
    if not ended.results:
        return
    first = ended.results[0]
    placed, nodes = first.placement.instances, len(ended.iterations[0])
    cores = _values(ended, "CORES_PER_INSTANCE") or (str(len(placed[0].cpus)) if placed else "")
    batch = _values(ended, "BATCH_SIZE")
    words = [_values(ended, "PRECISION"), _values(ended, "TORCH_TYPE"),
             f"PyTorch {first.software['torch']}" if "torch" in first.software else "",
             f"batch {batch}" if batch else "",
             f"{plural(len(placed), 'instance')} x {cores} core{'' if cores == '1' else 's'}" if placed else ""]
    yield "Ran", ", ".join(filter(None, words)) + (f" on each of {nodes} nodes" if nodes > 1 else "")
    if ended.kernels:
        by_count = sorted(ended.kernels.items(), key=lambda item: -item[1])
        more = f" and {len(by_count) - _MOST_KERNELS} more" if len(by_count) > _MOST_KERNELS else ""
        yield "Kernels", ", ".join(f"{count} x {name}" for name, count in by_count[:_MOST_KERNELS]) + more
    shares = [f"{100 * share:.0f} % of {what}" for key, what in (("compute_utilization", "the peak compute rate"),
              ("memory_utilization", "the peak memory bandwidth")) if (share := ended.share(key)) is not None]
    if ended.kpi and not ended.different and shares:
        yield "Limit", f"{' and '.join(shares)}, as measured on these cores"


def _values(ended: Ended, name: str) -> str:
    values = list(dict.fromkeys(iteration[0].parameter(name) for iteration in ended.iterations))
    return "/".join(values[:_MOST_VALUES]) + ("/..." if len(values) > _MOST_VALUES else "")


def _verdict(ended: Ended) -> Iterator[tuple[str, str]]:
    yield "Verdict", f"{ended.verdict}{': ' * bool(why := reason(ended))}{why}"
    check = leading_check(ended)
    if check and check.remedy:
        yield "Remedy", check.remedy


def _gate(ended: Ended) -> Iterator[tuple[str, str]]:
    """The gate's references and its outcome, or that there was no gate."""
    gate = ended.gate
    if gate is None:
        return
    values = " and ".join(f"{short(value)} {KPIS[kpi].unit}" for kpi, value in gate.expected.items())
    reference = f"the reference {values} of {gate.references}" if values else gate.references
    by = [what + (f" ({count} of {gate.points} results)" if gate.points > 1 else "") for count, what in (
        (gate.by_reference, reference), (gate.by_history, plural(gate.earlier, "earlier run"))) if count]
    lacks = f"; {gate.references} has no reference for it" if not gate.by_reference else ""
    yield "Gate", f"{'passed' if gate.passed else 'failed'}, judged by {' and '.join(by) or 'nothing'}{lacks}"


def leading_check(ended: Ended) -> Check | None:
    """The main check of a noisy or invalid result. Causes on the machine come before effects such as slow steps."""
    if ended.end not in (End.NOISY, End.INVALID):
        return None
    checks = ended.checks(Verdict(ended.verdict))
    return next((check for check in checks if check.of_machine), checks[0] if checks else None)


def reason(ended: Ended) -> str:
    """The first reason of a verdict other than ``valid``, with the names of the others. Else ""."""
    check = leading_check(ended)
    if check is None:
        return " ".join(ended.why.split())
    others = dict.fromkeys(other.name for other in ended.checks(check.verdict) if other.name != check.name)
    more = f"; also {', '.join(others)}" if others else ""
    runs = len(ended.results)
    share = f" in {sum(result.verdict == ended.verdict for result in ended.results)} of {runs} runs" if runs > 1 else ""
    return f"{check.name}{share}: {check.message} ({check.reading}){more}"


def next_command(ended: Ended, commands: Commands) -> str:
    """The most useful next command. The text after # is its purpose."""
    tool, end = commands.tool, ended.end
    known = {End.SKIPPED: f"{commands.cases}  # list the cases of this machine", End.NOT_RUN: f"{tool} doctor",
             End.REFUSED: f"{tool} parameters  # list the allowed values",
             End.INVALID: f"{commands.again}  # run it again after the remedy", End.SIGNALLED: commands.again}
    if end in known:
        return known[end]
    if end is End.NOISY:
        check = leading_check(ended)
        if len(ended.iterations) == 1 and commands.restarts and not (check and check.of_machine):
            return f"{commands.again} {commands.restarts}  # show the spread between restarts"
        return f"{tool} doctor  # show what disturbs a measurement now"
    if end is End.NOT_COMPARED and ended.gate:
        noisy = "--noisy " if any(result.verdict == "noisy" for result in ended.results) else ""
        return f"{tool} reference {noisy}{ended.logs} >> {ended.gate.references}"
    if end in (End.VALID, End.PASSED, End.REGRESSION) and ended.logs:
        if ended.earlier and (ended.is_restarted or end is End.REGRESSION):
            return f"{tool} compare {ended.earlier} {ended.logs}"
        return f"{tool} report {ended.logs}"
    return f"less {ended.log}" if ended.log else f"{tool} doctor"


def table(cases: Sequence[Ended], commands: Commands) -> list[str]:
    """A row for each case with its KPI, interval, P99 and verdict, then the most useful next command."""
    rows = [("case", "KPI", "95 % interval", "P99 ms", "verdict"), *map(_row, cases)]
    return [*aligned(rows, left=(0, 4)), f"Next  {commands.tool} list --all --recent {len(cases)}"]


def _row(ended: Ended) -> tuple[str, str, str, str, str]:
    why = reason(ended)
    gate = ", gate passed" if ended.gate and ended.gate.passed and ended.gate.has_judged else ""
    verdict = _cut((f"{ended.verdict}: {why}" if why else ended.verdict) + gate, _MOST_IN_ROW)
    kpi = ended.kpi
    if kpi is None:
        return ended.case, "-", "-", "-", verdict
    bounds, p99 = ended.interval(kpi), ended.percentile("99")
    return (ended.case, _middle(ended, kpi),
            f"{short(bounds[0])} to {short(bounds[1])}" if bounds else "-", "-" if p99 is None else short(p99), verdict)


def short(value: float) -> str:
    """The value with about four digits."""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def _cut(text: str, most: int = _MOST_LETTERS) -> str:
    return text if len(text) <= most else text[:most - 3].rstrip() + "..."
