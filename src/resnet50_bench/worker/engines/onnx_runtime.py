"""ResNet50 by ONNX Runtime, exported from the PyTorch module: fp32 and statically quantised int8.

ONNX Runtime reports operators but not their instruction set, so its kernels cannot be proven.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import onnxruntime
import torch

from ...case.precision import INT8
from ..evidence import Evidence
from ..job import PreparedModel
from ..model_cache import cached
from .base import Engine, ModelRequest, Plain, model_key, whole_batches

_UNPROVEN = "ONNX Runtime names operators, not the instruction set that they ran with"
#: The model's input: NHWC arrays, the memory layout of a channels-last batch.
_INPUT = "images"


class OnnxRuntimeEngine(Engine):
    """TORCH_TYPE=ONNXRUNTIME: the exported and, for int8, quantised model is cached."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        model, cache = cached(
            request.cache_dir, model_key("ONNXRUNTIME", request, plain, __file__), suffix=".onnx",
            build=lambda: _exported(request, plain), save=lambda model, path: path.write_bytes(model),
            load=lambda path: path.read_bytes())
        session = OnnxSession(model, request.cores)
        return PreparedModel(session, cache, read_kernels=lambda: Evidence((), _UNPROVEN), threads=session.threads)


class OnnxSession:
    """The loaded model with its threads, called with a channels-last batch. Raises RunFailed if it does not load."""

    def __init__(self, model: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Waiting threads must not take a core from instances that still measure.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if others := _other_cpus()[:threads - 1]:
            # It numbers cpus from 1.
            options.add_session_config_entry("session.intra_op_thread_affinities",
                                             ";".join(str(cpu + 1) for cpu in others))
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        answers, = self._session.run(None, {_INPUT: batch.permute(0, 2, 3, 1).numpy()})
        return torch.from_numpy(answers)

    def threads(self) -> int:
        """The number of threads passed to ONNX Runtime, which does not report its own."""
        return int(self._session.get_session_options().intra_op_num_threads)


def _other_cpus() -> list[int]:
    """The process's cpus without the calling thread's cpu. The calling thread computes too.

    OpenMP has bound the calling thread to its first place. Threads that it starts would inherit that: two threads on
    one core were half as fast as one.
    """
    own, cpus = os.sched_getaffinity(0), os.sched_getaffinity(os.getpid())
    return sorted(cpus - {min(own)})


def _exported(request: ModelRequest, plain: Plain) -> bytes:
    """Export the model for batches like ``plain.example``.

    int8 is ONNX Runtime's recipe for CPUs: static, 8-bit activations per tensor, 8-bit weights per channel, of 7 bits
    where products saturate.
    """
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "plain.onnx"
        program = torch.onnx.export(_Nhwc(plain.network()).eval(), (plain.example.permute(0, 2, 3, 1),), dynamo=True,
                                    verbose=False, input_names=[_INPUT], output_names=["answers"])
        program.save(file, external_data=False)  # type: ignore[union-attr]  # None only where it is given a file
        if request.precision.dtype is INT8:
            file = _quantised(file, plain, request.precision.saturates)
        return file.read_bytes()


def _quantised(file: Path, plain: Plain, saturates: bool) -> Path:
    # Imported only to make a model: they take as long to import as everything else.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime is not typed
        """The calibration batches, by ONNX Runtime's interface."""

        batches = iter(whole_batches(plain.calibration(), len(plain.example)))

        def get_next(self) -> dict[str, object] | None:
            batch = next(self.batches, None)
            return None if batch is None else {_INPUT: batch.permute(0, 2, 3, 1).numpy()}

    folded, quantised = file.with_name("folded.onnx"), file.with_name("quantised.onnx")
    quant_pre_process(str(file), str(folded), skip_symbolic_shape=True)
    quantize_static(str(folded), str(quantised), Batches(), quant_format=QuantFormat.QDQ, per_channel=True,
                    reduce_range=saturates, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return quantised


class _Nhwc(torch.nn.Module):
    """The network with NHWC input."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images to answers."""
        answers: torch.Tensor = self._network(images.permute(0, 3, 1, 2))
        return answers


ENGINE = OnnxRuntimeEngine()
