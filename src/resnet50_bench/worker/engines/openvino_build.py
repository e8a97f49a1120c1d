"""A plain network -> OpenVINO's model, quantised where there are calibration images; and that model in one file."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import nncf
import openvino
import torch
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
from openvino.preprocess import PrePostProcessor

#: A file is the length of the XML in so many bytes, the XML, and the weights.
_LENGTH_BYTES = 8


def converted(plain: torch.nn.Module, example: torch.Tensor,
              calibration: Callable[[], Iterable[torch.Tensor]] | None, saturates: bool) -> openvino.Model:
    """The model for batches like ``example``, given as NHWC arrays: a channels-last batch as it lies in memory.

    int8 is NNCF's default for CPUs: static, 8-bit activations per tensor, 8-bit weights per channel; where products
    saturate, NNCF's remedy is weights that use half of their range.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(plain, example_input=example[:1], input=[-1, *example.shape[1:]])
        if calibration is not None:
            model = _quantised(model, list(calibration()), saturates)
    processor = PrePostProcessor(model)
    processor.input().tensor().set_layout(openvino.Layout("NHWC"))
    processor.input().model().set_layout(openvino.Layout("NCHW"))
    model = processor.build()
    model.reshape(list(example.permute(0, 2, 3, 1).shape))
    return model


def _quantised(model: openvino.Model, calibration: list[torch.Tensor], saturates: bool) -> openvino.Model:
    images = [batch.contiguous(memory_format=torch.contiguous_format).numpy() for batch in calibration]
    return nncf.quantize(
        model, nncf.Dataset(images), subset_size=len(images), target_device=nncf.TargetDevice.CPU,
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE if saturates else OverflowFix.DISABLE))


def save(model: openvino.Model, path: Path) -> None:
    """Write the model to one file, so that one digest holds all of it. Weights stay as they are, not cut to fp16."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        xml = Path(folder) / "model.xml"
        openvino.save_model(model, xml, compress_to_fp16=False)
        text = xml.read_bytes()
        with path.open("wb") as whole:
            whole.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
            whole.write(text)
            whole.write(xml.with_suffix(".bin").read_bytes())


def load(path: Path) -> openvino.Model:
    """The model that ``save`` wrote."""
    data = path.read_bytes()
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    return openvino.Core().read_model(model=data[_LENGTH_BYTES:end], weights=data[end:])
