"""A plain network -> OpenVINO's model, quantised where there are calibration images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import nncf
import openvino
import torch
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
from openvino.preprocess import PrePostProcessor


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
