"""``case <option>``: what ctest starts for one test: resolve, run each iteration, bring the KPI."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .. import environment
from ..case import CASE_NAME, Layer, Machine, parse_option, resolve
from ..cpu import read_cpu
from ..errors import BenchError, RunFailed
from ..parameters import CATALOGUE
from ..run_command import interruptible
from ..topology import read_topology
from . import gate_command, logs, plausibility
from .backends import Backend, Settings, choose
from .config import texts_for
from .options import OVERRIDES_VARIABLE, Overrides
from .references import read_references


def main(argv: list[str]) -> int:
    """Run one case; its status is also told to ctest.sh, which ctest itself would hide."""
    settings, option = _parse(argv)
    overrides = Overrides.read(os.environ.get(OVERRIDES_VARIABLE))
    if overrides.stop_file and Path(overrides.stop_file).exists():
        raise RunFailed("not started: ctest.sh was ended by a signal")
    status = 1
    try:
        with interruptible():
            status = _run(option, settings, overrides)
    except BenchError as error:
        status = error.exit_status
        raise
    finally:
        if overrides.statuses:
            with Path(overrides.statuses).open("a") as stream:
                print(status, file=stream)
    return status


def prepare(argv: list[str]) -> int:
    """The ctest fixture: set up the environment where the backend needs it on this host."""
    settings, _ = _parse([*argv, ""])
    overrides = Overrides.read(os.environ.get(OVERRIDES_VARIABLE))
    if overrides.dry_run or choose(settings)[0].local is not True or os.environ.get("RESNET50_BENCH_PYTHON"):
        return 0
    return environment.main([])


def _parse(argv: list[str]) -> tuple[Settings, str]:
    parser = argparse.ArgumentParser(prog="case")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--registry", default="")
    parser.add_argument("--release", default="")
    parser.add_argument("--timeout", type=float, default=3600.0)
    parser.add_argument("option")
    given = parser.parse_args(argv)
    overrides = Overrides.read(os.environ.get(OVERRIDES_VARIABLE))
    return Settings(os.environ.get("BACKEND") or given.backend, os.environ.get("REGISTRY") or given.registry,
                    os.environ.get("RELEASE") or given.release, float(os.environ.get("TIMEOUT") or given.timeout),
                    overrides.backend_options), given.option


def _layers(option: str, point: Mapping[str, str], overrides: Overrides) -> list[Layer]:
    """The contract's order: flag or --set, --config, environment, case name."""
    given = {name: os.environ[name] for name in CATALOGUE if name in os.environ}
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
        status = _iterate(backend, points, folder, settings, overrides.keep_going)
    finally:
        kpi_status, kpi_text = logs.run_kpi(folder)
        print(kpi_text, end="", flush=True)
    if status == 0 and kpi_status == 0:
        print("\n".join([*logs.measurements(kpi_text), *plausibility.lines(folder)]), flush=True)
        if overrides.gate:
            gate_command.gate(folder, read_references(Path(overrides.gate)))
    return status or kpi_status


def _iterate(backend: Backend, points: list[dict[str, str]], folder: Path, settings: Settings,
             keep_going: bool) -> int:
    """Run every point; the first status that is not 0, after which only --continue goes on."""
    first_bad = 0
    for number, texts in enumerate(points, start=1):
        if len(points) > 1:
            print(f"iteration {number} of {len(points)}", flush=True)
        worker = logs.worker_folder(folder, number)
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
        first_bad = first_bad or status
        if status and not keep_going:
            break
    return first_bad


