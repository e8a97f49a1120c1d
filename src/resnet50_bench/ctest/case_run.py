"""A case's name, CMake's settings and ctest.sh's overrides -> its runs on a backend, their logs and KPIs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..backends import Backend, Settings, choose
from ..backends.native import NativeBackend
from ..case import inputs
from ..case.case import CASE_NAME, Layer, parse_option, resolve
from ..case.defaults import Machine
from ..case.engines import KnownEngines
from ..case.parameters import from_environment
from ..engines import memory
from ..errors import BadInput, BenchError, RunFailed, Skipped
from ..launch.placement import preview
from ..launch.surroundings import BURST_VARIABLE
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..stack.environment import StackChoice
from . import logs
from .at_once import LEAST_OVERLAP, at_once, overlap
from .config import texts_for
from .handover import CaseRecord, Overrides

#: Engine measurements are valid only for the environments on this host.
_OF_AN_IMAGE = KnownEngines(why_none="nothing is known of an image's engines; name one of them, or give BACKEND=native")


def run(record: CaseRecord, settings: Settings, overrides: Overrides) -> int:
    """Run the case below the current folder. ``record`` gets the logs folder and the reason of a failure."""
    option = record.option
    backend, chosen = choose(settings)
    points = points_of(option, backend, settings, overrides)
    folder = logs.make_logs_folder(Path.cwd(), option)
    record.logs = str(folder)
    configuration = logs.write_config(folder, option, points)
    for file in overrides.attachments:
        shutil.copy2(file, folder)
    print(chosen, f"logs: {folder}", sep="\n", flush=True)
    if overrides.dry_run:
        print(configuration, end="")
        return 0
    if not overrides.named and parse_option(option)["MODE"] == "accuracy":
        points = [texts | {inputs.SKIP_VARIABLE: inputs.SKIP} for texts in points]
    runs = _Runs(backend, folder, settings.timeout_s, overrides)
    status = 1
    try:
        with machine_lock.held(backend.cpus()):
            status = runs.all(points)
    finally:
        kpi_status, kpi_text = logs.run_kpi(folder)
        print(kpi_text, end="", flush=True)
    status = status or kpi_status
    if status:
        record.why = logs.why_invalid(kpi_text)
    else:
        for line in logs.measurements(kpi_text):
            print(line, flush=True)
    return status


def points_of(option: str, backend: Backend, settings: Settings, overrides: Overrides) -> list[dict[str, str]]:
    """The parameter texts of each run. Raises BadInput and Skipped if the case runs on this host."""
    all_layers = [_layers(option, point, settings, overrides) for point in overrides.points]
    if backend.local:
        cpu = read_cpu()
        engines = (memory.known(cpu.name, StackChoice.of(settings.environment)) if isinstance(backend, NativeBackend)
                   else _OF_AN_IMAGE)
        machine = Machine(cpu, read_topology(), engines)
        for layers in all_layers:
            case = resolve(layers, machine)
            why = inputs.missing(case, may_skip=not (overrides.named or overrides.dry_run))
            if isinstance(why, Skipped):  # at once, before the machine's lock and a logs folder
                raise why
            if overrides.dry_run:
                print(*preview(case, machine.topology), sep="\n")
    points = [_texts(layers) for layers in all_layers]
    return as_burst(points, settings, overrides.burst) if overrides.burst > 1 else points


def _layers(option: str, point: Mapping[str, str], settings: Settings, overrides: Overrides) -> list[Layer]:
    """The layers by precedence: flag or --set, --config, environment, case name."""
    return [Layer("flag", overrides.flags), Layer("--set", point),
            Layer("--config", texts_for(overrides.config, option)),
            Layer("environment", from_environment(settings.environment)), Layer(CASE_NAME, parse_option(option))]


def _texts(layers: list[Layer]) -> dict[str, str]:
    """Each parameter's strongest text. The runner chooses defaults, because it sees its cores."""
    return {name: text for layer in reversed(layers) for name, text in layer.values.items() if text.strip()}


def as_burst(points: list[dict[str, str]], settings: Settings, count: int) -> list[dict[str, str]]:
    """The points, marked as ``count`` concurrent runs. Raises BadInput if that is impossible."""
    if settings.backend in ("slurm", "kubernetes"):
        raise BadInput(f"--burst needs runs on the same cores, but {settings.backend.capitalize()} gives each job "
                       "nodes "
                       'of its own: --options="--nodes=N" runs the case on N nodes')
    if any(texts.get("CHECKPOINT") for texts in points):
        raise BadInput("--burst and CHECKPOINT exclude each other: all runs would write the same file")
    return [texts | {BURST_VARIABLE: str(count)} for texts in points]


@dataclass(frozen=True)
class _Runs:
    backend: Backend
    folder: Path
    timeout_s: float
    overrides: Overrides

    def all(self, points: Sequence[Mapping[str, str]]) -> int:
        """Run every point. Returns the first status other than 0, after which only --continue continues."""
        first_bad = 0
        at_a_time = self.overrides.burst
        for first in range(0, len(points), at_a_time):
            chunk = points[first:first + at_a_time]
            if at_a_time > 1:
                status = self._at_once(chunk, first + 1)
            else:
                if len(points) > 1:
                    print(f"iteration {first + 1} of {len(points)}", flush=True)
                status = self._one(chunk[0], logs.worker_folder(self.folder, first + 1))
            first_bad = first_bad or status
            if status and not self.overrides.keep_going:
                break
        return first_bad

    def _at_once(self, chunk: Sequence[Mapping[str, str]], first: int) -> int:
        """Run the points at once as the iterations from ``first`` on; the first status that is not 0."""
        last = first + len(chunk) - 1
        print(f"BURST: iterations {first} to {last} run at once, each placed on the same cores", flush=True)
        workers = {number: logs.worker_folder(self.folder, number) for number in range(first, last + 1)}
        statuses = at_once([(f"itr-{number}", partial(self._one, texts, worker))
                            for (number, worker), texts in zip(workers.items(), chunk, strict=True)])
        share = overlap([*workers.values()])
        if share is not None:
            line = f"BURST: all {len(chunk)} runs were measuring during {100 * share:.0f} % of the longest one's time"
            if share < LEAST_OVERLAP:
                line += "; in the rest of it fewer ran: a longer MIN_DURATION raises this share"
            print(line, flush=True)
        return next((status for status in statuses if status), 0)

    def _one(self, texts: Mapping[str, str], worker: Path) -> int:
        """Run one point into its ``worker`` folder; its status, which is also left there."""
        status = 1
        try:
            status = self.backend.run(texts, worker, self.timeout_s)
        except RunFailed as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
        except BenchError as error:
            status = error.exit_status
            raise
        finally:
            try:
                (worker / "status").write_text(f"{status}\n")
            except OSError as error:
                print(f"error: {worker}/status cannot be written: {error.strerror}", file=sys.stderr)
        return status
