"""``case <option>``: what ctest starts for one test: resolve, run each iteration, bring the KPI."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..arguments import Parser
from ..backends import Backend, Settings, choose
from ..backends.native import NativeBackend
from ..case import inputs
from ..case.case import CASE_NAME, Layer, parse_option, resolve
from ..case.defaults import Machine
from ..case.engines import KnownEngines
from ..case.parameters import from_environment
from ..ctest import logs
from ..ctest.at_once import LEAST_OVERLAP, at_once, overlap
from ..ctest.case_records import CaseRecord
from ..ctest.config import texts_for
from ..ctest.overrides import VARIABLE, Overrides
from ..ctest.settings import problem
from ..engines import memory
from ..errors import BadInput, BenchError, Infrastructure, RunFailed, Skipped
from ..launch import burst, preview, progress
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..signals import end_with_ctest, interruptible
from ..stack.environment import StackChoice
from ..stack.native_libraries import missing_libraries

#: What is known was measured by this host's environments.
_OF_AN_IMAGE = KnownEngines(why_none="nothing is known of an image's engines; name one of them, or give BACKEND=native")


@dataclass(frozen=True)
class Words:
    """CMake's settings as the test's command line has them, and the case."""

    settings: Settings
    option: str


def main(argv: list[str]) -> int:
    """Run one case; its status is also told to ctest.sh, which ctest itself would hide."""
    words = _parse(argv)
    overrides = Overrides.read(os.environ.get(VARIABLE))
    if overrides.stop_file and Path(overrides.stop_file).exists():
        raise RunFailed("not started: ctest.sh was ended by a signal")
    record = CaseRecord(words.option)
    if overrides.started:
        Path(overrides.started).write_text(words.option)
    try:
        with interruptible():
            end_with_ctest()
            record.status = _run(record, _settings(words.settings, overrides), overrides)
    except BenchError as error:
        record.status, record.why = error.exit_status, record.why or str(error)
        raise
    finally:
        if overrides.statuses:
            record.append(Path(overrides.statuses))
    return record.status


def prepare(argv: list[str]) -> int:
    """The ctest fixture: say once what a run on this host lacks, and what sets it up. It installs nothing."""
    words = _parse([*argv, ""])
    overrides = Overrides.read(os.environ.get(VARIABLE))
    try:
        backend, _ = choose(_settings(words.settings, overrides))
    except BenchError:
        return 0  # each case says it itself, and ends with its status; ctest would hide this one's
    if not overrides.dry_run and backend.local is True:
        for line in missing():
            print(f"NOTICE: {line}", file=sys.stderr)
    return 0


def missing() -> list[str]:
    """What this host lacks for a run, each with what it costs and the command that sets it up."""
    lines = [f"{name} is not installed: {cost}; scripts/setup.sh installs it"
             for name, cost in missing_libraries().items()]
    try:
        StackChoice.of(os.environ).worker_python()
    except (BadInput, Infrastructure) as error:
        lines.append(str(error))
    return lines


def _parse(argv: list[str]) -> Words:
    parser = Parser("resnet50-bench case", "Run one case as its ctest test does.",
                    "resnet50-bench case inference_latency_avx_fp32_gated")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--registry", default="")
    parser.add_argument("--release", default="")
    parser.add_argument("--timeout", type=float, default=3600.0)
    parser.add_argument("option")
    given = parser.parse_args(argv)
    return Words(Settings(given.backend, given.registry, given.release, given.timeout), given.option)


def _settings(configured: Settings, overrides: Overrides) -> Settings:
    """CMake's settings, each overridden by the environment's of its name. Raises BadInput."""
    return Settings(os.environ.get("BACKEND") or configured.backend, os.environ.get("REGISTRY") or configured.registry,
                    os.environ.get("RELEASE") or configured.release,
                    _timeout_s(os.environ.get("TIMEOUT"), configured.timeout_s), overrides.backend_options)


def _timeout_s(text: str | None, configured: float) -> float:
    """The environment's TIMEOUT, else CMake's ``configured``. Raises BadInput for what ctest would cut short."""
    if not text:
        return configured
    if wrong := problem("TIMEOUT", text):
        raise BadInput(f"TIMEOUT={text!r} {wrong}")
    if int(text) > configured:
        raise BadInput(f"TIMEOUT={text} is above the build folder's {configured:g}, at which ctest ends a case; first: "
                       f"cmake -DTIMEOUT={text} build")
    return int(text)


def _layers(option: str, point: Mapping[str, str], overrides: Overrides) -> list[Layer]:
    """What beats what: flag or --set, --config, environment, case name."""
    given = from_environment(os.environ)
    return [Layer("flag", overrides.flags), Layer("--set", point),
            Layer("--config", texts_for(overrides.config, option)),
            Layer("environment", given), Layer(CASE_NAME, parse_option(option))]


def _texts(layers: list[Layer]) -> dict[str, str]:
    """Each parameter's strongest text: defaults are left to the runner, which sees the cores it gets."""
    texts: dict[str, str] = {}
    for layer in layers:
        for name, text in layer.values.items():
            if text.strip():
                texts.setdefault(name, text)
    return texts


def _run(record: CaseRecord, settings: Settings, overrides: Overrides) -> int:
    """The status; where the logs lie and why it is not 0 stands in ``record``."""
    option = record.option
    backend, chosen = choose(settings)
    points = _points(option, backend, settings, overrides)
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
    status, kpi_text = _measure(backend, points, folder, settings, overrides)
    if status:
        record.why = logs.why_invalid(kpi_text)
    return status or _judge(record, kpi_text, overrides)


def _points(option: str, backend: Backend, settings: Settings, overrides: Overrides) -> list[dict[str, str]]:
    """The parameter texts of each run. Raises BadInput and Skipped, where this host is what decides."""
    all_layers = [_layers(option, point, overrides) for point in overrides.points]
    if backend.local:
        cpu = read_cpu()
        engines = (memory.known(cpu.name, StackChoice.of(os.environ)) if isinstance(backend, NativeBackend)
                   else _OF_AN_IMAGE)
        machine = Machine(cpu, read_topology(), engines)
        for layers in all_layers:
            case = resolve(layers, machine)
            why = inputs.missing(case, may_skip=not (overrides.named or overrides.dry_run))
            if isinstance(why, Skipped):  # at once, before the machine's lock and a logs folder
                raise why
            if overrides.dry_run:
                print(*preview.lines(case, machine.topology), sep="\n")
    points = [_texts(layers) for layers in all_layers]
    return _as_burst(points, settings, overrides.burst) if overrides.burst > 1 else points


def _measure(backend: Backend, points: list[dict[str, str]], folder: Path, settings: Settings,
             overrides: Overrides) -> tuple[int, str]:
    """(the first status that is not 0, of the runs or of kpi.sh; what kpi.sh said, which is printed in any case)."""
    status = 1
    try:
        with machine_lock.held(backend.cpus()):
            status = _iterate(backend, points, folder, settings, overrides)
    finally:
        kpi_status, kpi_text = logs.run_kpi(folder)
        print(kpi_text, end="", flush=True)
    return status or kpi_status, kpi_text


def _judge(record: CaseRecord, kpi_text: str, overrides: Overrides) -> int:
    """What a run that passed is compared with. Raises Regression, RunFailed where nothing is there to compare with."""
    from ..history import plausibility  # with all that judges results: a third of the start-up

    print("\n".join([*logs.measurements(kpi_text), *plausibility.lines(Path(record.logs))]), flush=True)
    if not overrides.gate:
        return 0
    from ..history.gate import judge
    from ..history.references import read_references
    from . import gate_command

    references = read_references(Path(overrides.gate))
    judgement = judge(Path(record.logs), references, allow_missing=overrides.allow_missing)
    record.gate = judgement.gated()
    gate_command.show(judgement)
    gate_command.require_passed(judgement)
    return 0


def _as_burst(points: list[dict[str, str]], settings: Settings, count: int) -> list[dict[str, str]]:
    """The points with what tells each run that it is one of ``count``. Raises BadInput where that cannot be."""
    if settings.backend in ("slurm", "kubernetes"):
        raise BadInput(f"--burst needs runs on the same cores, {settings.backend.capitalize()} gives each job nodes "
                       'of its own: --options="--nodes=N" runs the case on N nodes')
    if any(texts.get("CHECKPOINT") for texts in points):
        raise BadInput("--burst and CHECKPOINT exclude each other: all runs would write the same file")
    return [texts | {burst.VARIABLE: str(count)} for texts in points]


def _iterate(backend: Backend, points: list[dict[str, str]], folder: Path, settings: Settings,
             overrides: Overrides) -> int:
    """Run every point; the first status that is not 0, after which only --continue goes on."""
    first_bad = 0
    numbered = list(enumerate(points, start=1))
    for first in range(0, len(points), overrides.burst):
        chunk = numbered[first:first + overrides.burst]
        if overrides.burst > 1:
            status = _burst(backend, chunk, folder, settings)
        else:
            if len(points) > 1:
                print(f"iteration {chunk[0][0]} of {len(points)}", flush=True)
            status = _one(backend, chunk[0][1], logs.worker_folder(folder, chunk[0][0]), settings)
        first_bad = first_bad or status
        if status and not overrides.keep_going:
            break
    return first_bad


def _burst(backend: Backend, chunk: list[tuple[int, dict[str, str]]], folder: Path, settings: Settings) -> int:
    """Run the points of ``chunk`` at once; the first status that is not 0."""
    print(f"BURST: iterations {chunk[0][0]} to {chunk[-1][0]} run at once, each placed on the same cores", flush=True)
    os.environ.pop(progress.TERMINAL_VARIABLE, None)  # their live views would overwrite each other: plain lines then
    workers = [logs.worker_folder(folder, number) for number, _ in chunk]
    statuses = at_once([(f"itr-{number}", partial(_one, backend, texts, worker, settings))
                        for (number, texts), worker in zip(chunk, workers, strict=True)])
    share = overlap(workers)
    if share is not None:
        line = f"BURST: all {len(chunk)} runs were measuring during {100 * share:.0f} % of the longest one's time"
        if share < LEAST_OVERLAP:
            line += "; in the rest of it fewer ran: a longer MIN_DURATION raises this share"
        print(line, flush=True)
    return next((status for status in statuses if status), 0)


def _one(backend: Backend, texts: Mapping[str, str], worker: Path, settings: Settings) -> int:
    """Run one point into its ``worker`` folder; its status, which is also left there."""
    status = 1
    try:
        status = backend.run(texts, worker, settings.timeout_s)
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
