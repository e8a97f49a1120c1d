"""Parameter texts (lists for the axes) + the machine -> every point that a sweep may measure, as valid Cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..case.case import Case, Layer, resolve
from ..case.defaults import Machine
from ..case.parameters import AUTO, SEARCHED
from ..case.platforms import precisions_of
from ..errors import BadInput, BenchError, Infrastructure, UnsupportedCpu
from .search import Grid, Place

NAMES = ("PRECISION", *SEARCHED)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
#: A point is measured only as long as its interval needs; whoever wants more gives them.
DEFAULTS = {"STEPS": "6", "WARMUP_STEPS": "2", "MIN_DURATION": "3"}
#: Percentiles take more: each point with MODE=server tries some seven rates.
OF_SERVER = {"STEPS": "100", "MIN_DURATION": "20"}


@dataclass(frozen=True)
class Axes:
    """``grids`` by precision; ``cases`` by precision and place; ``notices`` say what was left out and why, and which
    engine was taken where none is named.

    ``whole``: neither batch sizes nor cores were named, so that the best is the best of all.
    """

    grids: Mapping[str, Grid]
    cases: Mapping[tuple[str, Place], Case]
    notices: tuple[str, ...]
    whole: bool = False


def axes(given: Sequence[Layer], machine: Machine) -> Axes:
    """What the layers ask for. An axis that none of them names gets its default and is searched, not filled.

    Raises BadInput for what is wrong with any point, UnsupportedCpu for a named precision that this CPU lacks.
    """
    lists = {name: _values(name, given) for name in NAMES}
    rest = [Layer(layer.origin, {n: text for n, text in layer.values.items() if n not in NAMES}) for layer in given]
    batches = _numbers("BATCH_SIZE", lists["BATCH_SIZE"], BATCHES)
    cores = _numbers("CORES_PER_INSTANCE", lists["CORES_PER_INSTANCE"], core_counts(machine.topology.cores_per_socket))
    every = bool(lists["BATCH_SIZE"] and lists["CORES_PER_INSTANCE"])

    is_server = _first("MODE", given).strip().lower() == "server"
    rate = _first("TARGET_QPS", given).strip()
    if is_server and rate and rate.lower() != AUTO:  # each point would reach the same rate, and noise would rank them
        raise BadInput(f"TARGET_QPS={rate}: a sweep of MODE=server searches the highest rate of each point. Leave "
                       "TARGET_QPS out")
    defaults = DEFAULTS | (OF_SERVER if is_server else {})

    def case(precision: str, batch: int, count: int) -> Case:
        values = {"PRECISION": precision, "BATCH_SIZE": str(batch), "CORES_PER_INSTANCE": str(count)}
        point = resolve([Layer("sweep", values), *rest, Layer("sweep's default", defaults)], machine)
        if not isinstance(point, Case) or point.training or point.accuracy:
            raise BadInput("a sweep measures speed: FUNCTION=inference with MODE=throughput or MODE=latency")
        return point

    precisions, notices = lists["PRECISION"], list[str]()
    if not precisions:
        platform = resolve([Layer("sweep", {"PLATFORM": _first("PLATFORM", given)})], machine).platform
        precisions, notices = _runnable(precisions_of(platform), lambda name: case(name, batches[0], cores[0]))
    cases = {(precision, (batch, count)): case(precision, batch, count)
             for precision in precisions for count in cores for batch in batches}
    taken = (machine.engines.fastest[name].notice(name) for (name, _), point in cases.items() if point.stack)
    return Axes({precision: Grid(batches, cores, every) for precision in precisions}, cases,
                (*notices, *dict.fromkeys(taken)),
                not lists["BATCH_SIZE"] and not lists["CORES_PER_INSTANCE"])


def core_counts(socket: int) -> tuple[int, ...]:
    """1, 2, 4 ... up to a socket's cores, and every count that leaves none of them idle."""
    powers = {2**i for i in range(socket.bit_length())}
    return tuple(count for count in range(1, socket + 1) if count in powers or socket % count == 0)


def _values(name: str, layers: Sequence[Layer]) -> list[str]:
    """The words of the first layer that names the axis, each once."""
    return list(dict.fromkeys(_first(name, layers).split()))


def _first(name: str, layers: Sequence[Layer]) -> str:
    return next((layer.values[name] for layer in layers if layer.values.get(name, "").strip()), "")


def _numbers(name: str, texts: Sequence[str], default: Sequence[int]) -> tuple[int, ...]:
    wrong = [text for text in texts if not text.isdecimal() or not 0 < int(text) < 10**9]
    if wrong:
        raise BadInput(f"{name}={' '.join(wrong)!r}: a sweep takes whole numbers of 1 or more, separated by spaces")
    return tuple(sorted(map(int, texts))) or tuple(default)


def _runnable(names: Sequence[str], make: Callable[[str], Case]) -> tuple[list[str], list[str]]:
    """(the precisions of a platform that can be run with the other parameters, why the others cannot)."""
    runnable: list[str] = []
    notices: list[str] = []
    last: BenchError | None = None
    for name in names:
        try:
            make(name)
            runnable.append(name)
        except (BadInput, Infrastructure, UnsupportedCpu) as error:
            notices.append(f"{name} is left out: {str(error).splitlines()[0]}")
            last = error
    if last and not runnable:
        raise last
    return runnable, notices
