"""``case <option>``: what ctest starts for one test: resolve, run each iteration, bring the KPI."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ..backends import Backend, Settings, choose
from ..case.case import CASE_NAME, Layer, parse_option, resolve
from ..case.defaults import Machine
from ..case.parameters import from_environment
from ..ctest import logs
from ..ctest.at_once import LEAST_OVERLAP, at_once, overlap
from ..ctest.config import texts_for
from ..ctest.options import OVERRIDES_VARIABLE, Overrides
from ..errors import BadInput, BenchError, RunFailed
from ..launch import burst, progress
from ..machine import machine_lock
from ..machine.cpu import read_cpu
from ..machine.topology import read_topology
from ..signals import interruptible
from ..stack import environment


def main(argv: list[str]) -> int:
    """Run one case; its status is also told to ctest.sh, which ctest itself would hide."""
    given, option = _parse(argv)
    overrides = Overrides.read(os.environ.get(OVERRIDES_VARIABLE))
    if overrides.stop_file and Path(overrides.stop_file).exists():
        raise RunFailed("not started: ctest.sh was ended by a signal")
    status = 1
    try:
        with interruptible():
            status = _run(option, _settings(given, overrides), overrides)
    except BenchError as error:
        status = error.exit_status
        raise
    finally:
        if overrides.statuses:
            with Path(overrides.statuses).open("a") as stream:
                print(status, option, file=stream)
    return status


def prepare(argv: list[str]) -> int:
    """The ctest fixture: set up the environment where the backend needs it on this host."""
    given, _ = _parse([*argv, ""])
    overrides = Overrides.read(os.environ.get(OVERRIDES_VARIABLE))
    try:
        backend, _ = choose(_settings(given, overrides))
    except BenchError:
        return 0  # each case says it itself, and ends with its status; ctest would hide this one's
    if overrides.dry_run or backend.local is not True or os.environ.get("RESNET50_BENCH_PYTHON"):
        return 0
    return environment.main([])


def _parse(argv: list[str]) -> tuple[argparse.Namespace, str]:
    parser = argparse.ArgumentParser(prog="case")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--registry", default="")
    parser.add_argument("--release", default="")
    parser.add_argument("--timeout", type=float, default=3600.0)
    parser.add_argument("option")
    given = parser.parse_args(argv)
    return given, given.option


def _settings(given: argparse.Namespace, overrides: Overrides) -> Settings:
    """CMake's settings, each overridden by the environment's of its name. Raises BadInput."""
    return Settings(os.environ.get("BACKEND") or given.backend, os.environ.get("REGISTRY") or given.registry,
                    os.environ.get("RELEASE") or given.release,
                    _timeout_s(os.environ.get("TIMEOUT"), given.timeout), overrides.backend_options)


def _timeout_s(text: str | None, configured: float) -> float:
    """The environment's TIMEOUT, else CMake's ``configured``. Raises BadInput for what ctest would cut short."""
    if not text:
        return configured
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise BadInput(f"TIMEOUT={text!r} is no number of seconds; 1, 2, 3 ... are allowed")
    if int(text) > configured:
        raise BadInput(f"TIMEOUT={text} is above the build folder's {configured:g}, at which ctest ends a case; first: "
                       f"cmake -DTIMEOUT={text} build")
    return int(text)


def _layers(option: str, point: Mapping[str, str], overrides: Overrides) -> list[Layer]:
    """The contract's order: flag or --set, --config, environment, case name."""
    given = from_environment(os.environ)
    return [Layer("flag", overrides.flags), Layer("--set", point),
            Layer("--config", texts_for(overrides.config, f"test_resnet50_pytorch_xeon_public_{option}")),
            Layer("environment", given), Layer(CASE_NAME, parse_option(option))]


def _texts(layers: list[Layer]) -> dict[str, str]:
    """Each parameter's strongest text: defaults are left to the runner, which sees the cores it gets."""
    texts: dict[str, str] = {}
    for layer in layers:
        for name, text in layer.values.items():
            if text.strip():
                texts.setdefault(name, text)
    return texts


def _run(option: str, settings: Settings, overrides: Overrides) -> int:
    backend, chosen = choose(settings)
    all_layers = [_layers(option, point, overrides) for point in overrides.points]
    if backend.local:
        machine = Machine(read_cpu(), read_topology())
        for layers in all_layers:
            resolve(layers, machine)
    points = [_texts(layers) for layers in all_layers]
    if overrides.burst > 1:
        points = _as_burst(points, settings, overrides.burst)
    folder = logs.make_logs_folder(Path.cwd(), option)
    configuration = logs.write_config(folder, option, points)
    for file in overrides.attachments:
        shutil.copy2(file, folder)
    print(chosen, f"logs: {folder}", sep="\n", flush=True)
    if overrides.dry_run:
        print(configuration, end="")
        return 0
    status = 1
    try:
        with machine_lock.held(backend.cpus()):
            status = _iterate(backend, points, folder, settings, overrides)
    finally:
        kpi_status, kpi_text = logs.run_kpi(folder)
        print(kpi_text, end="", flush=True)
    if status == 0 and kpi_status == 0:
        from ..ctest import plausibility  # with all that judges results: a third of the start-up

        print("\n".join([*logs.measurements(kpi_text), *plausibility.lines(folder)]), flush=True)
        if overrides.gate:
            from ..history.references import read_references
            from . import gate_command

            gate_command.gate(folder, read_references(Path(overrides.gate)))
    return status or kpi_status


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
