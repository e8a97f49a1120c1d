"""A Result -> its throughput relative to the cores' peak operations/s and bytes/s.

Operations: 8.2e9 per image for 4.1e9 multiply-adds (torchvision's metadata of ResNet50 weights,
``_ops`` 4.089; He et al. 2015 give 3.8e9 for the variant that strides in the first 1x1 convolution).
Bytes: every convolution's input, weights and output moved once, regardless of caches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..case.precision import PRECISIONS
from ..machine import theory
from .processes import Convolution
from .result import Result

OPERATIONS_PER_IMAGE = 8.2e9
#: The gradients of a layer's weights and of its input each take as many operations as the layer.
TRAINING_FACTOR = 3

_BYTES = {"f32": 4, "bf16": 2, "u8": 1, "s8": 1}


def limits(result: Result) -> dict[str, float]:
    """The known limits: achieved, theoretical and measured peaks, and the two utilizations (shares).

    A value that was not measured, or is unknown for this CPU, is absent. {} for a result without a throughput.
    ``measured_peak_...`` is from the peak's own measurement. ``peak_...`` is the higher of that and the run's own
    rate, so no share exceeds 1.
    """
    rate, runs = result.statistics.throughput_images_per_s, result.runs()
    if rate is None:
        return {}
    factor = TRAINING_FACTOR if result.parameter("FUNCTION") == "training" else 1
    known = {"operations_per_s": rate * OPERATIONS_PER_IMAGE * factor}
    cores = sum(len(run.cpus) for run in runs)
    mhz = result.system.cpu_mhz
    per_cycle = theory.operations_per_cycle(result.system, result.parameter("PRECISION"))
    if mhz and per_cycle:
        known["theoretical_operations_per_s"] = cores * mhz * 1e6 * per_cycle
        known["theoretical_mhz"] = mhz
    peaks = [run.peak for run in runs]
    known |= _against(peaks, "operations_per_s", "compute_utilization", known["operations_per_s"])
    moved = _bytes_per_image(result)
    if moved and all("bytes_per_s" in peak for peak in peaks):
        known["bytes_per_s"] = rate * moved
        known |= _against(peaks, "bytes_per_s", "memory_utilization", known["bytes_per_s"])
    return known


def _against(peaks: Sequence[Mapping[str, float]], unit: str, share: str, achieved: float) -> dict[str, float]:
    """The peak in ``unit`` of all instances together, and its achieved share. {} if an instance lacks the peak."""
    if not peaks or any(unit not in peak for peak in peaks):
        return {}
    measured = sum(peak[unit] for peak in peaks)
    best = max(measured, achieved)
    return {f"measured_peak_{unit}": measured, f"peak_{unit}": best, share: achieved / best}


def _bytes_per_image(result: Result) -> float:
    width = PRECISIONS[result.parameter("PRECISION")].dtype.bytes
    total = 0.0
    for layer in result.processes[0].facts.layers:
        shape = parse_shape(layer.shape)
        source, weights, output = sizes(shape)
        total += source * _BYTES.get(layer.source_type, 4) + (weights + output) * width
    return total / int(result.parameter("BATCH_SIZE"))


def parse_shape(text: str) -> dict[str, int]:
    """oneDNN's problem string ``mb32_ic64oc256_ih56oh56kh1sh1dh0ph0_...`` -> {"mb": 32, "ic": 64, ...}."""
    return {name: int(number) for name, number in re.findall(r"([a-z]+)(\d+)", text)}


def sizes(shape: Mapping[str, int]) -> tuple[int, int, int]:
    """Elements of a convolution's (input, weights, output)."""
    batch, groups = shape.get("mb", 1), shape.get("g", 1)
    source = batch * shape["ic"] * shape["ih"] * shape["iw"]
    weights = shape["oc"] * shape["ic"] // groups * shape["kh"] * shape["kw"]
    return source, weights, batch * shape["oc"] * shape["oh"] * shape["ow"]


def layer_table(layers: Sequence[Convolution]) -> list[str]:
    """Lines for VERBOSE: the convolutions of the proving step sorted by time, with the achieved rates."""
    total = sum(layer.time_ms for layer in layers)
    rows = sorted(layers, key=lambda layer: -layer.time_ms)
    lines = ["Layer:   ms    share   GOP/s  kernel  shape"]
    for layer in rows:
        shape = parse_shape(layer.shape)
        _, weights, output = sizes(shape)
        operations = 2 * output * weights / shape["oc"]
        lines.append(f"Layer: {layer.time_ms:7.3f} {100 * layer.time_ms / total:5.1f} % "
                     f"{operations / layer.time_ms / 1e6:8.1f}  {layer.kernel}  {layer.shape}")
    return lines
