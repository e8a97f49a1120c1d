"""ResNet50 by OpenVINO, converted from the PyTorch module: fp32, bf16, and int8 by NNCF's post-training quantisation.

OpenVINO's users convert models (``openvino.convert_model``). With torch 2.15, ``torch.compile(backend="openvino")``
failed on a guard.
"""

from __future__ import annotations

import os
import tempfile
import threading
import warnings
from importlib import metadata
from pathlib import Path

import torch

from ...case.precision import INT8
from ..evidence import Evidence, of_openvino
from ..job import PreparedModel
from ..model_cache import cached
from .base import Engine, ModelRequest, Plain, model_key

# TBB loads its hwloc with RTLD_DEEPBIND, which bypasses a preloaded jemalloc. One allocator then frees the other's
# memory, and glibc aborts. This is TBB's own switch against it, read when openvino is imported.
os.environ.setdefault("TBB_ENABLE_SANITIZERS", "1")
import openvino  # noqa: E402

metadata.version("nncf")  # if there is none, importing this module fails with the reason
#: A cached file is the XML's length in this many bytes, the XML, and the weights.
_LENGTH_BYTES = 8


class OpenVinoEngine(Engine):
    """TORCH_TYPE=OPENVINO: the converted and, for int8, quantised model is cached. Compiling it takes 0.5 s."""

    def prepare(self, request: ModelRequest, plain: Plain) -> PreparedModel:
        model, cache = cached(
            request.cache_dir, model_key("OPENVINO", request, plain, __file__), suffix=".openvino",
            build=lambda: _converted(request, plain), save=_save, load=_load)
        compiled = Compiled(model, request.precision.dtype.openvino, request.cores)
        return PreparedModel(compiled, cache, read_kernels=compiled.kernels, threads=compiled.threads)


class Compiled:
    """The compiled model, called with a channels-last batch. Each calling thread has an inference request of its own.

    A call's result is valid until the same thread's next call.
    """

    def __init__(self, model: openvino.Model, hint: str, threads: int) -> None:
        self._model, self._requests = model, threading.local()
        self._settings = {
            "INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
            # The threads inherit the instance's mask. OpenVINO's own pinning would choose from the whole machine.
            "ENABLE_CPU_PINNING": False, "ENABLE_HYPER_THREADING": True, "SCHEDULING_CORE_TYPE": "ANY_CORE",
        }
        self._compiled = openvino.Core().compile_model(model, "CPU", self._settings)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        request = self._requests.own
        # No copy: a channels-last batch has the NHWC memory layout of the model's input.
        request.set_input_tensor(openvino.Tensor(batch.permute(0, 2, 3, 1).numpy(), shared_memory=True))
        request.infer()
        return torch.from_numpy(request.get_output_tensor(0).data)

    def threads(self) -> int:
        """The number of threads that OpenVINO reports."""
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    def kernels(self) -> Evidence:
        """The measured model's kernels. The times are of a second model with profiling: profiling costs time."""
        return of_openvino(_nodes(self._compiled), self._times_ms())

    def _times_ms(self) -> dict[str, float]:
        twin = openvino.Core().compile_model(self._model, "CPU", self._settings | {"PERF_COUNT": True})
        request = twin.create_infer_request()
        request.infer()
        request.infer()
        return {layer.node_name: layer.real_time.total_seconds() * 1000 for layer in request.get_profiling_info()}


def _nodes(compiled: openvino.CompiledModel) -> list[dict[str, str]]:
    nodes = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        fields = {name: str(value.astype(str)) for name, value in node.get_rt_info().items()}
        ports = (*zip(("source", "weights"), node.inputs(), strict=False),
                 *zip(("output",), node.outputs(), strict=False))
        shapes = {word: str(port.get_partial_shape()) for word, port in ports}
        nodes.append(fields | shapes | {"name": node.get_friendly_name()})
    return nodes


def _converted(request: ModelRequest, plain: Plain) -> openvino.Model:
    """Convert the model for batches like ``plain.example``, in NHWC: the memory layout of a channels-last batch."""
    from openvino.preprocess import PrePostProcessor

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(plain.network(), example_input=plain.example[:1],
                                       input=[-1, *plain.example.shape[1:]])
        if request.precision.dtype is INT8:
            model = _quantised(model, plain, request.precision.saturates)
    processor = PrePostProcessor(model)
    processor.input().tensor().set_layout(openvino.Layout("NHWC"))
    processor.input().model().set_layout(openvino.Layout("NCHW"))
    model = processor.build()
    model.reshape(list(plain.example.permute(0, 2, 3, 1).shape))
    return model


def _quantised(model: openvino.Model, plain: Plain, saturates: bool) -> openvino.Model:
    """NNCF's default for CPUs: static, 8-bit activations per tensor, 8-bit weights per channel.

    Where products saturate, NNCF's remedy is weights that use half of their range.
    """
    import nncf  # imported only to make a model: it takes as long to import as everything else
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    images = [batch.contiguous(memory_format=torch.contiguous_format).numpy() for batch in plain.calibration()]
    return nncf.quantize(
        model, nncf.Dataset(images), subset_size=len(images), target_device=nncf.TargetDevice.CPU,
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE if saturates else OverflowFix.DISABLE))


def _save(model: openvino.Model, path: Path) -> None:
    """Write the model to one file, so that one digest covers it. The weights are not compressed to fp16."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        xml = Path(folder) / "model.xml"
        openvino.save_model(model, xml, compress_to_fp16=False)
        text = xml.read_bytes()
        with path.open("wb") as whole:
            whole.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
            whole.write(text)
            whole.write(xml.with_suffix(".bin").read_bytes())


def _load(path: Path) -> openvino.Model:
    data = path.read_bytes()
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    return openvino.Core().read_model(model=data[_LENGTH_BYTES:end], weights=data[end:])


ENGINE = OpenVinoEngine()
