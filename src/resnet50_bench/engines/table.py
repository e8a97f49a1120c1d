"""Precisions, CPU flags and the stacks set up -> which engines compete; what they reached -> which is the fastest.

Pure: ``match.py`` measures in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from ..case.engines import ENGINES, UNPROVEN_WORDS, EngineFacts, KnownEngine
from ..case.precision import PRECISIONS
from ..errors import BadInput
from ..result.kpi import KPIS
from ..result.result import Result
from ..stack.stacks import STACK
from ..tables import aligned
from ..versus.outcome import Outcome, interval, sentence
from ..versus.words import NAMES, read_side


@dataclass(frozen=True)
class Contestant:
    """An engine on a stack."""

    engine: str
    stack: str

    @classmethod
    def of(cls, words: str, folder: Path) -> Contestant:
        """Make a contestant from a side of ``versus``. Raises BadInput if ``folder`` is of another
        kind."""
        texts, choosing = read_side("A", words)
        if set(texts) != {"TORCH_TYPE"} or set(choosing) != {STACK}:
            raise BadInput(f"{folder} contains another kind of comparison; name another folder")
        return cls(texts["TORCH_TYPE"], choosing[STACK])

    @property
    def words(self) -> str:
        """The settings as a side of ``versus``."""
        return f"TORCH_TYPE={self.engine} {STACK}={self.stack}"

    @property
    def shown(self) -> str:
        """The name for a table."""
        return f"{self.engine} ({self.stack})"


@dataclass(frozen=True)
class LeftOut:
    """An engine, maybe on a stack, that does not compete, and why."""

    who: str
    why: str


def contestants(precision: str, cpu_flags: frozenset[str],
                is_set_up: Callable[[str], bool]) -> tuple[list[Contestant], list[LeftOut]]:
    """(the contestants at the precision, the engines that are left out)."""
    chosen, left_out = list[Contestant](), list[LeftOut]()
    for engine in ENGINES.values():
        why = _why_not(engine, precision, cpu_flags)
        stacks = [stack for stack in engine.stacks if is_set_up(stack)]
        if not why and not stacks:
            why = f"no stack with it is set up: run scripts/setup.sh --stack {engine.stacks[0]}"
        if why:
            left_out.append(LeftOut(engine.name, why))
        else:
            chosen += [Contestant(engine.name, stack) for stack in stacks]
    left_out += [LeftOut(one.shown, f"at most {len(NAMES)} can be compared at once") for one in chosen[len(NAMES):]]
    return chosen[:len(NAMES)], left_out


def _why_not(engine: EngineFacts, precision: str, cpu_flags: frozenset[str]) -> str:
    missing = [flag for flag in engine.cpu_flags if flag not in cpu_flags]
    if missing:
        return f"this CPU lacks {' '.join(missing)}"
    return engine.why_not(PRECISIONS[precision])


@dataclass(frozen=True)
class Row:
    """One contestant: ``value`` in ``unit`` is the estimate of the MODE's KPI, ``ratio`` is to the best one's.

    ``prepare_s`` is from the start of preparing to a proven model, from the cache where that has it; ``measured_on``
    the day of the last round; ``rounds`` that it was measured in.
    """

    precision: str
    engine: str
    stack: str
    batch_size: int
    cores_per_instance: int
    mode: str
    value: float
    unit: str
    ratio: float
    low: float | None
    high: float | None
    rounds: int
    latency_ms: float | None
    prepare_s: float
    memory_mb: float | None
    kernels: str
    proven: bool
    measured_on: str


def row(one: Contestant, name: str, outcome: Outcome, results: Sequence[Result]) -> Row:
    """Make a row from the results of a side, at least one."""
    side = next(side for side in outcome.sides if side.name == name)
    gap = next((gap for gap in outcome.gaps if gap.b == name), None)
    latencies = [result.statistics.latency_ms.mean for result in results if result.statistics.latency_ms]
    memories = [turn.memory_mb for turn in outcome.turns(name) if turn.memory_mb is not None]
    kernels = results[-1].processes[0].kernels
    return Row(side.case.precision, one.engine, one.stack, side.case.batch_size, side.case.cores_per_instance,
               side.case.mode, outcome.estimates[name], outcome.kpi.unit, gap.ratio if gap else 1.0,
               gap.low if gap else None, gap.high if gap else None, len(outcome.values(name)),
               median(latencies) if latencies else None,
               median(max(report.prepare_s for report in result.processes) for result in results),
               median(memories) if memories else None,
               ", ".join(f"{kernel} {count}" for kernel, count in kernels.items()) or "unproven",
               ENGINES[one.engine].proven, max(result.started_at for result in results)[:10])


@dataclass(frozen=True)
class Played:
    """What the engines came to at a precision; ``sides`` and ``rows`` by the names in ``outcome``, which is None where
    fewer than two could be measured."""

    precision: str
    left_out: tuple[LeftOut, ...]
    sides: Mapping[str, Contestant] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    outcome: Outcome | None = None


def proven(rows: Sequence[Row]) -> list[KnownEngine]:
    """The engines with proven kernels whose throughput was measured: TORCH_TYPE=auto chooses among them."""
    return [KnownEngine(one.engine, one.stack, one.value, one.batch_size, one.cores_per_instance, one.measured_on)
            for one in rows if one.proven and one.mode == "throughput"]


def fastest(rows: Sequence[Row]) -> Row | None:
    """The fastest of those whose kernels are proven; None where there is none."""
    return next((one for one in best_first(rows) if one.proven), None)


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Sort rows by the KPI of their MODE, the best first."""
    return sorted(rows, key=lambda one: -KPIS[one.mode].sign * one.value)


def sentences(played: Played) -> Iterator[str]:
    """Sentences with the fastest engine at a precision, and with the engines that were left out."""
    if played.outcome:
        yield f"{played.precision}: {sentence(played.outcome)}"
        best = fastest(list(played.rows.values()))
        if best is None:
            yield f"{played.precision}: no engine with proven kernels was measured"
        elif best is not best_first(list(played.rows.values()))[0]:
            yield f"{played.precision}: the best engine with proven kernels is {best.engine} ({best.stack})"
        yield from (f"{played.precision}: {one.engine}: {UNPROVEN_WORDS}" for one in played.rows.values()
                    if not one.proven)
    yield from (f"{played.precision}: left out: {one.who}: {one.why}" for one in played.left_out)
    if not played.outcome:
        yield f"{played.precision}: fewer than two engines are left: nothing to compare"


def table(rows: Sequence[Row]) -> list[str]:
    """A line for each row below a head, the fastest of each precision first."""
    head = ("precision", "engine (stack)", rows[0].unit, "to the fastest", "95 % interval", "rounds", "latency ms",
            "batch", "cores", "prepare s", "memory MB", "kernels")
    lines = [head, *(_cells(one) for one in sorted(best_first(rows), key=lambda one: one.precision))]
    return aligned(lines, left=(0, 1, len(head) - 1))


def _cells(one: Row) -> tuple[str, ...]:
    return (one.precision, f"{one.engine} ({one.stack})", f"{one.value:.2f}",
            f"{100 * one.ratio - 100:+.1f} %" if one.ratio != 1 else "", interval(one.low, one.high), str(one.rounds),
            "-" if one.latency_ms is None else f"{one.latency_ms:.1f}", str(one.batch_size),
            str(one.cores_per_instance), f"{one.prepare_s:.1f}",
            "unknown" if one.memory_mb is None else f"{one.memory_mb:.0f}", one.kernels)


def document(rows: Sequence[Row], said: Sequence[str], cpu: str) -> dict[str, object]:
    """The JSON document: the best engine with proven kernels of each precision, and every row."""
    best = {precision: fastest([one for one in rows if one.precision == precision])
            for precision in dict.fromkeys(one.precision for one in rows)}
    return {"schema": "resnet50-bench-engines", "schema_version": 3, "cpu": cpu,
            "best": {precision: {"engine": one.engine, "stack": one.stack, "batch_size": one.batch_size,
                                 "cores_per_instance": one.cores_per_instance, "value": one.value, "unit": one.unit}
                     for precision, one in best.items() if one},
            "rows": [asdict(one) for one in rows], "text": list(said)}
