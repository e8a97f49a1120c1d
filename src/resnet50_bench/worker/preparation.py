"""A worker's Spec -> the Job of its instances: a model or a trainer with proven kernels, their feeds and peaks."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..case import dataset
from ..case.engines import ENGINES
from ..case.precision import INT8, PRECISIONS
from ..errors import Infrastructure, RunFailed
from ..protocol.messages import Part, Spec
from ..result.processes import Agreement, Answers
from ..result.server import prepared_sizes
from . import proof
from .data import Loader
from .engines import peak
from .engines.base import Engine, ModelRequest, dummy_batch
from .evidence import RESNET50_CONVOLUTIONS, TRAINING_CONVOLUTIONS, Evidence
from .feed import POOL_BYTES, CycleFeed, PassFeed, not_finite, pool_feed
from .job import GetPeakReady, Job, Peak, Peaks, PreparedModel, Say
from .serving import QueryFeed
from .stepper import Feed

#: More decoding processes for each instance would be faster than any model here.
_MOST_DECODERS = 8
_IMAGE_BYTES = 4 * 3 * 224 * 224


def make_job(spec: Spec, say: Say, peaks: Peaks) -> Job:
    """Prepare the model, feeds and peaks, then prove the kernels.

    Raises BadInput for inputs that do not fit, RunFailed for bad images and for kernels of another precision.
    """
    began = time.monotonic()
    request, engine = model_request(spec), load_engine(spec.torch_type)
    engine.forget()
    if spec.training:
        from .training import Trainer, TrainingFeed

        trainer = Trainer(spec, request)
        prepared = PreparedModel(trainer, "unused")
        rehearse: Callable[[Any], object] = trainer.rehearse
        feeds: dict[int, Feed] = {spec.instances[0].index: TrainingFeed(spec, request, trainer)}
    else:
        prepared = engine.prepare(request, request.model())
        rehearse, feeds = prepared.model, inference_feeds(spec, request.input_dtype)
    get_peak_ready = None if peaks else peak_test(engine, request)
    prepare_s = time.monotonic() - began
    say(f"model ready after {prepare_s:.1f} s (cache: {prepared.cache})")
    evidence, step_s = proof.prove(rehearse, feeds[spec.instances[0].index].example, engine.onednn_verbose,
                                   spec.training, prepared.read_kernels)
    _require(evidence, request, TRAINING_CONVOLUTIONS if spec.training else RESNET50_CONVOLUTIONS)
    if spec.pipes:
        prepared = _of_every_size(prepared, request, engine, feeds[spec.instances[0].index].example)
        feeds = {index: QueryFeed(pool, spec.pipes) for index, pool in feeds.items()}
    agreement = Agreement()
    if spec.accuracy and spec.process == 0:
        agreement = proof.agreement(request, prepared.model, [Path(path) for path in spec.data.agreement])
    if spec.training:
        trainer.join(spec.group.rendezvous)
    return Job(prepared, feeds, evidence, step_s, agreement, prepare_s, lambda: proof.denormal_share(request),
               get_peak_ready, torch.inference_mode, prepared.threads or torch.get_num_threads, _look_at)


def _require(evidence: Evidence, request: ModelRequest, convolutions: int) -> None:
    """Raises RunFailed if the evidence does not prove the precision's kernels."""
    if doubt := evidence.doubt(request.precision, convolutions):
        raise RunFailed(doubt)


def _of_every_size(largest: PreparedModel, request: ModelRequest, engine: Engine,
                   example: torch.Tensor) -> PreparedModel:
    """Prepare and prove the model for every batch size of MODE=server.

    Raises RunFailed if the kernels of a size are not the precision's.
    """
    models = {request.batch_size: largest.model}
    for size in prepared_sizes(request.batch_size)[:-1]:
        smaller = replace(request, batch_size=size)
        prepared = engine.prepare(smaller, smaller.model())
        evidence, _ = proof.prove(prepared.model, example[:size], engine.onednn_verbose, False, prepared.read_kernels)
        _require(evidence, request, RESNET50_CONVOLUTIONS)
        models[size] = prepared.model
    return replace(largest, model=lambda images: models[len(images)](images))


def _look_at(output: torch.Tensor | None) -> Answers:
    return Answers(0, 0) if output is None else Answers(len(output), not_finite(output))


def load_engine(torch_type: str) -> Engine:
    """Load the engine of a TORCH_TYPE. Imports torch and the engine's packages.

    Raises Infrastructure if this Python lacks one of them, and names the stack that has it.
    """
    facts = ENGINES[torch_type]
    try:
        engine: Engine = importlib.import_module(f"{__package__}.engines.{facts.module}").ENGINE
        return engine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in facts.packages:
            raise
        stack = facts.stacks[0]
        raise Infrastructure(f"TORCH_TYPE={torch_type} needs {error.name}, which {sys.executable} does not have: "
                             f"scripts/setup.sh --stack {stack} once, then RESNET50_BENCH_STACK={stack}") from error


def model_request(spec: Spec) -> ModelRequest:
    """The engine's request for this spec."""
    precision, data = PRECISIONS[spec.precision], spec.data
    # CUSTOMER_ENV may set another cap, for which oneDNN uses another layout of the weights.
    isa_cap = os.environ.get("ONEDNN_MAX_CPU_ISA", precision.isa_cap)
    return ModelRequest(
        precision, isa_cap, spec.batch_size, Path(spec.cache_dir),
        weights=Path(data.weights) if data.weights else None, weights_sha256=data.weights_sha256,
        classes=data.classes, qconf=Path(data.qconf) if data.qconf else None,
        calibration=tuple(map(Path, data.calibration)) if precision.dtype is INT8 else (),
        cores=len(spec.instances[0].cpus), float32_images=ENGINES[spec.torch_type].float32_images)


def peak_test(engine: Engine, request: ModelRequest) -> GetPeakReady:
    """Prepare the product of matrices. Each instance measures its peak."""
    product = engine.prepare_peak(request).model

    def get_ready(part: Part) -> Callable[[], Peak]:
        batch = peak.images(request.input_dtype, len(part.cpus))
        with torch.inference_mode():
            return peak.ready(product, batch, part.stream_floats)

    return get_ready


def inference_feeds(spec: Spec, dtype: torch.dtype) -> dict[int, Feed]:
    """The feed of each instance. Raises RunFailed if too many images cannot be decoded."""
    size, count = spec.batch_size, len(spec.instances)
    if not spec.data.dataset:
        dummy = CycleFeed([dummy_batch(size, dtype)])
        return {part.index: dummy for part in spec.instances}
    parts = dataset.split(dataset.scan(Path(spec.data.dataset)), spec.data.parts)

    def feed(part: Part) -> Feed:
        cpus = part.loader_cpus or part.cpus
        loader = Loader(parts[part.index], size, dtype, workers=_decoders(len(cpus), size), cpus=cpus)
        return PassFeed(loader) if spec.accuracy else pool_feed(loader, POOL_BYTES // count)

    return {part.index: feed(part) for part in spec.instances}


def _decoders(cpus: int, batch_size: int) -> int:
    """Number of decoding processes. Each keeps two batches ready in /dev/shm. 0 if that is too small."""
    room = shutil.disk_usage("/dev/shm").free // 2
    return max(0, min(cpus, _MOST_DECODERS, room // (2 * batch_size * _IMAGE_BYTES)))
