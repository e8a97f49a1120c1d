"""Case + Result -> the lines of the log for kpi.sh and trace tools; and the log file being written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TextIO

from ..case.case import Case
from ..case.engines import ENGINES
from ..case.parameters import CATALOGUE
from ..errors import Infrastructure
from ..files import one_line
from .records import Verdict
from .result import Result
from .server import Server
from .stats import PERCENTILES

#: The log's format version. It increases when a line changes its meaning. ``kpi.sh`` requires more of newer logs.
LOG_FORMAT = 1


class Log:
    """Writes lines to a file and a stream. Flushes each, so that a kill loses none."""

    def __init__(self, path: Path, echo: TextIO) -> None:
        """Open the log. Raises Infrastructure if the folder cannot be written."""
        self.path, self._echo = path, echo
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise Infrastructure(f"the log {path} cannot be written: {error.strerror}; run in a folder that you may "
                                 "write to") from error

    def line(self, text: str) -> None:
        """Write ``one_line``. Raises Infrastructure if the disk is full."""
        text = one_line(text)
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise Infrastructure(f"the log {self.path.name} cannot be written: {error.strerror}") from error
        print(text, file=self._echo, flush=True)

    def close(self) -> None:
        """Close the file. The stream stays open."""
        self._file.close()


def file_name(texts: Mapping[str, str], now: datetime) -> str:
    """``benchmark_<MODE>_<TOPOLOGY>_<PRECISION>_<FUNCTION>_<DATA_TYPE>_<date>.log``."""
    strange = {"PRECISION": r"\W+"}  # keeps its underscore
    parts = [re.sub(strange.get(name, "[^A-Za-z0-9.-]+"), "-", texts.get(name) or "unknown")[:40]
             for name in ("MODE", "TOPOLOGY", "PRECISION", "FUNCTION", "DATA_TYPE")]
    return f"benchmark_{'_'.join(parts)}_{now:%Y%m%d-%H%M%S}.log"


def header(case: Case, instance_number: int, versions: Mapping[str, str]) -> Iterator[str]:
    """One ``NAME: value`` line per parameter, then the facts of the run."""
    yield from (f"{name}: {text}" for name, text in case.texts().items())
    yield f"INSTANCE_NUMBER: {instance_number}"
    yield from (f"{name}: {text}" for name, text in versions.items())
    yield f"FRAMEWORK: {ENGINES[case.torch_type].framework}"
    yield "RECIPE_TYPE: Public"
    yield f"LOG_FORMAT: {LOG_FORMAT}"
    yield from (f"NOTICE: {notice}" for notice in case.notices)


def start_line(case: Case) -> str:
    """The phrase that opens the region of interest."""
    return f"Evaluating RESNET: total Steps: {case.steps if case.steps is not None else 'all'}"


#: The line required by kpi.sh, and the prefixes of lines with checks, the verdict and an instance's cores.
PASSED, _CHECK, VERDICT, INSTANCE = "RESULT: passed", "Check", "VERDICT", "Instance"
#: Names of details besides parameters and names with an underscore; and names with an underscore that are no details.
_DETAILS = ("FRAMEWORK", "Throughput", "Achieved", "Images", "Allocator", "Layer", VERDICT)
_OUTSTANDING = ("Total_Throughput", "Bad_Image")
#: The phrase that closes the region of interest.
END_LINE = "Complete..."


def measured(result: Result) -> Iterator[str]:
    """The lines of the measured values. A value that was not measured has no line."""
    statistics = result.statistics
    for instance in statistics.instances:
        yield f"Throughput: {instance.throughput_images_per_s:.4f} fps"
    yield f"Total_Throughput: {statistics.throughput_images_per_s:.4f} fps"
    if statistics.throughput_ci95:
        low, high = statistics.throughput_ci95
        yield f"Throughput_CI95: {low:.4f} {high:.4f} fps"
        yield f"Interval_Kind: {statistics.interval_kind}"
    if latency := statistics.latency_ms:
        times = {"Mean": latency.mean, "Min": latency.min, "Max": latency.max,
                 **{f"P{p}": latency.percentiles[str(p)] for p in PERCENTILES if str(p) in latency.percentiles}}
        yield from (f"Latency_{name}: {value:.4f} ms" for name, value in times.items())
    if statistics.window:
        yield f"Window_Overlap: {100 * statistics.window.overlap:.2f} %"
        yield f"Window_Duration: {statistics.window.duration_s:.3f} s"
    if statistics.server:
        yield from _server(statistics.server)
    yield from _limits(result.limits, result.system.cpu_mhz_from or "nominal")
    yield from _data(result)
    slowest = max(result.runs(), key=lambda run: run.warmup_s)
    yield f"Warm_Up: {slowest.warmup_s:.2f} s {slowest.warmup_steps} steps"
    first = result.processes[0]
    yield f"Allocator: {first.allocator}"
    shown = ", ".join(f"{name} {count}" for name, count in first.kernels.items())
    yield "Convolution_Kernels: " + (f"unproven ({first.facts.unproven})" if first.facts.unproven else shown)


def _server(server: Server) -> Iterator[str]:
    """The lines of LoadGen's verdict and rate. An INVALID rate is not printed as Server_Rate."""
    percentile = f"{server.percentile:g}"
    yield f"LoadGen_Version: {server.loadgen}"
    yield f"LoadGen_Verdict: {'VALID' if server.valid else f'INVALID (not met: {server.why})'}"
    if server.valid:
        yield f"Server_Rate: {server.completed_queries_per_s:.4f} queries/s within {server.bound}"
    yield f"Server_Target: {server.target_queries_per_s:.4f} queries/s"
    yield f"Server_Late: {server.late} of {server.queries} queries"
    yield f"Server_Batch: {server.mean_batch:.4f} queries"
    yield f"Server_Padding: {100 * server.padding:.2f} % of the computed images"
    if server.search and server.search.throughput_images_per_s:
        yield f"Server_Throughput: {server.search.throughput_images_per_s:.4f} images/s without waiting for queries"
    for rate in server.search.tried if server.search else ():
        yield f"Rate_Tried: {rate.text(percentile)} ({rate.folder})"


def _data(result: Result) -> Iterator[str]:
    """The lines of decoding, and of the accuracy with its interval."""
    loaders = [record for record in result.feeds().values() if record.decoded is not None]
    if loaders:
        yield f"Loader_Throughput: {sum(record.loader_images_per_s or 0 for record in loaders):.1f} images/s"
        bad = [file for record in loaders for file in record.bad or ()]
        yield f"Images: {sum(record.decoded or 0 for record in loaders)} decoded, {len(bad)} bad"
        yield from (f"Bad_Image: {path}: {why}" for path, why in bad)
    for training in result.trainings()[:1]:
        losses = [loss for loss in training.losses if loss is not None]
        last = losses[-max(1, len(losses) // 10):]
        yield f"Training_Instances: {training.world} on all nodes learn one model"
        yield f"Training_Steps: {training.began_at} to {training.steps} of {training.total_steps}"
        if len(losses) == len(training.losses):
            yield (f"Training_Loss: {sum(last) / len(last):.4f} mean of the last {len(last)} steps, "
                   f"{losses[0]:.4f} first")
        yield f"Training_Top1: {100 * training.top1:.2f} % of the images in the last 10 % of the steps, while training"
    accuracy = result.statistics.accuracy
    if accuracy:
        low, high = accuracy.top1_ci95
        yield f"Accuracy: {accuracy.top1:.4f}"
        yield f"Accuracy_CI95: {low:.4f} {high:.4f} %"
        yield f"Accuracy_Top5: {accuracy.top5:.4f}"
        yield f"Accuracy_Images: {accuracy.count}"
    agreed = result.processes[0].facts.agreement
    if agreed and agreed.images:
        yield (f"Agreement_With_FP32: {100 * agreed.top1_agreement:.2f} % of {agreed.images} images, largest "
               f"logit difference {agreed.largest_logit_difference:.3f} at a spread of {agreed.logit_spread:.3f}")


def _limits(limits: Mapping[str, float], clock: str) -> Iterator[str]:
    for name, key in (("Achieved", "operations_per_s"), ("Measured_Peak", "peak_operations_per_s")):
        if key in limits:
            yield f"{name}: {limits[key] / 1e9:.1f} GOP/s"
    for unit, shown in (("operations_per_s", "GOP/s"), ("bytes_per_s", "GB/s")):
        look, best = limits.get(f"measured_peak_{unit}"), limits.get(f"peak_{unit}")
        if look is not None and best is not None and best > look:
            yield (f"NOTICE: the run reached {best / 1e9:.1f} {shown}, more than the measured peak of "
                   f"{look / 1e9:.1f}. So the rate of the run is used as the peak")
    if "theoretical_operations_per_s" in limits:
        yield (f"Theoretical_Peak: {limits['theoretical_operations_per_s'] / 1e9:.1f} GOP/s at "
               f"{limits['theoretical_mhz']:.0f} MHz ({clock})")
    for name, key in (("Compute_Utilization", "compute_utilization"), ("Memory_Utilization", "memory_utilization")):
        if key in limits:
            yield f"{name}: {100 * limits[key]:.2f} %"


def judged(result: Result) -> Iterator[str]:
    """The lines of the checks, and of the verdict with its reasons."""
    yield from (f"{_CHECK}: {check.line()}" for check in result.checks)
    yield f"{VERDICT}: {result.verdict}" + (f": {'; '.join(result.reasons)}" if result.reasons else "")


def checked(line: str) -> Verdict | None:
    """The verdict in a log's line of a check. None for any other line."""
    word = line.removeprefix(f"{_CHECK}: [").partition("] ")[0]
    return next((verdict for verdict in Verdict if line.startswith(f"{_CHECK}: [") and verdict.value == word), None)


def is_detail(line: str) -> bool:
    """Whether a log's line is a parameter, placement or figure, which the card, the checks and kpi.sh summarise."""
    name, colon, _ = line.partition(": ")
    return line == PASSED or bool(colon) and name not in _OUTSTANDING and (
        name in CATALOGUE or name in _DETAILS or name.partition(" ")[0] == INSTANCE
        or (name[:1].isupper() and "_" in name and " " not in name))
