"""A plain network -> the bytes of an ONNX file, statically quantised where there are images to calibrate with."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from .base import whole_batches

#: The model's input: NHWC arrays, a channels-last batch as it is in memory.
_INPUT = "images"


def exported(plain: torch.nn.Module, example: torch.Tensor,
             calibration: Callable[[], Iterable[torch.Tensor]] | None, saturates: bool) -> bytes:
    """The model for batches like ``example``.

    int8 is ONNX Runtime's recipe for CPUs: static, 8-bit activations per tensor, 8-bit weights per channel, of 7 bits
    where products saturate.
    """
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "plain.onnx"
        program = torch.onnx.export(_Nhwc(plain).eval(), (example.permute(0, 2, 3, 1),), dynamo=True, verbose=False,
                                    input_names=[_INPUT], output_names=["answers"])
        program.save(file, external_data=False)  # type: ignore[union-attr]  # None only where it is given a file
        if calibration is None:
            return file.read_bytes()
        folded, quantised = Path(folder) / "folded.onnx", Path(folder) / "quantised.onnx"
        quant_pre_process(str(file), str(folded), skip_symbolic_shape=True)
        quantize_static(str(folded), str(quantised), _Reader(whole_batches(calibration(), len(example))),
                        quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=saturates,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        return quantised.read_bytes()


class _Nhwc(torch.nn.Module):
    """The network for batches of NHWC."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images to answers."""
        answers: torch.Tensor = self._network(images.permute(0, 3, 1, 2))
        return answers


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime is not typed
    """Calibration batches as ONNX Runtime asks for them."""

    def __init__(self, batches: list[torch.Tensor]) -> None:
        self._batches: Iterator[torch.Tensor] = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        """One batch, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {_INPUT: batch.permute(0, 2, 3, 1).numpy()}
