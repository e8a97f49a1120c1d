"""ResNet50 by ONNX Runtime, exported from the PyTorch module: fp32 and statically quantised int8.

ONNX Runtime names the operators that ran, never their instruction set, so its kernels stay unproven.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import onnxruntime
import torch

from ...case.precision import INT8
from ..evidence import Evidence
from ..model_cache import cache_key, cached
from .base import Engine, ModelRequest, Plain, PreparedModel, code_key

#: The module that is imported only where a model is made.
_BUILD = Path(__file__).with_name("onnx_build.py")
_UNPROVEN = "ONNX Runtime names operators, not the instruction set that they ran with"


class OnnxRuntimeEngine(Engine):
    """TORCH_TYPE=ONNXRUNTIME: the exported, maybe quantised model is cached."""

    def prepare(self, request: ModelRequest) -> PreparedModel:
        return _prepare(request, request.model())

    def prepare_peak(self, request: ModelRequest) -> PreparedModel:
        return _prepare(request, request.peak())


class OnnxSession:
    """The model on so many threads, called with a channels-last batch. Raises RunFailed where it does not load."""

    def __init__(self, model: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Those that wait must not take a core from what measures beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if others := _other_cpus()[:threads - 1]:
            # It counts from 1.
            options.add_session_config_entry("session.intra_op_thread_affinities",
                                             ";".join(str(cpu + 1) for cpu in others))
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        answers, = self._session.run(None, {self._input: batch.permute(0, 2, 3, 1).numpy()})
        return torch.from_numpy(answers)

    def threads(self) -> int:
        """As ONNX Runtime was told; it does not say how many it has."""
        return int(self._session.get_session_options().intra_op_num_threads)


def _other_cpus() -> list[int]:
    """The process's, without that of the calling thread, which computes, too.

    OpenMP has bound it to its first place, and what it starts would stay there with it: two threads on one core were
    half as fast as one.
    """
    own, cpus = os.sched_getaffinity(0), os.sched_getaffinity(os.getpid())
    return sorted(cpus - {min(own)})


def _prepare(request: ModelRequest, plain: Plain) -> PreparedModel:
    saturates = request.precision.saturates
    key = cache_key(engine="ONNXRUNTIME", precision=request.precision.name, saturates=str(saturates),
                    **code_key(plain.example, __file__, str(_BUILD)), **plain.key)
    calibration = plain.calibration if request.precision.dtype is INT8 else None
    model, cache = cached(
        request.cache_dir, key, suffix=".onnx",
        build=lambda: _build(plain, calibration, saturates), save=_save,
        load=lambda path: path.read_bytes())
    session = OnnxSession(model, request.cores)
    return PreparedModel(session, cache, read_kernels=lambda: Evidence((), _UNPROVEN), threads=session.threads)


def _build(plain: Plain, calibration: Callable[[], Iterable[torch.Tensor]] | None, saturates: bool) -> bytes:
    from .onnx_build import exported

    return exported(plain.network(), plain.example, calibration, saturates)


def _save(model: bytes, path: Path) -> None:
    path.write_bytes(model)


ENGINE = OnnxRuntimeEngine()
